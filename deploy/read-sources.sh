#!/usr/bin/env bash
# Reads each source file by itself with clang. So a file that includes less than it uses is found, which a build of several files
# as one does not show. Of the programs' files, those that changed in the last 50 commits, or since the last release tag if that is
# nearer, are read with all checks of .clang-tidy. Prints what it finds, and fails then. All checks of all files, tests too, take
# half an hour: cmake --workflow --preset tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
./deploy/install.sh build demo test read
cmake --preset tidy > /dev/null
cmake --build build/tidy --target fieldpost_wire > /dev/null  # the generated headers
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
# tests/fuzz/libfuzzer.cpp is compiled by the preset fuzz alone.
find cli crypto daemon proto sink storage tests -name '*.cpp' ! -name libfuzzer.cpp | sort > "$lists/all"
git() { command git -c safe.directory='*' "$@"; }  # also where the clone is another user's
tag=$(git describe --tags --abbrev=0 2> /dev/null || true)
since=$(git rev-list --max-count=50 "${tag:+$tag..}HEAD" 2> /dev/null | tail -n 1 || true)
: > "$lists/changed"  # it stays empty in a folder without history
[ -z "$since" ] || git diff --name-only --diff-filter=d "$since" -- '*.cpp' ':!tests' | sort |
    comm -12 - "$lists/all" > "$lists/changed"
comm -13 "$lists/changed" "$lists/all" > "$lists/others"
echo "reading $(wc -l < "$lists/changed") files that changed with clang-tidy, and $(wc -l < "$lists/others") others with clang"
# Few files at a time: the processes end at about the same moment.
read_each() {
    xargs -r -P "$(nproc)" -n 4 clang-tidy-19 --quiet -p build/tidy "$@" 2> >(grep -v 'warnings\? generated\|Processing file' >&2)
}
failed=0
read_each < "$lists/changed" || failed=1
# One check has to be named; this one costs nothing. The compiler's warnings are errors here too.
read_each --checks='-*,bugprone-suspicious-include' < "$lists/others" || failed=1
exit "$failed"

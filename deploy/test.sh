#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs every test. With --sanitizers all that is built and run
# again under the address and undefined-behaviour sanitizers, and each source file is read by itself with clang, as CI does.
set -euo pipefail
cd "$(dirname "$0")/.."
presets=(dev)
minutes=20
case ${1:-} in
    '') ;;
    --sanitizers) presets=(dev asan); minutes=40 ;;
    *) echo "usage: deploy/test.sh [--sanitizers]" >&2; exit 2 ;;
esac
echo "This builds and tests all of fieldpost: about $minutes minutes on two slow cores, less where much is cached."
if [ "${1:-}" != --sanitizers ]; then
    ./deploy/install.sh
else
    ./deploy/install.sh run sink build demo test read
    # Beside the tests, in the time in which these wait. A group of its own, so that it ends with this script.
    mkdir -p build
    set -m
    nice -n 19 ./deploy/read-sources.sh > build/read-sources.log 2>&1 &
    set +m
    reading=$!
    trap 'kill -- "-$reading" 2> /dev/null || true' EXIT
fi
for preset in "${presets[@]}"; do
    cmake --workflow --preset "$preset"
done
if [ -n "${reading:-}" ]; then
    wait "$reading" || { cat build/read-sources.log; echo "deploy/read-sources.sh found errors" >&2; exit 1; }
fi
echo "All tests passed, in $((SECONDS / 60)) minutes."

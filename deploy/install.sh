#!/usr/bin/env bash
# Installs those packages of deploy/packages that this machine lacks: of the groups that are named (run, sink, build, demo, test, read),
# or of all but the last. Does nothing, and needs no root, when nothing is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
wanted=" ${*:-run sink build demo test} "
missing=()
group=
while read -r line; do
    case $line in
        ''|'#'*) continue ;;
        '['*']') group=${line:1:-1}; continue ;;
    esac
    [[ $wanted == *" $group "* ]] || continue
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$line" 2>/dev/null || true)" = installed ] || missing+=("$line")
done < "$here/packages"
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null

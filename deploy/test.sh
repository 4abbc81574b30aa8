#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs every test. With --sanitizers all that is built and run
# again under the address and undefined-behaviour sanitizers, as CI does.
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
./deploy/install.sh
for preset in "${presets[@]}"; do
    cmake --workflow --preset "$preset"
done
echo "All tests passed, in $((SECONDS / 60)) minutes."

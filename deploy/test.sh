#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs every test: first as shipped to
# developers, then under the address and undefined-behaviour sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."
./deploy/install.sh
cmake --workflow --preset dev
cmake --workflow --preset asan

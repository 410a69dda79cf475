#!/usr/bin/env bash
# Sets everything up, builds, and runs the tests: unit, contract and simulation tests (ctest), 200 simulated seeds, then the official Python SDK
# and the command line against the server (pytest).
# Usage: ./test.sh [--sanitize address|thread]   (with a sanitizer: the unit and simulation tests alone, in a build of their own)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
case "${1:-}" in
  "") preset=release ;;
  --sanitize)
    case "${2:-}" in
      address) preset=asan ;;
      thread) preset=tsan ;;
      *) echo "test.sh: --sanitize takes address or thread" >&2; exit 2 ;;
    esac ;;
  *) echo "usage: ./test.sh [--sanitize address|thread]" >&2; exit 2 ;;
esac
source ops/setup.sh
build_preset "$preset"
folder=$(build_folder "$preset")
export TSAN_OPTIONS="suppressions=$PWD/ops/tsan.supp:memory_limit_mb=4000"
ctest --test-dir "$folder" --output-on-failure -j2
seeds=200
[ "$preset" = tsan ] && seeds=10  # one thread, thirty times slower: there is little to find
"$folder/skald-sim" --seeds "$seeds"
[ "$preset" = release ] || exit 0
.deps/venv/bin/python -m pytest -q tests/interop

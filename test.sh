#!/usr/bin/env bash
# Sets everything up, builds, and runs the tests: unit, contract and simulation tests (ctest), 200 simulated seeds, hostile scripts, then on each store the official
# Python SDK and the command line against the server (pytest), and servers killed under load (skald-kills). MySQL is a MariaDB of the tests' own.
# Usage: ./test.sh [--store sqlite|mysql] [--sanitize address|thread]
#   --store     runs pytest and skald-kills on one store only (default: on both)
#   --sanitize  runs the unit and simulation tests alone, in a build of their own
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
preset=release
stores=(sqlite mysql)
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    "--store sqlite" | "--store mysql") stores=("$2") ;;
    "--sanitize address") preset=asan ;;
    "--sanitize thread") preset=tsan ;;
    "--store "*) echo "test.sh: --store takes sqlite or mysql" >&2; exit 2 ;;
    "--sanitize "*) echo "test.sh: --sanitize takes address or thread" >&2; exit 2 ;;
    *) echo "usage: ./test.sh [--store sqlite|mysql] [--sanitize address|thread]" >&2; exit 2 ;;
  esac
  shift 2
done
source ops/setup.sh
build_preset "$preset"
folder=$(build_folder "$preset")
export TSAN_OPTIONS="suppressions=$PWD/ops/tsan.supp:memory_limit_mb=4000"
left_out=()
[ "$preset" = tsan ] && left_out=(-E '^Sandbox\.')  # one thread, which computes until its budget of instructions is spent
ctest --test-dir "$folder" --output-on-failure -j2 "${left_out[@]}"
seeds=200
[ "$preset" = tsan ] && seeds=10  # one thread, thirty times slower: there is little to find
"$folder/skald-sim" --seeds "$seeds"
[ "$preset" = tsan ] || "$folder/skald-lua-fuzz" --count 100
[ "$preset" = release ] || exit 0
for store in "${stores[@]}"; do
  echo "the Python SDK and the command line on $store"
  SKALD_TEST_STORE=$store .deps/venv/bin/python -m pytest -q tests/interop
  databases=0
  [ "$store" = mysql ] && databases=1
  build/skald-kills --store "$store" --engine 2 --database "$databases"
done

#!/usr/bin/env bash
# Sets everything up, then plays a merchant's day on the embedded store: orders through the saga, a kill -9 of the server half way, and how it
# all ended. Usage: ./demo.sh [--orders FILE.csv]. Exit code 0 only if every order ended and the books balance.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=()
case "${1:-}" in
  "") ;;
  --orders)
    [ -r "${2:-}" ] && [ -f "${2:-}" ] || { echo "demo.sh: cannot read the orders file '${2:-}'" >&2; exit 2; }
    arguments=(--orders "$(realpath "$2")") ;;
  *) echo "usage: ./demo.sh [--orders FILE.csv]" >&2; exit 2 ;;
esac
cd "$root"
source ops/setup.sh
build skald-demo
exec build/skald-demo "${arguments[@]}"

#!/usr/bin/env bash
# Sets everything up, then plays a merchant's day: orders through the saga, a kill -9 of the server half way, and how it all ended. On MySQL a second
# round kills the database too. Exit code 0 only if every order ended and the books balance.
# Usage: ./demo.sh [--store sqlite|mysql|mysql://user@host:port/database] [--orders FILE.csv]
#   --store mysql  starts a MariaDB of the demo's own in a scratch folder; with an address, uses that server (its password: SKALD_STORE_PASSWORD)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --store)
      case "${2:-}" in
        sqlite | mysql | mysql://*) arguments+=(--store "$2") ;;
        *) echo "demo.sh: --store takes sqlite, mysql or mysql://user@host:port/database" >&2; exit 2 ;;
      esac ;;
    --orders)
      [ -r "${2:-}" ] && [ -f "${2:-}" ] || { echo "demo.sh: cannot read the orders file '${2:-}'" >&2; exit 2; }
      arguments+=(--orders "$(realpath "$2")") ;;
    *) echo "usage: ./demo.sh [--store sqlite|mysql|mysql://user@host:port/database] [--orders FILE.csv]" >&2; exit 2 ;;
  esac
  shift 2
done
cd "$root"
source ops/setup.sh
build skald-demo
exec build/skald-demo "${arguments[@]}"

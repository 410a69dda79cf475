#!/usr/bin/env bash
# Sets everything up, then runs orders through the saga on the embedded store, kills the server half way (kill -9), starts it again, and shows
# how the orders ended. Usage: ./demo.sh [--orders FILE.csv]. Exit code 0 only if every order ended and the ledgers balance.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=()
case "${1:-}" in
  "") ;;
  --orders)
    [ -r "${2:-}" ] || { echo "demo.sh: cannot read the orders file '${2:-}'" >&2; exit 2; }
    arguments=(--orders "$(realpath "$2")") ;;
  *) echo "usage: ./demo.sh [--orders FILE.csv]" >&2; exit 2 ;;
esac
cd "$root"
source ops/setup.sh
build skald

scratch=$(mktemp -d)
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"; }
trap finish EXIT

# start ADDRESS: starts the server on the scratch store and sets $server and $address.
start() {
  : >"$scratch/server.log"
  build/skald server --store "sqlite:$scratch/skald.sqlite" --grpc "$1" >"$scratch/server.log" 2>&1 &
  server=$!
  for _ in $(seq 200); do
    address=$(sed -n 's/^skald: serving on \([^ ]*\).*/\1/p' "$scratch/server.log")
    [ -n "$address" ] && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  cat "$scratch/server.log" >&2
  exit 1
}

start 127.0.0.1:0
echo "skald: serving on $address; running orders"
.deps/venv/bin/python samples/python/demo.py "$address" "$scratch/ledger.sqlite" --half-way "$scratch/half-way" "${arguments[@]}" &
driver=$!
while [ ! -e "$scratch/half-way" ] && kill -0 "$driver" 2>/dev/null; do sleep 0.05; done
if [ -e "$scratch/half-way" ]; then
  echo "  half way: kill -9 of the server, and starting it again"
  kill -9 "$server"
  wait "$server" 2>/dev/null || true
  start "$address"
fi
wait "$driver"

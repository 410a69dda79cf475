#!/usr/bin/env bash
# A day's orders that are written to an ERP with their outcomes, while the ERP is busy, fails, loses answers and is slow, somebody in it cancels orders
# on his own, and the server is killed (kill -9) on the way. The goods come from the ERP too. A server and an ERP are started in a scratch folder
# and ended again. Exit code 0 only if every order is in the ERP once, as it ended here, and all books agree.
# Usage: samples/flaky_erp/run.sh [--orders N] [--seed N]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() { echo "usage: samples/flaky_erp/run.sh [--orders N] [--seed N]" >&2; exit 2; }
orders=200 seed=5
while [ $# -gt 0 ]; do
  [[ "${2:-}" =~ ^[1-9][0-9]{0,2}$ ]] || usage
  case "$1" in
    --orders) orders=$2 ;;
    --seed) seed=$2 ;;
    *) usage ;;
  esac
  shift 2
done
source "$here/../../ops/setup.sh"
cd "$root"
build skald skald-erp skald_plugin_inventory skald_plugin_payment skald_plugin_logistics skald_plugin_erp

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/plugins"
cp build/plugins/{inventory,payment,logistics,erp}.so "$scratch/plugins/"
cp -r workflows "$scratch/workflows"
cp "$here"/workflows/*.lua "$scratch/workflows/"
/usr/bin/python3 "$here/play.py" --orders "$orders" --seed "$seed" --skald build/skald --erp build/skald-erp --scratch "$scratch"

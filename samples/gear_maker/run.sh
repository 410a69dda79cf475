#!/usr/bin/env bash
# A gear maker's five machines: what they report is lost, doubled and out of order on the way, the server is killed (kill -9) with a work order under way, and
# one report after the other tells what is usual and what is not. Anomalies become work orders in an ERP, with parts reserved, a technician, and a
# person who says that it is done. A server and an ERP are started in a scratch folder and ended again. Exit code 0 only if every report was kept,
# every anomaly ended as it should, and the books balance.
# Usage: samples/gear_maker/run.sh [--seed N]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seed=17
case "${1:-}" in
  "") ;;
  --seed) seed=${2:-}; [[ "$seed" =~ ^[0-9]+$ ]] || { echo "run.sh: --seed takes a whole number" >&2; exit 2; } ;;
  *) echo "usage: samples/gear_maker/run.sh [--seed N]" >&2; exit 2 ;;
esac
source "$here/../../ops/setup.sh"
cd "$root"
build skald skald-erp skald_plugin_devices skald_plugin_inventory skald_plugin_erp

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/plugins"
cp build/plugins/{devices,inventory,erp}.so "$scratch/plugins/"
/usr/bin/python3 "$here/play.py" --seed "$seed" --skald build/skald --erp build/skald-erp --workflows workflows --scratch "$scratch"

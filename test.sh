#!/usr/bin/env bash
# Sets everything up, builds, and runs the tests: unit tests (ctest), then the official Python SDK against the server (pytest).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ops/setup.sh
build
ctest --test-dir build --output-on-failure -j2
.deps/venv/bin/python -m pytest -q tests/interop

#!/usr/bin/env bash
# Brings a bare Debian 12 to where Skald builds: packages, the pinned API definitions in .deps/venv, the release build in build/.
# Idempotent, and quick when there is nothing to do. Sourced by demo.sh and test.sh; needs root or sudo for missing packages only.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages=(ca-certificates ccache cmake g++ git libabsl-dev libbenchmark-dev libcli11-dev libcpp-httplib-dev libcsv-dev libcurl4-openssl-dev libfmt-dev libgmock-dev libgoogle-perftools-dev libgrpc++-dev
  libgtest-dev liblua5.4-dev libmysqlcppconn-dev libprotobuf-dev libspdlog-dev libsqlite3-dev libssl-dev mariadb-server-core mold ninja-build nlohmann-json3-dev pkg-config
  protobuf-compiler protobuf-compiler-grpc python3 python3-venv)

# as_root COMMAND...: run by root, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "skald: these packages are missing, and there is neither root nor sudo to install them: ${missing[*]}" >&2
    exit 1
  fi
  echo "skald: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Headers alone: the package would bring Qt with it.
valijson=libvalijson-dev=1.0+repack-2
install_valijson() {
  [ "$(cat "$root/.deps/valijson/stamp" 2>/dev/null)" = "$valijson" ] && return
  local scratch
  scratch=$(mktemp -d)
  cd "$scratch"
  # Images of machines come without the packages' index, or with an old one.
  if ! apt-get download -qq "$valijson" 2>/dev/null; then
    as_root apt-get update -qq || true
    apt-get download -qq "$valijson" || { echo "skald: cannot download the package $valijson (above: why)" >&2; exit 1; }
  fi
  cd "$OLDPWD"
  rm -rf "$root/.deps/valijson"
  mkdir -p "$root/.deps"
  dpkg-deb -x "$scratch"/*.deb "$root/.deps/valijson"
  rm -r "$scratch"
  echo "$valijson" >"$root/.deps/valijson/stamp"
}

# One venv with the API's definitions and, for the tests, their runner. Made anew when the pins change.
install_python() {
  local stamp
  stamp=$(cat "$root/proto/requirements.txt" "$root/tests/interop/requirements.txt" | sha256sum | cut -d' ' -f1)
  [ "$(cat "$root/.deps/venv/stamp" 2>/dev/null)" = "$stamp" ] && return
  echo "skald: fetching the API definitions (pinned, hash-checked)"
  rm -rf "$root/.deps/venv"
  /usr/bin/python3 -m venv "$root/.deps/venv"
  "$root/.deps/venv/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r "$root/proto/requirements.txt" \
    -r "$root/tests/interop/requirements.txt"
  echo "$stamp" >"$root/.deps/venv/stamp"
}

# build_folder PRESET: where it builds.
build_folder() {
  case "$1" in
    release) echo "$root/build" ;;
    *) echo "$root/build-$1" ;;
  esac
}

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1 folder log
  shift
  folder=$(build_folder "$preset")
  log=$folder/configure.log
  mkdir -p "$folder"
  (cd "$root" && cmake --preset "$preset") >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  ninja -C "$folder" "$@" || exit 1
}

build() { build_preset release "$@"; }

install_packages
install_valijson
install_python

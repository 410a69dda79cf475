#!/usr/bin/env bash
# Generates the C++ code of the Temporal API and of Skald's own protos.
# Usage: generate.sh OUT_DIR   (PYTHON names a Python that has proto/requirements.txt installed)
# Does nothing when OUT_DIR already holds the code of exactly these inputs. Writes OUT_DIR/sources.txt: the .cc files, one a line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$1
python=${PYTHON:-$here/../.deps/venv/bin/python}

inputs=("$here/requirements.txt" "$here/gather_api.py" "$here/generate.sh" $(find "$here/skald" -name '*.proto' | sort))
stamp=$(cat "${inputs[@]}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

work=$out.new
rm -rf "$work" && mkdir -p "$work"
"$python" "$here/gather_api.py" "$work/api.bin" "$work/api.list"

mapfile -t api_files <"$work/api.list"
protoc --descriptor_set_in="$work/api.bin" --cpp_out="$work" "${api_files[@]}"
protoc --descriptor_set_in="$work/api.bin" --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" --grpc_out="$work" \
  temporal/api/workflowservice/v1/service.proto temporal/api/operatorservice/v1/service.proto

# The package temporal.api.namespace would need a C++ keyword as namespace. The C++ name alone changes; the wire keeps its own.
grep -rlE 'api::namespace::|namespace namespace \{' "$work" --include='*.h' --include='*.cc' |
  xargs sed -i -E 's/api::namespace::/api::namespace_::/g; s/namespace namespace( \{)?$/namespace namespace_\1/'

mapfile -t own_files < <(cd "$here" && find skald -name '*.proto' | sort)
if [ "${#own_files[@]}" -gt 0 ]; then
  (cd "$here" && protoc --descriptor_set_in="$work/api.bin" -I. --cpp_out="$work" "${own_files[@]}")
fi
(cd "$work" && find . -name '*.cc' | sed 's|^\./||' | sort >sources.txt)

# Files that are the same as before keep their time: nothing is compiled again for them.
(cd "$work" && find . -type f) | while read -r file; do
  if cmp -s "$work/$file" "$out/$file"; then touch -r "$out/$file" "$work/$file"; fi
done

echo "$stamp" >"$work/stamp"
rm -rf "$out" && mv "$work" "$out"

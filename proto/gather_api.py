"""Gathers the Temporal API's definitions into one FileDescriptorSet for protoc.

Usage: gather_api.py DESCRIPTOR_SET FILE_LIST

The pinned `temporalio` wheel carries every API file as a serialised descriptor. This script imports the roots below, follows
their dependencies, and writes (1) the set, dependencies first, and (2) the names of the files that C++ code is generated
for: all but Google's own protobuf types, which libprotobuf has.
"""

import importlib
import sys

from google.protobuf import descriptor_pb2

ROOTS = [
    "temporalio.api.workflowservice.v1.service_pb2",
    "temporalio.api.operatorservice.v1.service_pb2",
    "temporalio.api.errordetails.v1.message_pb2",
    "temporalio.api.history.v1.message_pb2",
    "temporalio.api.protocol.v1.message_pb2",
    "temporalio.api.update.v1.message_pb2",
    "google.rpc.status_pb2",
]


def visit(file, seen, ordered):
    """Appends `file` to `ordered` after everything it imports."""
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        visit(dependency, seen, ordered)
    ordered.append(file)


def main(set_path, list_path):
    ordered = []
    seen = set()
    for root in ROOTS:
        visit(importlib.import_module(root).DESCRIPTOR, seen, ordered)

    result = descriptor_pb2.FileDescriptorSet()
    for file in ordered:
        result.file.add().ParseFromString(file.serialized_pb)
    with open(set_path, "wb") as out:
        out.write(result.SerializeToString(deterministic=True))
    with open(list_path, "w", encoding="utf-8") as out:
        for file in ordered:
            if not file.name.startswith("google/protobuf/"):
                out.write(file.name + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

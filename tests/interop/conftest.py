"""A server of our own for each test module, on a free port and an empty data file."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SKALD", ROOT / "build" / "skald"))


class Server:
    """`skald server` as a child process; kill() and start() again on the same file play a crash."""

    def __init__(self, store, address="127.0.0.1:0", options=()):
        self.store = store
        self.options = options
        self.address = address
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [str(BINARY), "server", "--store", f"sqlite:{self.store}", "--grpc", self.address, *self.options],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        match = re.search(r"serving on (\S+)", line)
        assert match, f"the server did not start: {line!r}"
        self.address = match.group(1)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("skald") / "skald.sqlite").start()
    yield running
    running.stop()

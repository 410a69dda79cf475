"""A server of our own for each test module, on a free port and an empty store.

The store is a file of SQLite's or, with SKALD_TEST_STORE=mysql, a database in a private MariaDB that lives as long as the tests."""

import itertools
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SKALD", ROOT / "build" / "skald"))
STORE = os.environ.get("SKALD_TEST_STORE", "sqlite")


class Mariadb:
    """`skald-mariadb` as a child process, started when it is first needed; it ends when its input closes."""

    def __init__(self):
        self.process = None
        self.address = None
        self.password = None
        self.numbers = itertools.count(1)

    def new_database(self):
        """The URL, without the password, of a database that nobody has used; the server makes it."""
        if self.process is None:
            self.process = subprocess.Popen([str(BINARY.parent / "skald-mariadb")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            line = self.process.stdout.readline()
            match = re.fullmatch(r"mysql://(\w+):(\w+)@(\S+)\n", line)
            assert match, f"MariaDB did not start: {line!r}"
            user, self.password, host = match.groups()
            self.address = f"mysql://{user}@{host}"
        return f"{self.address}/skald_{next(self.numbers)}"

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            assert self.process.wait(timeout=60) == 0


MARIADB = Mariadb()
SERVERS = []  # all that were started: a test that fails does not stop its own


def store_options(path, option="--store"):
    """How a process is told of its store: the file `path`, or a new database."""
    if STORE == "sqlite":
        return [option, f"sqlite:{path}"]
    return [option, MARIADB.new_database(), f"{option}-password", "env:SKALD_STORE_PASSWORD"]


def environment():
    """Of a process that is to open a store."""
    return os.environ | ({"SKALD_STORE_PASSWORD": MARIADB.password} if MARIADB.password else {})


def plugin_login():
    """What plugins in processes of their own are let into the server's database with."""
    return [] if STORE == "sqlite" else ["--plugin-store-user", "plugins", "--plugin-store-user-password", "env:SKALD_STORE_PASSWORD"]


class Server:
    """`skald server` as a child process; kill() and start() again on the same store play a crash."""

    def __init__(self, path, address="127.0.0.1:0", options=()):
        self.path = path
        self.store_options = store_options(path) + plugin_login()
        self.options = options
        self.address = address
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [str(BINARY), "server", *self.store_options, "--grpc", self.address, *self.options],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        SERVERS.append(self.process)
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


def pytest_configure(config):
    if STORE not in ("sqlite", "mysql"):
        raise pytest.UsageError(f"SKALD_TEST_STORE is sqlite or mysql, not {STORE}")
    config.addinivalue_line("markers", "only_sqlite: is about a file of SQLite's, or needs no store: left out on MySQL")


def pytest_collection_modifyitems(items):
    for item in items:
        if STORE != "sqlite" and item.get_closest_marker("only_sqlite"):
            item.add_marker(pytest.mark.skip(reason="is about a file of SQLite's, or needs no store"))


def pytest_unconfigure():
    for process in SERVERS:
        process.kill()
    MARIADB.stop()

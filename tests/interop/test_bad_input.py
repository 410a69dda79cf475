"""What a person may do wrong at 3 a.m.: each is met with one sentence and an exit code, and costs no data; a bad script costs its own run alone."""

import json
import resource
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

from conftest import BINARY, STORE, Server, environment


def refused(*arguments, **more):
    """Runs the binary, which must end by itself, badly, and with one sentence; returns the sentence."""
    ended = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True, timeout=30, **more)
    assert ended.returncode not in (0, -6, -11), ended
    said = ended.stderr.strip()
    assert said.startswith("skald: ") and "\n" not in said, said
    return said


@pytest.mark.only_sqlite
def test_a_taken_port(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        ended = subprocess.run([str(BINARY), "server", "--store", f"sqlite:{tmp_path}/s.db", "--grpc", address], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 1
        assert f"skald: cannot listen on {address}" in ended.stderr


def test_a_second_server_on_the_same_data(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    elsewhere = {**environment(), "TMPDIR": str(tmp_path)}  # as on another machine
    said = refused("server", *server.store_options, "--grpc", "127.0.0.1:0", env=elsewhere)
    holder = server.path.name if STORE == "sqlite" else f"pid {server.process.pid}"
    assert holder in said
    server.stop()


@pytest.mark.only_sqlite
def test_a_file_that_is_no_database(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_bytes(b"not a database, but somebody's notes\n" * 500)
    before = file.read_bytes()
    said = refused("server", "--store", f"sqlite:{file}", "--grpc", "127.0.0.1:0")
    assert "notes.txt" in said
    assert file.read_bytes() == before


@pytest.mark.only_sqlite
def test_a_data_file_of_a_newer_program(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    server.stop()
    with sqlite3.connect(server.path) as data:
        version = data.execute("PRAGMA user_version").fetchone()[0]
        data.execute(f"PRAGMA user_version = {version + 1}")
    said = refused("server", "--store", f"sqlite:{server.path}", "--grpc", "127.0.0.1:0")
    assert "newer" in said


@pytest.mark.only_sqlite
@pytest.mark.parametrize("store", ["postgres://root@localhost/skald", "sqlite:", "files"])
def test_a_store_that_there_is_not(store):
    assert "--store" in refused("server", "--store", store, "--grpc", "127.0.0.1:0")


@pytest.mark.only_sqlite
def test_a_folder_that_cannot_be_made():
    assert "/proc/nowhere" in refused("server", "--store", "sqlite:/proc/nowhere/s.db", "--grpc", "127.0.0.1:0")


@pytest.mark.only_sqlite
def test_mistakes_in_a_call_end_with_2():
    for call in (["server", "--nonsense"], ["server", "--grpc"], ["fly"], ["workflow", "start"], ["server", "--workflows", "/no/such/folder"]):
        assert subprocess.run([str(BINARY), *call], capture_output=True).returncode == 2, call


SCRIPTS = {
    "typo": "return function() retrun 1 end\n",
    "endless": 'local skald = require "skald"\nreturn function()\n  while true do end\nend\n',
    "hungry": "return function()\n  local t = {}\n  while true do t[#t + 1] = ('x'):rep(100000) end\nend\n",
    "nonsense": "return function() return function() end end\n",
    "broken": "return function(order)\n  return order.items.count\nend\n",
    "fine": "return function(name) return 'Hello, ' .. name end\n",
}


def cli(server, *arguments):
    return subprocess.run([str(BINARY), "workflow", *arguments, "--address", server.address], capture_output=True, text=True, timeout=60)


def task_failure(server, name):
    """The message of the run's first failed task."""
    for _ in range(600):
        events = json.loads(cli(server, "show", name, "-o", "json").stdout)["events"]
        for event in events:
            attributes = event.get("workflowTaskFailedEventAttributes")
            if attributes:
                return attributes["failure"]["message"]
        time.sleep(0.05)
    raise AssertionError(f"no task of {name} failed")


def test_a_bad_script_fails_its_own_task_with_file_and_line_and_the_server_lives(tmp_path):
    folder = tmp_path / "workflows"
    folder.mkdir()
    for name, text in SCRIPTS.items():
        (folder / f"{name}.lua").write_text(text)
    server = Server(tmp_path / "skald.sqlite", options=["--workflows", str(folder)]).start()
    for name in SCRIPTS:
        assert cli(server, "start", "--type", name, "--id", name, "--input", '"Skald"').returncode == 0
    assert '"Hello, Skald"' in cli(server, "result", "fine").stdout
    for name, line in {"typo": 1, "endless": 3, "hungry": 3, "broken": 2}.items():
        assert f"{name}.lua:{line}:" in task_failure(server, name)
    assert "nonsense" in task_failure(server, "nonsense")
    # A mended script goes on where the broken one stood, after a restart at the latest.
    server.stop()
    (folder / "broken.lua").write_text("return function(order)\n  return 'mended'\nend\n")
    server.start()
    assert '"mended"' in cli(server, "result", "broken", "--timeout", "40s").stdout
    server.stop()


DAMAGES = {"torn": "substr(events, 1, length(events) / 2)", "other bytes": "randomblob(length(events))", "nothing": "x''"}


@pytest.mark.only_sqlite
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_history_is_told_in_one_sentence(tmp_path, damage):
    server = Server(tmp_path / "skald.sqlite").start()
    for name in ("damaged", "whole"):
        assert cli(server, "start", "--type", "t", "--id", name, "--task-queue", "q").returncode == 0
    server.stop()
    with sqlite3.connect(server.path) as data:
        data.execute(f"UPDATE history SET events = {damage} WHERE run_id IN (SELECT run_id FROM visibility WHERE workflow_id = 'damaged')")
    server.start()
    shown = cli(server, "show", "damaged")
    assert shown.returncode != 0
    assert "the history of workflow damaged" in shown.stderr and "is damaged in the store" in shown.stderr, shown.stderr
    assert cli(server, "show", "whole").returncode == 0
    server.stop()


@pytest.mark.only_sqlite
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
def test_a_full_disk_refuses_and_loses_nothing(tmp_path):
    """A limit on the file's size plays the disk that is full."""
    server = Server(tmp_path / "skald.sqlite")
    server.start()
    assert cli(server, "start", "--type", "t", "--id", "before", "--task-queue", "q").returncode == 0
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=1:unlimited"], check=True)
    failed = cli(server, "start", "--type", "t", "--id", "during", "--task-queue", "q", "--timeout", "3s")
    assert failed.returncode != 0
    assert server.process.poll() is None, "the server lives"
    subprocess.run(["prlimit", f"--pid={server.process.pid}", "--fsize=unlimited:unlimited"], check=True)
    # A request that met the commit that is being undone is told to try again, as clients do.
    for _ in range(50):
        after = cli(server, "start", "--type", "t", "--id", "after", "--task-queue", "q", "--timeout", "20s")
        if after.returncode == 0:
            break
        assert "try again" in after.stderr, after.stderr
        time.sleep(0.1)
    assert after.returncode == 0, after.stderr
    server.kill()
    server.start()
    for workflow in ("before", "after"):
        assert cli(server, "describe", workflow).returncode == 0
    server.stop()


def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))  # the server inherits it
    try:
        server = Server(tmp_path / "skald.sqlite").start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0] == before[1]
    server.stop()

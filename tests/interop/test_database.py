"""A server whose database goes away and comes back, and servers that want the same one: what an operator sees of it."""

import asyncio
import datetime
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
import temporalio.client
import temporalio.service

from conftest import BINARY, MARIADB, STORE, Server, environment, plugin_login

pytestmark = pytest.mark.skipif(STORE != "mysql", reason="is about a database")


class Wire:
    """Passes bytes between a free port and the database; cut() closes all connections and refuses new ones until mended()."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = None
        self.port = 0
        self.open = set()
        self.mend()

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in list(self.open):
            self.close(end)

    def close(self, end):
        self.open.discard(end)
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        self.close(source)
        self.close(sink)


def behind_a_wire(path, *options):
    """A server that reaches its database through a wire."""
    server = Server(path, options=options)
    place, database = server.store_options[1].rsplit("/", 1)
    user, address = place.rsplit("@", 1)
    host, port = address.split(":")
    wire = Wire(host, int(port))
    server.store_options[1] = f"{user}@127.0.0.1:{wire.port}/{database}"
    return server.start(), wire


async def healthy(client, wanted, within=20):
    """Waits until health checks say what is wanted."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if await client.service_client.check_health(service="temporal.api.workflowservice.v1.WorkflowService") == wanted:
            return True
        await asyncio.sleep(0.1)
    return False


def test_the_database_goes_away_and_comes_back(tmp_path):
    async def play():
        server, wire = behind_a_wire(tmp_path / "unused")
        client = await temporalio.client.Client.connect(server.address)
        before = await client.start_workflow("NobodyRunsIt", id="before", task_queue="none")
        assert await healthy(client, True)

        wire.cut()
        assert await healthy(client, False)
        with pytest.raises(temporalio.service.RPCError) as refused:
            await client.start_workflow("NobodyRunsIt", id="while away", task_queue="none", rpc_timeout=datetime.timedelta(seconds=2))
        assert refused.value.status in (temporalio.service.RPCStatusCode.UNAVAILABLE, temporalio.service.RPCStatusCode.DEADLINE_EXCEEDED)
        assert server.process.poll() is None

        wire.mend()
        assert await healthy(client, True)
        await client.start_workflow("NobodyRunsIt", id="after", task_queue="none")
        assert (await before.describe()).run_id == before.first_execution_run_id
        ids = {run.id async for run in client.list_workflows("TaskQueue = 'none'")}
        assert {"before", "after"} <= ids
        server.stop()

    asyncio.run(play())


def test_a_server_that_was_paused_does_not_write_after_another_took_its_place(tmp_path):
    async def play():
        first = Server(tmp_path / "unused", options=["--lease", "2"]).start()
        client = await temporalio.client.Client.connect(first.address)
        await client.start_workflow("NobodyRunsIt", id="of the first", task_queue="none")
        os.kill(first.process.pid, signal.SIGSTOP)

        second = Server(tmp_path / "unused", options=["--lease", "2"])
        second.store_options = first.store_options
        deadline = time.monotonic() + 30
        while True:
            try:
                second.start()
                break
            except AssertionError:
                assert time.monotonic() < deadline, "the lease did not run out"
        other = await temporalio.client.Client.connect(second.address)

        os.kill(first.process.pid, signal.SIGCONT)
        with pytest.raises(temporalio.service.RPCError):
            await client.start_workflow("NobodyRunsIt", id="too late", task_queue="none", rpc_timeout=datetime.timedelta(seconds=5))
        assert first.process.wait(timeout=20) == 1
        await other.start_workflow("NobodyRunsIt", id="of the second", task_queue="none")
        ids = {run.id async for run in other.list_workflows("TaskQueue = 'none'")}
        assert ids == {"of the first", "of the second"}
        second.stop()

    asyncio.run(play())


def test_the_password_is_in_no_process_list_and_no_output(tmp_path):
    place = MARIADB.new_database()
    secret = tmp_path / "password"
    secret.write_text(MARIADB.password + "\n")
    config = tmp_path / "skald.toml"
    config.write_text(f'[server]\nstore = "{place}"\nstore-password = "file:{secret}"\ngrpc = "127.0.0.1:0"\n')
    process = subprocess.Popen([str(BINARY), "server", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    line = process.stdout.readline()
    assert "serving on" in line and place.rsplit("/", 1)[1] in line
    with open(f"/proc/{process.pid}/cmdline") as command:
        assert MARIADB.password not in command.read()
    process.terminate()
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert MARIADB.password not in line + rest


def test_a_wrong_password_is_told_in_one_sentence():
    place = MARIADB.new_database()
    ended = subprocess.run(
        [str(BINARY), "server", "--store", place, "--store-password", "env:WRONG", "--grpc", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=30, env=environment() | {"WRONG": "hunter2"},
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("skald: ") and ended.stderr.count("\n") == 1
    assert "password" in ended.stderr and "hunter2" not in ended.stderr


def test_a_store_is_checked_and_copied_between_kinds(tmp_path):
    async def start_some(server):
        client = await temporalio.client.Client.connect(server.address)
        for number in range(20):
            await client.start_workflow("NobodyRunsIt", id=f"order {number}", task_queue="none", memo={"number": number})

    server = Server(tmp_path / "unused").start()
    asyncio.run(start_some(server))
    server.stop()
    file = f"sqlite:{tmp_path}/copy.sqlite"

    def store(*arguments):
        ended = subprocess.run([str(BINARY), "store", *arguments], capture_output=True, text=True, timeout=60, env=environment())
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert json.loads(store("check", *server.store_options[: -len(plugin_login()) or None], "-o", "json"))
    store("copy", server.store_options[1], file, "--from-password", "env:SKALD_STORE_PASSWORD")
    store("check", "--store", file)


def test_a_check_of_a_database_that_is_not_there_makes_none():
    place = MARIADB.new_database()
    for _ in range(2):
        ended = subprocess.run(
            [str(BINARY), "store", "check", "--store", place, "--store-password", "env:SKALD_STORE_PASSWORD"],
            capture_output=True, text=True, timeout=30, env=environment(),
        )
        assert ended.returncode == 1
        assert "there is no database of Skald's" in ended.stderr


def test_plugins_whose_database_is_away_stop_the_start(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = "mysql://skald@127.0.0.1:%d/shop" % nobody.getsockname()[1]
        ended = subprocess.run(
            [str(BINARY), "server", "--store", f"sqlite:{tmp_path}/s.sqlite", "--grpc", "127.0.0.1:0", "--plugins", str(BINARY.parent / "plugins"), "--plugin-store", place],
            capture_output=True, text=True, timeout=60, env=environment(),
        )
    assert ended.returncode == 1
    assert "skald: " in ended.stderr and "cannot" in ended.stderr.lower()

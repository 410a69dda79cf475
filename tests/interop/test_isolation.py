"""Plugins in processes of their own, and their reload, in a whole server: what a crash costs, who ends with whom, what SIGHUP does."""

import asyncio
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from temporalio.client import Client

from conftest import BINARY, STORE, Server, environment, plugin_login, store_options

QUEUE = "skald"
CRASHER = BINARY.parent / "bench-plugins" / "crasher.so"
FRAGILE_ORDER = """
local skald = require "skald"
local crasher = skald.activities("crasher", { start_to_close = "30s", retry = { initial = "20ms", backoff = 1.5, max_interval = "1s" } })
return function()
  crasher.work {}
  crasher.book {}
  crasher.work {}
  return crasher.count {}
end
"""
VERSION = """
local skald = require "skald"
local versioned = skald.activities("versioned", { start_to_close = "30s" })
return function(given)
  if given.file then return versioned.wait_for(given) end
  return versioned.version {}
end
"""


def lay_out(tmp_path, plugins, workflows):
    """Folders with these plugins and their configurations, and these workflows; the options that name them."""
    for folder in (tmp_path, *tmp_path.parents):  # plugins have users of their own, who are to pass
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    for folder in ("plugins", "workflows"):
        (tmp_path / folder).mkdir()
    for name, (library, config) in plugins.items():
        shutil.copy(library, tmp_path / "plugins" / f"{name}.so")
        (tmp_path / "plugins" / f"{name}.json").write_text(json.dumps(config))
    for name, text in workflows.items():
        (tmp_path / "workflows" / f"{name}.lua").write_text(text)
    return ["--plugins", str(tmp_path / "plugins")], ["--workflows", str(tmp_path / "workflows")]


def children(pid):
    """The processes that it started and that live."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[1] == str(pid) and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_every_order_ends_though_their_plugin_crashes(tmp_path):
    crasher = (CRASHER, {"isolation": "process", "share": 0.05})
    plugins, workflows = lay_out(tmp_path, {"crasher": crasher}, {"fragile_order": FRAGILE_ORDER})
    server = Server(tmp_path / "skald.sqlite", options=plugins + workflows).start()

    async def run():
        client = await Client.connect(server.address)
        processes = set()
        orders = [await client.start_workflow("fragile_order", {}, id=f"fragile-{n}", task_queue=QUEUE) for n in range(200)]
        ends = asyncio.gather(*[order.result() for order in orders])
        while not ends.done():
            processes.update(children(server.process.pid))
            await asyncio.sleep(0.01)
        bookings = [result["bookings"] for result in await ends]
        assert len(processes) > 1, "it crashed, and was started again"
        assert max(bookings) == 200, "each order was booked once"

    asyncio.run(run())
    server.stop()


def test_the_process_ends_with_a_server_that_is_killed_and_a_new_server_goes_on(tmp_path):
    crasher = (CRASHER, {"isolation": "process"})
    plugins, workflows = lay_out(tmp_path, {"crasher": crasher}, {"fragile_order": FRAGILE_ORDER})
    server = Server(tmp_path / "skald.sqlite", options=plugins + workflows).start()
    (child,) = children(server.process.pid)
    os.kill(child, signal.SIGTERM)  # the host's affair
    server.kill()
    wait_until(lambda: not lives(child))
    server.start()

    async def run():
        client = await Client.connect(server.address)
        assert (await client.execute_workflow("fragile_order", {}, id="after", task_queue=QUEUE))["bookings"] == 1

    asyncio.run(run())
    (child,) = children(server.process.pid)
    server.stop()
    assert not lives(child)


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("host", ["server", "worker"])
def test_sighup_reloads_what_changed_and_loses_nothing(tmp_path, host, isolation):
    library = BINARY.parent / "test-plugins"
    versioned = (library / "versioned_1.so", {"isolation": isolation})
    plugins, workflows = lay_out(tmp_path, {"versioned": versioned}, {"version": VERSION})
    server = Server(tmp_path / "skald.sqlite", options=plugins + workflows if host == "server" else []).start()
    process = server.process
    if host == "worker":
        command = [str(BINARY), "worker", "--address", server.address, *store_options(tmp_path / "effects", "--plugin-store"), *plugins, *workflows]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        process.stdout.readline()

    async def run():
        client = await Client.connect(server.address)

        async def version(number):
            return await client.execute_workflow("version", {}, id=f"version-{number}", task_queue=QUEUE)

        running = await client.start_workflow("version", {"file": str(tmp_path / "go")}, id="running", task_queue=QUEUE)
        assert await version(0) == 1
        shutil.copyfile(library / "versioned_2.so", tmp_path / "plugins" / "versioned.so")
        process.send_signal(signal.SIGHUP)
        later = [asyncio.create_task(version(number)) for number in range(1, 21)]
        await asyncio.sleep(0.3)
        (tmp_path / "go").touch()
        assert await running.result() == 1, "what ran was ended by the version that began it"
        assert set(await asyncio.gather(*later)) <= {1, 2}
        number = 21
        while await version(number) != 2:
            number += 1
        assert number < 200

    asyncio.run(run())
    if host == "worker":
        process.terminate()
        assert process.wait(timeout=30) == 0
    server.stop()


@pytest.mark.skipif(STORE != "mysql", reason="is about a database's logins")
def test_a_plugin_in_a_process_of_its_own_is_not_let_in_as_the_engine(tmp_path, capfd):
    plugins, workflows = lay_out(tmp_path, {"crasher": (CRASHER, {"isolation": "process"})}, {"fragile_order": FRAGILE_ORDER})
    server = Server(tmp_path / "skald.sqlite", options=plugins + workflows)
    login = plugin_login()
    server.store_options = server.store_options[: -len(login)]
    server.start()
    server.stop()
    assert "--plugin-store-user" in capfd.readouterr().err, "it is not loaded, and the log says why"
    server.store_options += login
    server.start()

    async def run():
        client = await Client.connect(server.address)
        assert (await client.execute_workflow("fragile_order", {}, id="let-in", task_queue=QUEUE))["bookings"] == 1

    asyncio.run(run())
    server.stop()

"""The Lua order saga and its plugins in `skald worker`, a process of its own, beside a server that runs neither."""

import asyncio
import re
import signal
import subprocess
from collections import Counter

import pytest
from temporalio.client import Client

from conftest import BINARY, ROOT, Server, environment, store_options

QUEUE = "skald"
FOLDERS = ["--workflows", str(ROOT / "workflows"), "--plugins", str(BINARY.parent / "plugins")]


class Worker:
    """`skald worker` as a child process; kill() and start() again play a crash."""

    def __init__(self, address, store, *options):
        self.command = [str(BINARY), "worker", "--address", address, *store_options(store, "--plugin-store"), *FOLDERS, *options]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env=environment())
        line = self.process.stdout.readline()
        assert re.match(r"skald: polling \S+ for skald of default \(\d+ workflows and \d+ activities\)", line), f"not polling: {line!r}"
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0


def order(number, **more):
    items = [{"sku": "TEA", "quantity": 2, "unit_price": 100}]
    return {"order_id": f"o{number}", "customer_id": "c", "country": "UK", "currency": "GBP", "items": items, "total": 200, **more}


async def load_stock(client):
    await client.execute_workflow("stock_load", {"items": [{"sku": "TEA", "quantity": 1000}]}, id="stock", task_queue=QUEUE)


async def start_orders(client, count):
    return [await client.start_workflow("order_fulfillment", order(n), id=f"order-o{n}", task_queue=QUEUE) for n in range(count)]


async def all_confirmed(client, handles):
    results = await asyncio.wait_for(asyncio.gather(*[handle.result() for handle in handles]), 90)
    assert Counter(result["outcome"] for result in results) == {"confirmed": len(handles)}
    books = await client.execute_workflow("ledger_audit", {}, id="audit", task_queue=QUEUE)
    assert books["stock"]["balanced"] and books["money"]["balanced"]
    assert books["stock"]["shipped"] == 2 * len(handles) and books["money"]["currencies"]["GBP"]["captured"] == 200 * len(handles)


def test_orders_and_queries_run_in_a_remote_worker(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    worker = Worker(server.address, tmp_path / "effects").start()

    async def run():
        client = await Client.connect(server.address)
        await load_stock(client)
        handles = await start_orders(client, 20)
        too_much = order(99, items=[{"sku": "TEA", "quantity": 5000, "unit_price": 100}])
        refused = await client.execute_workflow("order_fulfillment", too_much, id="order-o99", task_queue=QUEUE)
        assert refused["outcome"] == "rejected"
        await asyncio.gather(*[handle.result() for handle in handles])
        status = await handles[3].query("status")
        assert status["state"] == "confirmed" and status["order_id"] == "o3"
        history = await handles[3].fetch_history()
        identities = {e.workflow_task_started_event_attributes.identity for e in history.events} - {""}
        assert len(identities) == 1, "one worker, by its own name"

    asyncio.run(run())
    worker.stop()
    server.stop()


def test_runs_that_fell_out_of_the_cache_are_replayed(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    worker = Worker(server.address, tmp_path / "effects", "--cached-workflows", "1").start()

    async def run():
        client = await Client.connect(server.address)
        await load_stock(client)
        handles = await start_orders(client, 20)
        await all_confirmed(client, handles)
        for handle in handles[:5]:
            assert (await handle.query("status"))["state"] == "confirmed"

    asyncio.run(run())
    worker.stop()
    server.stop()


def test_a_killed_worker_finishes_its_orders_after_the_restart(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    worker = Worker(server.address, tmp_path / "effects").start()

    async def run():
        client = await Client.connect(server.address)
        await load_stock(client)
        handles = await start_orders(client, 50)
        worker.kill()
        worker.start()
        await all_confirmed(client, handles)

    asyncio.run(run())
    worker.stop()
    server.stop()


def test_the_worker_goes_on_after_the_servers_restart(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()
    worker = Worker(server.address, tmp_path / "effects").start()

    async def run():
        client = await Client.connect(server.address)
        await load_stock(client)
        handles = await start_orders(client, 50)
        server.kill()
        server.start()
        await all_confirmed(client, handles)

    asyncio.run(run())
    worker.stop()
    server.stop()


def refusal(*arguments):
    ended = subprocess.run([str(BINARY), "worker", *arguments], capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    return ended.stderr


@pytest.mark.only_sqlite
def test_mistakes_are_told_in_one_sentence(tmp_path):
    assert "give --workflows, --plugins or both" in refusal()
    assert "no workflow (*.lua)" in refusal("--workflows", str(tmp_path))
    (tmp_path / "broken.lua").write_text("return function(")
    assert "the workflow broken cannot run" in refusal("--workflows", str(tmp_path))
    (tmp_path / "bad.so").write_text("no plugin")
    assert "bad.so" in refusal("--plugins", str(tmp_path))
    assert "write host:port" in refusal("--address", "nowhere", "--workflows", str(tmp_path))

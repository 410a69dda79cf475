"""The server's own plugins as activities of a workflow in the Python SDK: each is an effect that happens once."""

import asyncio
import json
import shutil
import subprocess
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from conftest import BINARY, ROOT, Server, environment, store_options

QUEUE = "interop-plugins"


@workflow.defn
class Shop:
    """Loads stock, runs two orders of which the second asks for more than is left, undoes it, and audits the books."""

    @workflow.run
    async def run(self, prefix: str) -> dict:
        async def do(activity, given):
            return await workflow.execute_activity(activity, given, task_queue="skald", start_to_close_timeout=timedelta(seconds=20))

        sku = f"{prefix}-TEA"
        await do("inventory.load_stock", {"load_id": prefix, "items": [{"sku": sku, "quantity": 5}]})
        orders = [{"order_id": f"{prefix}-{n}", "currency": "GBP", "total": 1000, "items": [{"sku": sku, "quantity": 4, "unit_price": 250}]} for n in range(2)]
        await do("inventory.reserve", orders[0])
        await do("inventory.reserve", orders[0])  # again: the same effect, once
        refusal = ""
        try:
            await do("inventory.reserve", orders[1])
        except ActivityError as error:
            refusal = error.cause.type
        await do("inventory.release", orders[1])
        return {"refusal": refusal, "stock": await do("inventory.audit", {})}


@pytest.mark.parametrize("host", ["server", "worker"])
def test_plugins_run_as_activities_of_any_sdk(tmp_path, host):
    """The same plugins, inside the server and in a process beside it."""
    plugins = ["--plugins", str(BINARY.parent / "plugins")]
    server = Server(tmp_path / "skald.sqlite", options=plugins if host == "server" else []).start()
    worker = None
    if host == "worker":
        command = [str(BINARY), "worker", "--address", server.address, *store_options(tmp_path / "effects", "--plugin-store"), *plugins]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        assert "skald: polling" in worker.stdout.readline()

    async def run():
        client = await Client.connect(server.address)
        async with Worker(client, task_queue=QUEUE, workflows=[Shop]):
            result = await client.execute_workflow(Shop.run, uuid.uuid4().hex[:8], id=f"shop-{uuid.uuid4()}", task_queue=QUEUE)
        assert result["refusal"] == "OutOfStock"
        stock = result["stock"]
        assert stock["balanced"] is True
        assert (stock["loaded"], stock["on_hand"], stock["reserved"]) == (5, 1, 4), "what was asked for twice happened once"

    try:
        asyncio.run(run())
    finally:
        if worker is not None:
            worker.terminate()
            assert worker.wait(timeout=30) == 0
    server.stop()


@workflow.defn
class Faults:
    """What a workflow hears of a plugin that throws, one that ignores its timeout, and one that stops when it is asked to."""

    @workflow.run
    async def run(self) -> dict:
        async def error(activity, cancel=False, seconds=60):
            handle = workflow.start_activity(
                activity,
                {},
                task_queue="skald",
                start_to_close_timeout=timedelta(seconds=seconds),
                heartbeat_timeout=timedelta(seconds=10) if cancel else None,
                retry_policy=RetryPolicy(maximum_attempts=1),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            if cancel:
                await workflow.sleep(0.5)
                handle.cancel()
            try:
                await handle
            except ActivityError as failed:
                return [type(failed.cause).__name__, getattr(failed.cause, "type", None) or "", failed.cause.message]

        return {
            "throw": await error("faulty.throw"),
            "hang": await error("faulty.hang", seconds=1),
            "beat": await error("faulty.beat", cancel=True),
        }


def test_plugins_that_misbehave_fail_their_activity_only(tmp_path):
    server = Server(tmp_path / "skald.sqlite", options=["--plugins", str(BINARY.parent / "test-plugins")]).start()

    async def run():
        client = await Client.connect(server.address)
        async with Worker(client, task_queue=QUEUE, workflows=[Faults]):
            heard = await client.execute_workflow(Faults.run, id=f"faults-{uuid.uuid4()}", task_queue=QUEUE)
        assert heard["throw"] == ["ApplicationError", "std::out_of_range", "shelf 7 is not there"]
        assert heard["hang"][0] == "TimeoutError" and heard["hang"][1] == 1, "start to close"
        assert heard["beat"][0] == "CancelledError"

    asyncio.run(run())
    server.stop()


def test_lost_answers_and_kills_leave_no_money_and_no_goods_behind(tmp_path):
    """A third of all steps and compensations lose their answer, orders fail at each step, and the server is killed twice on the way."""
    plugins = shutil.copytree(BINARY.parent / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("CMakeFiles", "*.cmake", "*.a"))
    lose = {"fault": "lose_answer", "share": 0.33}
    for plugin, activities in {
        "inventory": ["reserve", "release", "confirm"],
        "payment": ["charge", "cancel"],
        "logistics": ["create_waybill", "cancel_waybill"],
    }.items():
        (plugins / f"{plugin}.json").write_text(json.dumps({"sandbox": {activity: lose for activity in activities}}))
    options = ["--workflows", str(ROOT / "workflows"), "--plugins", str(plugins)]
    server = Server(tmp_path / "skald.sqlite", options=options).start()

    def order(number):
        refused = {0: {"ship": "fail"}, 1: {"confirm": "fail"}, 2: {"pay": "fail"}}.get(number % 8)
        items = [{"sku": "TEA", "quantity": 2, "unit_price": 100}]
        return {"order_id": f"o{number}", "country": "UK", "currency": "GBP", "items": items, "total": 200, "sandbox": refused}

    async def run():
        client = await Client.connect(server.address)

        async def workflow_result(name, given, workflow_id):
            return await client.execute_workflow(name, given, id=workflow_id, task_queue="skald")

        await workflow_result("stock_load", {"items": [{"sku": "TEA", "quantity": 1000}]}, "stock")
        handles = [await client.start_workflow("order_fulfillment", order(n), id=f"o{n}", task_queue="skald") for n in range(160)]
        for _ in range(2):
            await asyncio.sleep(0.3)
            server.kill()
            server.start()
        results = await asyncio.wait_for(asyncio.gather(*[handle.result() for handle in handles]), 90)
        assert Counter(result["outcome"] for result in results) == {"confirmed": 100, "rejected": 60}
        books = await workflow_result("ledger_audit", {}, "audit")
        assert all(books[book]["balanced"] for book in ("stock", "money", "shipments")), books
        assert (books["stock"]["shipped"], books["stock"]["reserved"], books["stock"]["on_hand"]) == (200, 0, 800)
        pounds = books["money"]["currencies"]["GBP"]
        assert pounds["captured"] - pounds["refunded"] == 100 * 200 and pounds["open"] == 0
        assert books["shipments"]["open"] == 100

    asyncio.run(run())
    server.stop()

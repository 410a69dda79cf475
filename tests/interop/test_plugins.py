"""The server's own plugins as activities of a workflow in the Python SDK: each is an effect that happens once."""

import asyncio
import uuid
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from conftest import BINARY, Server

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


def test_plugins_run_as_activities_of_any_sdk(tmp_path):
    server = Server(tmp_path / "skald.sqlite", options=["--plugins", str(BINARY.parent / "plugins")]).start()

    async def run():
        client = await Client.connect(server.address)
        async with Worker(client, task_queue=QUEUE, workflows=[Shop]):
            result = await client.execute_workflow(Shop.run, uuid.uuid4().hex[:8], id=f"shop-{uuid.uuid4()}", task_queue=QUEUE)
        assert result["refusal"] == "OutOfStock"
        stock = result["stock"]
        assert stock["balanced"] is True
        assert (stock["loaded"], stock["on_hand"], stock["reserved"]) == (5, 1, 4), "what was asked for twice happened once"

    asyncio.run(run())
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

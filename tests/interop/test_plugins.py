"""The server's own plugins as activities of a workflow in the Python SDK: each is an effect that happens once."""

import asyncio
import uuid
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
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

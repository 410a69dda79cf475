"""The server's own Lua order saga with its plugins, driven and watched by the Python SDK."""

import asyncio
from collections import Counter

from temporalio.client import Client

from conftest import BINARY, ROOT, Server

QUEUE = "skald"
STEPS = ["reserve", "pay", "ship", "confirm"]


def order(number, sku="TEA", **more):
    items = [{"sku": sku, "quantity": 2, "unit_price": 100}]
    return {"order_id": f"o{number}", "customer_id": "c", "country": "UK", "currency": "GBP", "items": items, "total": 200, **more}


async def run_order(client, given):
    return await client.execute_workflow("order_fulfillment", given, id=f"order-{given['order_id']}", task_queue=QUEUE)


async def audit(client):
    return await client.execute_workflow("ledger_audit", {}, id="audit", task_queue=QUEUE)


def options():
    return ["--workflows", str(ROOT / "workflows"), "--plugins", str(BINARY.parent / "plugins")]


def test_orders_end_confirmed_or_compensated_and_the_books_balance(tmp_path):
    server = Server(tmp_path / "skald.sqlite", options=options()).start()

    async def run():
        client = await Client.connect(server.address)
        await client.execute_workflow("stock_load", {"items": [{"sku": "TEA", "quantity": 200}]}, id="stock", task_queue=QUEUE)
        orders = [order(n, sandbox={STEPS[n % 4]: "fail"}) if n % 5 == 0 else order(n) for n in range(60)]
        results = await asyncio.gather(*[run_order(client, given) for given in orders])
        assert Counter(result["outcome"] for result in results) == {"confirmed": 48, "rejected": 12}
        assert sorted(results[10]["compensations"]) == ["refund", "release"], "refused at ship: what was done is undone"
        status = await client.get_workflow_handle("order-o1").query("status")
        assert status["state"] == "confirmed"
        books = await audit(client)
        assert books["stock"]["balanced"] and books["money"]["balanced"]
        assert books["stock"]["reserved"] == 0 and books["stock"]["shipped"] == 48 * 2

    asyncio.run(run())
    server.stop()


def test_a_killed_server_finishes_its_orders_after_the_restart(tmp_path):
    server = Server(tmp_path / "skald.sqlite", options=options()).start()

    async def run():
        client = await Client.connect(server.address)
        await client.execute_workflow("stock_load", {"items": [{"sku": "TEA", "quantity": 1000}]}, id="stock", task_queue=QUEUE)
        handles = [await client.start_workflow("order_fulfillment", order(n), id=f"order-o{n}", task_queue=QUEUE) for n in range(200)]
        server.kill()
        server.start()
        results = await asyncio.wait_for(asyncio.gather(*[handle.result() for handle in handles]), 60)
        assert Counter(result["outcome"] for result in results) == {"confirmed": 200}
        books = await audit(client)
        assert books["stock"]["balanced"] and books["money"]["balanced"]
        assert books["stock"]["shipped"] == 400 and books["money"]["currencies"]["GBP"]["captured"] == 200 * 200

    asyncio.run(run())
    server.stop()

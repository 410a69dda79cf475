"""A server that is stopped in order and started again, while activities run at workers elsewhere."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from conftest import Server

AWAY = 3  # seconds, longer than the activity may wait for a worker


class Kiln:
    """Counts how often it is lit; burns until it is told to stop."""

    def __init__(self):
        self.lit = 0
        self.burning = asyncio.Event()
        self.stop = asyncio.Event()
        self.known = None

    @activity.defn(name="burn")
    async def burn(self) -> str:
        self.lit += 1
        self.known = list(activity.info().heartbeat_details)
        activity.heartbeat("halfway")
        self.burning.set()
        await self.stop.wait()
        return "burnt"


@workflow.defn(name="Firing")
class Firing:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            "burn",
            start_to_close_timeout=timedelta(seconds=60),
            schedule_to_start_timeout=timedelta(seconds=AWAY - 1),
            result_type=str,
        )


async def heard(handle):
    """Returns when the server knows of the heartbeat, which the SDK sends on its own time."""
    while True:
        pending = (await handle.describe()).raw_description.pending_activities
        if pending and pending[0].heartbeat_details.payloads:
            return
        await asyncio.sleep(0.02)


def test_an_activity_runs_on_through_a_restart(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()

    async def run():
        kiln = Kiln()
        client = await Client.connect(server.address)
        async with Worker(client, task_queue="kiln", workflows=[Firing], activities=[kiln.burn], workflow_runner=UnsandboxedWorkflowRunner()):
            handle = await client.start_workflow("Firing", id="firing", task_queue="kiln")
            await asyncio.wait_for(kiln.burning.wait(), 20)
            await asyncio.wait_for(heard(handle), 20)
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(server.start)
            description = await handle.describe()
            pending = description.raw_description.pending_activities
            assert len(pending) == 1 and pending[0].attempt == 1 and pending[0].HasField("last_started_time")
            assert "halfway" in pending[0].heartbeat_details.payloads[0].data.decode()
            kiln.stop.set()
            assert await asyncio.wait_for(handle.result(), 60) == "burnt"
        assert kiln.lit == 1

    asyncio.run(run())
    server.stop()

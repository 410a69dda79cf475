"""The official Python SDK against Skald, as any user would write it."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, Worker

with workflow.unsafe.imports_passed_through():
    import pytest
    from conftest import Server

QUEUE = "interop"
SHORT = timedelta(seconds=20)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}"


@activity.defn
async def fail_twice() -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"attempt {attempt} fails")
    return attempt


@activity.defn
async def resume_from_heartbeat() -> int:
    """Counts to five across attempts: each attempt goes on where the last one's heartbeat stood."""
    details = activity.info().heartbeat_details
    position = details[0] if details else 0
    activity.heartbeat(position + 1)
    if position + 1 < 3:
        raise ApplicationError("interrupted")
    return position + 1


@workflow.defn
class Child:
    @workflow.run
    async def run(self, number: int) -> int:
        return number * 2


@workflow.defn
class Order:
    def __init__(self):
        self.status = "new"
        self.confirmed = False

    @workflow.run
    async def run(self, name: str) -> dict:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=10))
        greeting = await workflow.execute_activity(greet, name, start_to_close_timeout=SHORT)
        attempts = await workflow.execute_activity(fail_twice, start_to_close_timeout=SHORT, retry_policy=retry)
        counted = await workflow.execute_activity(resume_from_heartbeat, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT, retry_policy=retry)
        await asyncio.sleep(0.05)
        doubled = await workflow.execute_child_workflow(Child.run, 21)
        self.status = "waiting"
        await workflow.wait_condition(lambda: self.confirmed)
        self.status = "done"
        return {"greeting": greeting, "attempts": attempts, "counted": counted, "doubled": doubled, "id": str(workflow.uuid4())}

    @workflow.signal
    def confirm(self):
        self.confirmed = True

    @workflow.query
    def current(self) -> str:
        return self.status


@workflow.defn
class Waits:
    """Waits for ever, unless cancelled or told to go."""

    def __init__(self):
        self.names = []

    @workflow.run
    async def run(self) -> list:
        await workflow.wait_condition(lambda: "go" in self.names)
        return self.names

    @workflow.signal
    def add(self, name: str):
        self.names.append(name)


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, left: int) -> str:
        if left > 0:
            workflow.continue_as_new(left - 1)
        return "lift-off"


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("as told", type="Told")


WORKFLOWS = [Order, Child, Waits, Countdown, Fails]
ACTIVITIES = [greet, fail_twice, resume_from_heartbeat]


def worker(client, **options):
    return Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES, activity_executor=ThreadPoolExecutor(4), **options)


def new_id():
    return f"interop-{uuid.uuid4()}"


async def until(handle, query, expected):
    for _ in range(400):
        if await handle.query(query) == expected:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the workflow never came to be {expected!r}")


@pytest.mark.parametrize("cached", [1000, 0], ids=["sticky", "not sticky"])
def test_order_with_activities_timer_child_signal_and_query(server, cached):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client, max_cached_workflows=cached):
            handle = await client.start_workflow(Order.run, "Ada", id=new_id(), task_queue=QUEUE)
            await until(handle, Order.current, "waiting")
            await handle.signal(Order.confirm)
            result = await handle.result()
            assert result["greeting"] == "Hello, Ada"
            assert (result["attempts"], result["counted"], result["doubled"]) == (3, 3, 42)
            assert await handle.query(Order.current) == "done", "closed workflows can be queried"
            await Replayer(workflows=WORKFLOWS).replay_workflow(await handle.fetch_history())

    asyncio.run(run())


def test_many_workflows_at_once(server):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            results = await asyncio.gather(*[client.execute_workflow(Child.run, n, id=new_id(), task_queue=QUEUE) for n in range(200)])
            assert results == [2 * n for n in range(200)]

    asyncio.run(run())


def test_continue_as_new_is_followed_to_the_result(server):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            assert await client.execute_workflow(Countdown.run, 2, id=new_id(), task_queue=QUEUE) == "lift-off"

    asyncio.run(run())


def test_failure_cancellation_and_termination_reach_the_client(server):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            with pytest.raises(WorkflowFailureError) as failed:
                await client.execute_workflow(Fails.run, id=new_id(), task_queue=QUEUE)
            assert failed.value.cause.type == "Told"

            handle = await client.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE)
            await handle.cancel()
            with pytest.raises(WorkflowFailureError) as cancelled:
                await handle.result()
            assert isinstance(cancelled.value.cause, CancelledError)

            handle = await client.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE)
            await handle.terminate("enough")
            with pytest.raises(WorkflowFailureError) as terminated:
                await handle.result()
            assert isinstance(terminated.value.cause, TerminatedError)
            with pytest.raises(RPCError) as late:
                await handle.signal(Waits.add, "late")
            assert late.value.status == RPCStatusCode.NOT_FOUND
            assert "workflow execution already completed" in late.value.message

    asyncio.run(run())


def test_workflow_id_policies(server):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            order = new_id()
            first = await client.start_workflow(Waits.run, id=order, task_queue=QUEUE)
            with pytest.raises(WorkflowAlreadyStartedError) as started:
                await client.start_workflow(Waits.run, id=order, task_queue=QUEUE)
            assert started.value.run_id == first.result_run_id
            same = await client.start_workflow(Waits.run, id=order, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
            assert same.result_run_id == first.result_run_id
            other = await client.start_workflow(Waits.run, id=order, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
            assert other.result_run_id != first.result_run_id
            await other.signal(Waits.add, "go")
            assert await other.result() == ["go"]
            with pytest.raises(WorkflowAlreadyStartedError):
                await client.start_workflow(Waits.run, id=order, task_queue=QUEUE, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)

            fresh = await client.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE, start_signal="add", start_signal_args=["one"])
            await fresh.signal(Waits.add, "go")
            assert await fresh.result() == ["one", "go"]

    asyncio.run(run())


def test_list_count_and_describe(server):
    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            order = new_id()
            await client.execute_workflow(Child.run, 1, id=order, task_queue=QUEUE)
            found = [run async for run in client.list_workflows(f"WorkflowId = '{order}'")]
            assert [run.id for run in found] == [order], "what is listed is what is true, at once"
            assert (await client.count_workflows(f"WorkflowId = '{order}' AND ExecutionStatus = 'Completed'")).count == 1
            assert (await client.count_workflows(f"WorkflowId = '{order}' AND ExecutionStatus = 'Running'")).count == 0
            description = await client.get_workflow_handle(order).describe()
            assert description.workflow_type == "Child" and description.history_length > 3
            with pytest.raises(RPCError) as undefined:
                await client.count_workflows("Nonsense = 'x'")
            assert "search attribute Nonsense is not defined" in undefined.value.message
            with pytest.raises(RPCError) as missing:
                await client.get_workflow_handle("never-was").describe()
            assert missing.value.status == RPCStatusCode.NOT_FOUND

    asyncio.run(run())


def test_a_killed_server_loses_nothing_that_it_acknowledged(tmp_path):
    server = Server(tmp_path / "skald.sqlite").start()

    async def run():
        client = await Client.connect(server.address)
        async with worker(client):
            handles = [await client.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE) for _ in range(20)]
            for handle in handles:
                await handle.signal(Waits.add, "before")
            server.kill()
            server.start()
            for handle in handles:
                await handle.signal(Waits.add, "go")
            results = await asyncio.wait_for(asyncio.gather(*[handle.result() for handle in handles]), 60)
            assert results == [["before", "go"]] * 20

    asyncio.run(run())
    server.stop()

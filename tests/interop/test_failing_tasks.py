"""Workflow tasks that fail: what commands fail them, and what a query is told meanwhile."""

import concurrent.futures
import subprocess
import time
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import CommandType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.workflowservice.v1 import request_response_pb2 as api
from temporalio.service import RPCStatusCode

from conftest import BINARY, Server
from test_requests import call, operate, start


def begin(server, name, task_timeout=10):
    """Starts a run on a queue of its own."""
    request = start()
    request.workflow_id = request.task_queue.name = name
    request.workflow_task_timeout.seconds = task_timeout
    assert call(server, "StartWorkflowExecution", request)[0] is None


def take_task(server, name, attempt=1):
    request = api.PollWorkflowTaskQueueRequest(namespace="default", identity="worker", task_queue={"name": name})
    _, task = call(server, "PollWorkflowTaskQueue", request, timedelta(seconds=20))
    assert task.attempt == attempt
    return task


def fail(server, task):
    request = api.RespondWorkflowTaskFailedRequest(namespace="default", task_token=task.task_token)
    request.cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    assert call(server, "RespondWorkflowTaskFailed", request)[0] is None


def query(server, name, timeout=timedelta(seconds=30)):
    request = api.QueryWorkflowRequest(namespace="default", execution={"workflow_id": name}, query={"query_type": "status"})
    return call(server, "QueryWorkflow", request, timeout)


def failure(server, name):
    """The attributes of the run's first failed task."""
    request = api.GetWorkflowExecutionHistoryRequest(namespace="default", execution={"workflow_id": name})
    for _ in range(200):
        for event in call(server, "GetWorkflowExecutionHistory", request)[1].history.events:
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes
        time.sleep(0.05)
    raise AssertionError(f"no task of {name} failed")


def not_ready(answer):
    status, text = answer
    return status == RPCStatusCode.FAILED_PRECONDITION and "keeps failing" in text


def test_a_query_of_a_run_whose_task_keeps_failing_is_refused_at_once(server):
    begin(server, "fails")
    fail(server, take_task(server, "fails"))
    fail(server, take_task(server, "fails", attempt=2))
    assert not_ready(query(server, "fails"))


def test_a_query_that_waits_is_refused_when_the_task_times_out_for_good(server):
    begin(server, "times-out", task_timeout=1)
    fail(server, take_task(server, "times-out"))
    take_task(server, "times-out", attempt=2)
    assert not_ready(query(server, "times-out"))


def test_a_query_that_went_along_with_the_task_is_refused_when_the_task_times_out(server):
    begin(server, "takes-along", task_timeout=2)
    fail(server, take_task(server, "takes-along"))
    with concurrent.futures.ThreadPoolExecutor() as threads:
        answer = threads.submit(query, server, "takes-along")
        time.sleep(0.5)
        assert [asked.query_type for asked in take_task(server, "takes-along", attempt=2).queries.values()] == ["status"]
        assert not_ready(answer.result())


UPSERTS = {
    "a value of another type": ("Rank", b'"first"', "invalid value for search attribute Rank"),
    "an attribute that is not defined": ("Unheard", b'"x"', "search attribute Unheard is not defined"),
}


@pytest.mark.parametrize("name, value, said", UPSERTS.values(), ids=UPSERTS.keys())
def test_a_bad_upsert_fails_the_task(server, name, value, said):
    assert operate(server, "AddSearchAttributes", search_attributes={"Rank": 3})[0] is None
    begin(server, f"upsert-{name}")
    request = api.RespondWorkflowTaskCompletedRequest(task_token=take_task(server, f"upsert-{name}").task_token, namespace="default")
    attributes = request.commands.add(command_type=CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES).upsert_workflow_search_attributes_command_attributes
    attributes.search_attributes.indexed_fields[name].data = value
    status, text = call(server, "RespondWorkflowTaskCompleted", request)
    assert status == RPCStatusCode.INVALID_ARGUMENT and text.startswith(f"BadSearchAttributes: {said}")
    assert failure(server, f"upsert-{name}").cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES


def test_a_command_that_is_not_known_fails_the_task(server):
    begin(server, "unknown")
    request = api.RespondWorkflowTaskCompletedRequest(task_token=take_task(server, "unknown").task_token, namespace="default")
    request.commands.add(command_type=99)
    status, text = call(server, "RespondWorkflowTaskCompleted", request)
    assert status == RPCStatusCode.INVALID_ARGUMENT and "commands of type 99" in text
    assert failure(server, "unknown").cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED


SCRIPTS = {
    "mistyped": """local skald = require "skald"
return function()
  skald.upsert_search_attributes { Rank = "first" }
  skald.sleep(1)
end
""",
    "broken": "return function(order)\n  return order.items.count\nend\n",
}


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """A server that runs the scripts above by itself."""
    folder = tmp_path_factory.mktemp("workflows")
    for name, text in SCRIPTS.items():
        (folder / f"{name}.lua").write_text(text)
    running = Server(folder / "skald.sqlite", options=["--workflows", str(folder)]).start()
    assert operate(running, "AddSearchAttributes", search_attributes={"Rank": 3})[0] is None
    for name in SCRIPTS:
        started = [str(BINARY), "workflow", "start", "--type", name, "--id", name, "--address", running.address]
        subprocess.run(started, check=True, capture_output=True, timeout=60)
    yield running
    running.stop()


def test_a_scripts_bad_upsert_fails_its_task(scripted):
    failed = failure(scripted, "mistyped")
    assert failed.cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
    assert "search attribute Rank" in failed.failure.message


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_query_of_a_broken_script_is_refused_at_once(scripted, name):
    """Its second attempt awaits its timeout of ten seconds: no query waits for that."""
    failure(scripted, name)
    assert not_ready(query(scripted, name, timedelta(seconds=5)))

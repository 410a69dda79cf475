"""Workflows that take the server with them: they are left alone after the second time, and their neighbours go on."""

import json
import subprocess
import time
from datetime import timedelta

from temporalio.api.workflowservice.v1 import request_response_pb2 as api
from temporalio.service import RPCStatusCode

from conftest import BINARY, Server
from test_requests import call, start

BUSY = """return function()
  local n = 0
  for i = 1, 1e12 do n = n + i end
  return n
end
"""

KID = """local skald = require "skald"
return function() skald.fail { type = "X", message = "m", next_retry_delay = 0 } end
"""

PARENT = """local skald = require "skald"
return function()
  local child = skald.child("kid", { id = "kid-1", retry = { max_attempts = 3000 } }) {}
  return child
end
"""

FINE = "return function() return 'done' end\n"


def begin(server, workflow_type, workflow_id):
    request = start()
    request.workflow_id = workflow_id
    request.workflow_type.name = workflow_type
    request.task_queue.name = "skald"
    assert call(server, "StartWorkflowExecution", request)[0] is None


def describe(server, workflow_id):
    request = api.DescribeWorkflowExecutionRequest(namespace="default", execution={"workflow_id": workflow_id})
    return call(server, "DescribeWorkflowExecution", request)[1]


def skald(server, *words):
    return subprocess.run([str(BINARY), *words, "--address", server.address], capture_output=True, text=True)


def ended(server, workflow_id, seconds=60):
    for _ in range(seconds * 20):
        described = describe(server, workflow_id)
        if described.workflow_execution_info.HasField("close_time"):
            return described.workflow_execution_info.status
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} does not end")


def serve(tmp_path, **scripts):
    folder = tmp_path / "workflows"
    folder.mkdir()
    for name, text in scripts.items():
        (folder / f"{name}.lua").write_text(text)
    return Server(tmp_path / "skald.sqlite", options=["--workflows", str(folder)]).start()


def test_a_child_that_is_tried_again_at_once_does_not_end_the_server(tmp_path):
    server = serve(tmp_path, parent=PARENT, kid=KID, fine=FINE)
    begin(server, "parent", "parent-1")
    begin(server, "fine", "fine-1")
    assert ended(server, "fine-1") == 2  # Completed
    assert ended(server, "parent-1") == 3  # Failed
    request = api.GetWorkflowExecutionHistoryRequest(namespace="default", execution={"workflow_id": "kid-1"})
    events = call(server, "GetWorkflowExecutionHistory", request)[1].history.events
    assert events[0].workflow_execution_started_event_attributes.attempt == 3000
    server.stop()


def test_a_workflow_that_is_worked_on_at_two_deaths_is_left_alone_until_it_is_tried(tmp_path):
    server = serve(tmp_path, busy=BUSY, fine=FINE)
    begin(server, "busy", "busy-1")
    for _ in range(2):
        time.sleep(0.5)  # It computes all the time.
        server.kill()
        server.start()

    described = describe(server, "busy-1")
    assert described.workflow_extended_info.pause_info.identity == "skald-quarantine"
    begin(server, "fine", "fine-1")
    assert ended(server, "fine-1") == 2

    listed = skald(server, "workflow", "list")
    assert "Quarantined" in listed.stdout and "busy-1" in listed.stdout
    assert "skald workflow retry busy-1" in skald(server, "workflow", "describe", "busy-1").stdout
    shown = json.loads(skald(server, "workflow", "list", "-o", "json").stdout)
    assert any("TemporalReportedProblems" in info.get("searchAttributes", {}).get("indexedFields", {}) for info in shown["executions"])

    # What is sent to it waits for it to be tried.
    signal = api.SignalWorkflowExecutionRequest(namespace="default", workflow_execution={"workflow_id": "busy-1"}, signal_name="go")
    assert call(server, "SignalWorkflowExecution", signal, timedelta(seconds=2))[0] in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)

    retried = skald(server, "workflow", "retry", "busy-1", "--reason", "a test")
    assert retried.returncode == 0, retried.stderr
    assert not describe(server, "busy-1").workflow_extended_info.HasField("pause_info")
    assert call(server, "SignalWorkflowExecution", signal)[0] is None
    again = skald(server, "workflow", "retry", "busy-1")
    assert again.returncode == 1 and "not in quarantine" in again.stderr
    server.kill()

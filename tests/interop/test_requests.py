"""What the server answers to single requests: forms that are refused, and methods that are not there."""

import asyncio
import re
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import ArchivalState, DescribeTaskQueueMode, IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.workflowservice.v1 import request_response_pb2 as api
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from conftest import ROOT, Server

NOT_THERE = ["ListSchedules", "CreateSchedule", "ResetWorkflowExecution", "UpdateWorkflowExecution", "StartBatchOperation", "DeleteWorkflowExecution"]


def call(server, method, request, timeout=timedelta(seconds=10), service="workflow_service"):
    """The status code and text of one request; (None, response) if it is answered."""

    async def run():
        client = await Client.connect(server.address)
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower()
        try:
            return None, await getattr(getattr(client, service), name)(request, timeout=timeout)
        except RPCError as error:
            return error.status, error.message

    return asyncio.run(run())


def start(**fields):
    request = api.StartWorkflowExecutionRequest(namespace="default", workflow_id="refused", request_id="r", **fields)
    request.workflow_type.name = "t"
    request.task_queue.name = "q"
    return request


def with_(change):
    request = start()
    change(request)
    return request


@pytest.mark.parametrize("method", NOT_THERE)
def test_a_method_that_is_not_there_says_so(server, method):
    status, text = call(server, method, getattr(api, method + "Request")(namespace="default"))
    assert status == RPCStatusCode.UNIMPLEMENTED
    assert "not implemented" in text


REFUSED_STARTS = {
    "no namespace": lambda r: r.ClearField("namespace"),
    "no workflow id": lambda r: r.ClearField("workflow_id"),
    "no workflow type": lambda r: r.ClearField("workflow_type"),
    "no task queue": lambda r: r.ClearField("task_queue"),
    "too long id": lambda r: setattr(r, "workflow_id", "x" * 1001),
    "negative timeout": lambda r: setattr(r.workflow_run_timeout, "seconds", -5),
    "backoff below one": lambda r: setattr(r.retry_policy, "backoff_coefficient", 0.5),
    "negative attempts": lambda r: setattr(r.retry_policy, "maximum_attempts", -1),
    "undefined search attribute": lambda r: setattr(r.search_attributes.indexed_fields["Nope"], "data", b'"x"'),
    "bad cron": lambda r: setattr(r, "cron_schedule", "not a cron"),
    "three megabytes of input": lambda r: setattr(r.input.payloads.add(), "data", b"x" * (3 << 20)),
    "reuse policy that is none": lambda r: setattr(r, "workflow_id_reuse_policy", 99),
    "conflict policy that is none": lambda r: setattr(r, "workflow_id_conflict_policy", -1),
    "reserved task queue": lambda r: setattr(r.task_queue, "name", "/_sys/q"),
    "contradictory policies": lambda r: (setattr(r, "workflow_id_reuse_policy", 4), setattr(r, "workflow_id_conflict_policy", 1)),
}


@pytest.mark.parametrize("change", REFUSED_STARTS.values(), ids=REFUSED_STARTS.keys())
def test_a_start_of_bad_form_is_refused(server, change):
    status, _ = call(server, "StartWorkflowExecution", with_(change))
    assert status == RPCStatusCode.INVALID_ARGUMENT


def test_a_request_above_the_limit_is_refused_with_both_sizes(server):
    status, text = call(server, "StartWorkflowExecution", with_(lambda r: setattr(r.input.payloads.add(), "data", b"x" * (5 << 20))))
    assert status == RPCStatusCode.RESOURCE_EXHAUSTED
    assert re.search(r"received message larger than max \(\d+ vs\. 4194304\)", text)


def test_an_unknown_namespace_is_not_found(server):
    status, _ = call(server, "DescribeNamespace", api.DescribeNamespaceRequest(namespace="nowhere"))
    assert status == RPCStatusCode.NOT_FOUND


def test_a_run_id_that_is_none_is_refused(server):
    request = api.DescribeWorkflowExecutionRequest(namespace="default")
    request.execution.workflow_id = "a"
    request.execution.run_id = "zzz"
    assert call(server, "DescribeWorkflowExecution", request) == (RPCStatusCode.INVALID_ARGUMENT, "Invalid RunId.")


def test_garbage_tokens_are_refused(server):
    page = api.GetWorkflowExecutionHistoryRequest(namespace="default", next_page_token=b"garbage")
    page.execution.workflow_id = "a"
    assert call(server, "GetWorkflowExecutionHistory", page)[0] == RPCStatusCode.INVALID_ARGUMENT
    task = api.RespondWorkflowTaskCompletedRequest(namespace="default", task_token=b"garbage")
    assert call(server, "RespondWorkflowTaskCompleted", task)[0] == RPCStatusCode.INVALID_ARGUMENT


def test_a_poll_with_too_near_a_deadline_is_refused(server):
    poll = api.PollWorkflowTaskQueueRequest(namespace="default")
    poll.task_queue.name = "empty"
    assert call(server, "PollWorkflowTaskQueue", poll, timedelta(seconds=1))[0] == RPCStatusCode.INVALID_ARGUMENT


def test_a_poll_of_an_empty_queue_answers_empty_before_its_deadline(server):
    poll = api.PollActivityTaskQueueRequest(namespace="default")
    poll.task_queue.name = "empty"
    status, response = call(server, "PollActivityTaskQueue", poll, timedelta(seconds=4))
    assert status is None
    assert response.task_token == b""


def operate(server, method, **fields):
    return call(server, method, getattr(operator, method + "Request")(namespace="default", **fields), service="operator_service")


def defined(server):
    return operate(server, "ListSearchAttributes")[1]


def test_search_attributes_are_defined_listed_and_removed(server):
    keyword, number = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_INT
    assert operate(server, "AddSearchAttributes", search_attributes={"City": keyword, "Amount": number})[0] is None
    assert operate(server, "AddSearchAttributes", search_attributes={"City": keyword})[0] is None, "a repetition is no error"
    assert defined(server).custom_attributes == {"City": keyword, "Amount": number}
    assert defined(server).system_attributes["WorkflowId"] == keyword
    assert operate(server, "RemoveSearchAttributes", search_attributes=["Amount"])[0] is None
    assert defined(server).custom_attributes == {"City": keyword}


REFUSED_ATTRIBUTES = {
    "another type": ("AddSearchAttributes", {"Taken": 3}, RPCStatusCode.ALREADY_EXISTS),
    "a standard name": ("AddSearchAttributes", {"WorkflowId": 2}, RPCStatusCode.INVALID_ARGUMENT),
    "a predefined name": ("AddSearchAttributes", {"BuildIds": 2}, RPCStatusCode.INVALID_ARGUMENT),
    "no type": ("AddSearchAttributes", {"Typeless": 0}, RPCStatusCode.INVALID_ARGUMENT),
    "an unknown type": ("AddSearchAttributes", {"Typeless": 99}, RPCStatusCode.INVALID_ARGUMENT),
    "none to add": ("AddSearchAttributes", {}, RPCStatusCode.INVALID_ARGUMENT),
    "none to remove": ("RemoveSearchAttributes", [], RPCStatusCode.INVALID_ARGUMENT),
    "removal of what is not there": ("RemoveSearchAttributes", ["Taken", "Nowhere"], RPCStatusCode.NOT_FOUND),
    "removal of a standard one": ("RemoveSearchAttributes", ["WorkflowId"], RPCStatusCode.INVALID_ARGUMENT),
}


@pytest.mark.parametrize("method, attributes, code", REFUSED_ATTRIBUTES.values(), ids=REFUSED_ATTRIBUTES.keys())
def test_a_change_of_search_attributes_is_refused_whole(server, method, attributes, code):
    operate(server, "AddSearchAttributes", search_attributes={"Taken": 2})
    before = defined(server)
    assert operate(server, method, search_attributes=attributes)[0] == code
    assert defined(server) == before


def page_of(server, size, token=b""):
    _, response = call(server, "ListNamespaces", api.ListNamespacesRequest(page_size=size, next_page_token=token))
    return [listed.namespace_info.name for listed in response.namespaces], response.next_page_token


def test_namespaces_are_listed_by_pages(server):
    for name in ("paged-1", "paged-2", "paged-3"):
        request = api.RegisterNamespaceRequest(namespace=name)
        request.workflow_execution_retention_period.seconds = 24 * 3600
        assert call(server, "RegisterNamespace", request)[0] is None
    everything, token = page_of(server, 0)
    assert not token and everything == sorted(everything) and len(everything) >= 4
    by_pages, token = page_of(server, 3)
    while token:
        names, token = page_of(server, 3, token)
        assert len(names) <= 3
        by_pages += names
    assert by_pages == everything
    assert page_of(server, len(everything)) == (everything, b""), "a page that holds all says so"


@pytest.mark.parametrize("token", [b"garbage", b"1:0:paged-1", b"\xff\x00"])
def test_a_page_token_of_another_list_is_refused(server, token):
    request = api.ListNamespacesRequest(next_page_token=token)
    assert call(server, "ListNamespaces", request) == (RPCStatusCode.INVALID_ARGUMENT, "Invalid NextPageToken.")


NEGATIVE_PAGES = {
    "ListNamespaces": api.ListNamespacesRequest(page_size=-1),
    "ListWorkflowExecutions": api.ListWorkflowExecutionsRequest(namespace="default", page_size=-1),
    "GetWorkflowExecutionHistory": api.GetWorkflowExecutionHistoryRequest(namespace="default", maximum_page_size=-1, execution={"workflow_id": "a"}),
    "GetWorkflowExecutionHistoryReverse": api.GetWorkflowExecutionHistoryReverseRequest(
        namespace="default", maximum_page_size=-1, execution={"workflow_id": "a"}
    ),
}


@pytest.mark.parametrize("method, request_", NEGATIVE_PAGES.items(), ids=NEGATIVE_PAGES.keys())
def test_a_negative_page_size_is_refused(server, method, request_):
    status, text = call(server, method, request_)
    assert status == RPCStatusCode.INVALID_ARGUMENT
    assert "PageSize may not be negative" in text


WRONG_ENUMS = {
    "history_event_filter_type": ("GetWorkflowExecutionHistory", api.GetWorkflowExecutionHistoryRequest(namespace="default", history_event_filter_type=99)),
    "task_queue.kind": ("PollActivityTaskQueue", api.PollActivityTaskQueueRequest(namespace="default", task_queue={"name": "q", "kind": 77})),
    "workflow_id_conflict_policy": (
        "SignalWithStartWorkflowExecution",
        api.SignalWithStartWorkflowExecutionRequest(namespace="default", workflow_id_conflict_policy=42),
    ),
    "query_reject_condition": ("QueryWorkflow", api.QueryWorkflowRequest(namespace="default", query_reject_condition=8)),
    "task_queue_type": ("DescribeTaskQueue", api.DescribeTaskQueueRequest(namespace="default", task_queue_type=12)),
}


@pytest.mark.parametrize("field, asked", WRONG_ENUMS.items(), ids=WRONG_ENUMS.keys())
def test_a_number_that_no_enum_names_is_refused_by_its_field(server, field, asked):
    status, text = call(server, *asked)
    assert status == RPCStatusCode.INVALID_ARGUMENT
    assert re.match(rf"Invalid {field}: -?\d+ is no \w+\.$", text), text


RESERVED = {"name": "/_sys/orders/1"}


@pytest.mark.parametrize("method", ["PollWorkflowTaskQueue", "PollActivityTaskQueue", "DescribeTaskQueue"])
def test_a_reserved_task_queue_is_refused(server, method):
    status, text = call(server, method, getattr(api, method + "Request")(namespace="default", task_queue=RESERVED))
    assert status == RPCStatusCode.INVALID_ARGUMENT
    assert "/_sys/" in text


def test_search_attributes_of_an_unknown_namespace_are_not_found(server):
    request = operator.ListSearchAttributesRequest(namespace="nowhere")
    assert call(server, "ListSearchAttributes", request, service="operator_service")[0] == RPCStatusCode.NOT_FOUND


def test_the_one_cluster_is_listed(server):
    status, response = call(server, "ListClusters", operator.ListClustersRequest(), service="operator_service")
    assert status is None
    assert [cluster.cluster_name for cluster in response.clusters] == ["active"]


def test_a_queue_nobody_polls_is_described_by_its_backlog(server):
    waiting = start()
    waiting.workflow_id, waiting.task_queue.name = "waits", "unpolled"
    assert call(server, "StartWorkflowExecution", waiting)[0] is None
    plain = api.DescribeTaskQueueRequest(namespace="default", report_stats=True, include_task_queue_status=True)
    plain.task_queue.name = "unpolled"
    _, response = call(server, "DescribeTaskQueue", plain)
    assert response.stats.approximate_backlog_count == response.task_queue_status.backlog_count_hint == 1
    assert not response.pollers
    enhanced = api.DescribeTaskQueueRequest(namespace="default", report_stats=True, report_pollers=True, report_task_reachability=True)
    enhanced.task_queue.name = "unpolled"
    enhanced.api_mode = DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    _, response = call(server, "DescribeTaskQueue", enhanced)
    types = response.versions_info[""].types_info
    assert types[TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW].stats.approximate_backlog_count == 1
    assert types[TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY].stats.approximate_backlog_count == 0


MISTYPED = {"Text of a number": (3, b'"12"'), "Fraction of a number": (3, b"1.5"), "Number of a text": (2, b"12"), "Word of a time": (6, b'"soon"'),
            "Text of a truth": (5, b'"true"'), "No JSON": (2, b"{"), "A wrong one in a list": (3, b'[1, "2"]')}


@pytest.mark.parametrize("kind, value", MISTYPED.values(), ids=MISTYPED.keys())
def test_a_start_with_a_value_of_another_type_is_refused(server, kind, value):
    assert operate(server, "AddSearchAttributes", search_attributes={f"Typed{kind}": kind})[0] is None
    status, text = call(server, "StartWorkflowExecution", with_(lambda r: setattr(r.search_attributes.indexed_fields[f"Typed{kind}"], "data", value)))
    assert status == RPCStatusCode.INVALID_ARGUMENT
    assert f"invalid value for search attribute Typed{kind}" in text


def test_values_are_told_with_the_types_of_their_attributes(server):
    assert operate(server, "AddSearchAttributes", search_attributes={"Told": 3, "Tags": 7})[0] is None
    request = start()
    request.workflow_id = "told"
    request.search_attributes.indexed_fields["Told"].data = b"12"
    request.search_attributes.indexed_fields["Tags"].data = b'["a", "b"]'
    assert call(server, "StartWorkflowExecution", request)[0] is None
    asked = api.DescribeWorkflowExecutionRequest(namespace="default")
    asked.execution.workflow_id = "told"
    _, described = call(server, "DescribeWorkflowExecution", asked)
    _, listed = call(server, "ListWorkflowExecutions", api.ListWorkflowExecutionsRequest(namespace="default", query="Told = 12 AND Tags = 'b'"))
    for info in (described.workflow_execution_info, listed.executions[0]):
        types = {name: payload.metadata["type"] for name, payload in info.search_attributes.indexed_fields.items()}
        assert types == {"Told": b"Int", "Tags": b"KeywordList"}


def test_the_servers_own_worker_is_among_the_pollers_of_its_queue(tmp_path):
    server = Server(tmp_path / "skald.sqlite", options=["--workflows", str(ROOT / "workflows"), "--task-queue", "own"]).start()
    asked = api.DescribeTaskQueueRequest(namespace="default")
    for queue, pollers in {"own": ["skald-embedded"], "other": []}.items():
        asked.task_queue.name = queue
        assert [poller.identity for poller in call(server, "DescribeTaskQueue", asked)[1].pollers] == pollers
    server.stop()


NOT_OFFERED = {
    "another cluster": lambda r: setattr(r.replication_config, "active_cluster_name", "elsewhere"),
    "a copy": lambda r: setattr(r.replication_config.clusters.add(), "cluster_name", "elsewhere"),
    "a global namespace": lambda r: setattr(r, "promote_namespace", True),
    "an archive": lambda r: setattr(r.config, "history_archival_state", ArchivalState.ARCHIVAL_STATE_ENABLED),
}


@pytest.mark.parametrize("change", NOT_OFFERED.values(), ids=NOT_OFFERED.keys())
def test_a_namespace_does_not_promise_what_is_not_there(server, change):
    request = api.UpdateNamespaceRequest(namespace="default")
    request.update_info.description = "changed"
    change(request)
    status, text = call(server, "UpdateNamespace", request)
    assert status == RPCStatusCode.UNIMPLEMENTED and "not implemented" in text
    _, described = call(server, "DescribeNamespace", api.DescribeNamespaceRequest(namespace="default"))
    assert described.namespace_info.description == ""
    assert [cluster.cluster_name for cluster in described.replication_config.clusters] == ["active"]


def test_a_server_that_stops_answers_those_who_wait(tmp_path):
    """A long poll for a result does not hold the server's end up."""
    stopping = Server(tmp_path / "skald.sqlite").start()

    async def run():
        client = await Client.connect(stopping.address)
        handle = await client.start_workflow("nobody", id="waits", task_queue="nobody")
        waiting = asyncio.create_task(handle.result())
        await asyncio.sleep(0.3)
        stopping.process.terminate()
        assert await asyncio.to_thread(stopping.process.wait, 10) == 0
        waiting.cancel()

    asyncio.run(run())

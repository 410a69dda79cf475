#include "cli/history.h"

#include "temporal/api/enums/v1/workflow.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::history::v1::HistoryEvent;
using workflowservice::GetWorkflowExecutionHistoryRequest;
using workflowservice::GetWorkflowExecutionHistoryResponse;

GetWorkflowExecutionHistoryRequest request_for(const Session& session, const Target& target) {
  GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_(session.namespace_name);
  target.write(*request.mutable_execution());
  return request;
}

// A server that goes away while we wait may come back: workflows outlive it. So often in a row, we ask again.
constexpr int kAttempts = 3;

// Calls, and if the call is one that waits, outlasts a restart of the server.
Outcome call_waiting(Session& session, const GetWorkflowExecutionHistoryRequest& request,
                     GetWorkflowExecutionHistoryResponse& response) {
  Outcome called = session.client.call(request, response);
  if (!request.wait_new_event()) return called;
  for (int attempt = 1; attempt < kAttempts && called.code == ExitCode::kUnreachable; ++attempt) {
    if (!session.client.reached() || session.client.out_of_time()) break;
    called = session.client.call(request, response);
  }
  if (!called.ok() && session.client.out_of_time()) {
    called.sentence =
        "the workflow has not closed within the time of --timeout; `skald workflow trace` tells what it waits for";
  }
  return called;
}

// Waits for the end of one run.
Outcome wait_for_run(Session& session, const Target& target, HistoryEvent& event) {
  GetWorkflowExecutionHistoryRequest request = request_for(session, target);
  request.set_wait_new_event(true);
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  while (true) {
    GetWorkflowExecutionHistoryResponse response;
    if (Outcome called = call_waiting(session, request, response); !called.ok()) return called;
    if (response.history().events_size() > 0) {
      event = *response.mutable_history()->mutable_events()->rbegin();
      if (closes(event)) return {};
    }
    if (response.next_page_token().empty())
      return failed("the server ended its answer before the workflow closed; call again");
    request.set_next_page_token(response.next_page_token());
  }
}

}  // namespace

bool closes(const HistoryEvent& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
      return true;
    default:
      return false;
  }
}

std::string successor(const HistoryEvent& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
      return event.workflow_execution_completed_event_attributes().new_execution_run_id();
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
      return event.workflow_execution_failed_event_attributes().new_execution_run_id();
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
      return event.workflow_execution_timed_out_event_attributes().new_execution_run_id();
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
      return event.workflow_execution_continued_as_new_event_attributes().new_execution_run_id();
    default:
      return "";
  }
}

Outcome wait_for_close(Session& session, const Target& target, Close& close) {
  Target run = target;
  while (true) {
    if (Outcome waited = wait_for_run(session, run, close.event); !waited.ok()) return waited;
    close.run_id = run.run_id;
    run.run_id = successor(close.event);
    if (run.run_id.empty()) return {};
  }
}

Outcome read_last_event(Session& session, const Target& target, HistoryEvent& event) {
  GetWorkflowExecutionHistoryRequest request = request_for(session, target);
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  GetWorkflowExecutionHistoryResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (response.history().events_size() == 0) return failed("the server gives no last event of this run");
  event = *response.mutable_history()->mutable_events()->rbegin();
  return {};
}

Outcome read_history(Session& session, const Target& target, bool follow,
                     const std::function<void(HistoryEvent&)>& take) {
  GetWorkflowExecutionHistoryRequest request = request_for(session, target);
  request.set_wait_new_event(follow);
  while (true) {
    GetWorkflowExecutionHistoryResponse response;
    if (Outcome called = call_waiting(session, request, response); !called.ok()) return called;
    for (HistoryEvent& event : *response.mutable_history()->mutable_events()) take(event);
    if (response.next_page_token().empty()) return {};
    request.set_next_page_token(response.next_page_token());
  }
}

}  // namespace skald::cli

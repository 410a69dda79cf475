// List and count: visibility rows as the API shows them.
#include <utility>

#include "engine/shard/routing.h"

namespace skald::shard {
namespace {

namespace enums = temporal::api::enums::v1;

void set_time(google::protobuf::Timestamp* field, absl::Time time) {
  const int64_t nanos = absl::ToUnixNanos(time);
  field->set_seconds(nanos / 1'000'000'000);
  field->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

temporal::api::workflow::v1::WorkflowExecutionInfo to_info(const store::VisibilityRow& row) {
  temporal::api::workflow::v1::WorkflowExecutionInfo info;
  info.mutable_execution()->set_workflow_id(row.key.workflow_id);
  info.mutable_execution()->set_run_id(row.key.run_id);
  info.mutable_type()->set_name(row.workflow_type);
  info.set_task_queue(row.task_queue);
  info.set_status(static_cast<enums::WorkflowExecutionStatus>(row.status));
  set_time(info.mutable_start_time(), row.start_time);
  set_time(info.mutable_execution_time(), row.execution_time);
  if (row.close_time != absl::InfinitePast()) {
    set_time(info.mutable_close_time(), row.close_time);
    info.set_history_length(row.history_length);
    info.set_history_size_bytes(row.history_size_bytes);
    info.set_state_transition_count(row.state_transition_count);
    const int64_t nanos = absl::ToInt64Nanoseconds(row.close_time - row.execution_time);
    info.mutable_execution_duration()->set_seconds(nanos / 1'000'000'000);
    info.mutable_execution_duration()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  }
  if (!row.parent_workflow_id.empty()) {
    info.mutable_parent_execution()->set_workflow_id(row.parent_workflow_id);
    info.mutable_parent_execution()->set_run_id(row.parent_run_id);
  }
  info.mutable_root_execution()->set_workflow_id(row.root_workflow_id);
  info.mutable_root_execution()->set_run_id(row.root_run_id);
  if (!row.memo.empty()) info.mutable_memo()->ParseFromString(row.memo);
  if (!row.search_attributes.empty()) info.mutable_search_attributes()->ParseFromString(row.search_attributes);
  return info;
}

// A group's value as every SDK reads it: a Keyword payload.
temporal::api::common::v1::Payload keyword_payload(std::string_view text) {
  temporal::api::common::v1::Payload payload;
  (*payload.mutable_metadata())["encoding"] = "json/plain";
  (*payload.mutable_metadata())["type"] = "Keyword";
  payload.set_data("\"" + std::string(text) + "\"");
  return payload;
}

// As Temporal's servers report what keeps a workflow from going on.
void report_quarantine(temporal::api::workflow::v1::WorkflowExecutionInfo& info) {
  auto& reported = (*info.mutable_search_attributes()->mutable_indexed_fields())["TemporalReportedProblems"];
  (*reported.mutable_metadata())["encoding"] = "json/plain";
  (*reported.mutable_metadata())["type"] = "KeywordList";
  reported.set_data(R"(["category=Quarantine","cause=ServerDied"])");
}

std::string_view status_name(int status) {
  switch (status) {
    case enums::WORKFLOW_EXECUTION_STATUS_RUNNING: return "Running";
    case enums::WORKFLOW_EXECUTION_STATUS_COMPLETED: return "Completed";
    case enums::WORKFLOW_EXECUTION_STATUS_FAILED: return "Failed";
    case enums::WORKFLOW_EXECUTION_STATUS_CANCELED: return "Canceled";
    case enums::WORKFLOW_EXECUTION_STATUS_TERMINATED: return "Terminated";
    case enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: return "ContinuedAsNew";
    case enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT: return "TimedOut";
    default: return "Unspecified";
  }
}

}  // namespace

void EngineImpl::list(Call, store::VisibilityQuery query, size_t page_size, std::string page_token,
                      Done<wire::ListWorkflowExecutionsResponse> done) {
  options_.store.list(query, page_size, page_token, [this, done = std::move(done)](absl::StatusOr<store::Page<store::VisibilityRow>> page) mutable {
    if (!page.ok()) return done(page.status());
    wire::ListWorkflowExecutionsResponse response;
    for (const store::VisibilityRow& row : page->rows) {
      auto& info = *response.add_executions();
      info = to_info(row);
      if (is_quarantined(row.key.workflow(), row.status)) report_quarantine(info);
    }
    response.set_next_page_token(page->next);
    done(std::move(response));
  });
}

void EngineImpl::count(Call, store::VisibilityQuery query, Done<wire::CountWorkflowExecutionsResponse> done) {
  const bool grouped = query.group_by_status;
  options_.store.count(query, [grouped, done = std::move(done)](absl::StatusOr<std::vector<store::CountGroup>> groups) mutable {
    if (!groups.ok()) return done(groups.status());
    wire::CountWorkflowExecutionsResponse response;
    for (const store::CountGroup& group : *groups) {
      response.set_count(response.count() + group.count);
      if (!grouped) continue;
      auto* out = response.add_groups();
      out->set_count(group.count);
      *out->add_group_values() = keyword_payload(status_name(group.status));
    }
    done(std::move(response));
  });
}

}  // namespace skald::shard

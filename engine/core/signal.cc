#include <algorithm>

#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

// Enough to tell a repeated request from a new one; a request is repeated within minutes, not after thousands of
// others.
constexpr int kRememberedSignals = 1'000;

size_t buffered_bytes(const Step& step) {
  size_t bytes = 0;
  for (const HistoryEvent& event : step.state.buffered_events()) bytes += event.ByteSizeLong();
  return bytes;
}

size_t buffered_events(const Step& step) { return static_cast<size_t>(step.state.buffered_events_size()); }

bool buffer_is_full(const Step& step) {
  const Limits& limits = step.context.limits;
  return buffered_events(step) >= limits.buffered_events || buffered_bytes(step) >= limits.buffered_bytes;
}

}  // namespace

bool buffer_overflows(const Step& step) {
  const Limits& limits = step.context.limits;
  return buffered_events(step) > limits.buffered_events || buffered_bytes(step) > limits.buffered_bytes;
}

absl::Status signal(Step& step, const std::string& name, const common::Payloads* input, const common::Header* header,
                    const std::string& identity, const std::string& request_id,
                    const common::WorkflowExecution* sender) {
  // What was applied stays applied, whatever became of the run since.
  auto& seen = *step.state.mutable_signal_request_ids();
  if (!request_id.empty() && std::find(seen.begin(), seen.end(), request_id) != seen.end()) return absl::OkStatus();
  if (step.closed()) return already_completed();
  const Limits& limits = step.context.limits;
  if (step.state.signal_count() >= limits.signals_per_run) {
    return absl::InvalidArgumentError(
        absl::StrCat("exceeded workflow execution limit for signal events: ", limits.signals_per_run));
  }
  if (step.task_started() && buffer_is_full(step)) {
    return workflow_busy(
        "too many events wait for the workflow's current task; try again when it is done");
  }
  if (!request_id.empty()) {
    *seen.Add() = request_id;
    if (seen.size() > kRememberedSignals) seen.erase(seen.begin());
  }
  step.state.set_signal_count(step.state.signal_count() + 1);
  auto* attributes =
      step.arrive(enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED).mutable_workflow_execution_signaled_event_attributes();
  attributes->set_signal_name(name);
  if (input != nullptr) *attributes->mutable_input() = *input;
  if (header != nullptr) *attributes->mutable_header() = *header;
  attributes->set_identity(identity);
  attributes->set_request_id(request_id);
  if (sender != nullptr) *attributes->mutable_external_workflow_execution() = *sender;
  schedule_workflow_task(step);
  return absl::OkStatus();
}

absl::Status request_cancel(Step& step, const std::string& reason, const std::string& identity,
                            const std::string& request_id, int64_t external_initiated_event_id,
                            const common::WorkflowExecution* sender) {
  if (!request_id.empty() && request_id == step.state.cancel_request_id()) return absl::OkStatus();
  if (step.closed()) return already_completed();
  if (step.state.cancel_requested()) return absl::OkStatus();
  step.state.set_cancel_requested(true);
  step.state.set_cancel_request_id(request_id);
  auto* attributes = step.arrive(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
                         .mutable_workflow_execution_cancel_requested_event_attributes();
  attributes->set_cause(reason);
  attributes->set_identity(identity);
  attributes->set_external_initiated_event_id(external_initiated_event_id);
  if (sender != nullptr) *attributes->mutable_external_workflow_execution() = *sender;
  schedule_workflow_task(step);
  return absl::OkStatus();
}

}  // namespace skald::core

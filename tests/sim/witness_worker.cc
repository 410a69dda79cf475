#include "tests/sim/witness_worker.h"

#include <fmt/core.h>

namespace skald::sim {

shard::EmbeddedWorker::Verdict WitnessWorker::activate(
    const temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse& task, shard::WorkflowTaskAnswer& answer,
    absl::AnyInvocable<void(shard::WorkflowTaskAnswer)> later) {
  const auto& execution = task.workflow_execution();
  const bool known = known_.contains(execution.run_id());
  const Verdict verdict = below_->activate(task, answer, std::move(later));
  const auto blame = [&](const char* what) { auditor_.blame(fmt::format("{}: {}", execution.workflow_id(), what)); };
  if (known && verdict == Verdict::kNeedsHistory) blame("its worker has lost it, and has to replay it");
  if (known && task.history().events_size() > 0 && task.history().events(0).event_id() == 1)
    blame("its worker knows it, and was given its whole history");
  if (forgets_ && verdict == Verdict::kAnswered) below_->forget(execution.run_id());
  if (verdict == Verdict::kAnswered) known_.insert(execution.run_id());
  return verdict;
}

void WitnessWorker::forget(std::string_view run_id) {
  if (const auto known = known_.find(run_id); known != known_.end()) known_.erase(known);
  let_go_(std::string(run_id));
  below_->forget(run_id);
}

}  // namespace skald::sim

#include "lua/embedded_worker.h"

#include <utility>

namespace skald::lua {

EmbeddedLuaWorker::EmbeddedLuaWorker(const Definitions& definitions, LogSink& log, SlowLane* slow_lane,
                                     EmbeddedWorkerOptions options)
    : definitions_(definitions),
      slow_lane_(slow_lane),
      options_(std::move(options)),
      handler_(definitions, log, options_.handler) {}

bool EmbeddedLuaWorker::serves(std::string_view namespace_name, std::string_view task_queue,
                               std::string_view workflow_type) const {
  return polls(namespace_name, task_queue) && definitions_.current(workflow_type) != nullptr;
}

bool EmbeddedLuaWorker::polls(std::string_view namespace_name, std::string_view task_queue) const {
  if (options_.task_queues.find(task_queue) == options_.task_queues.end()) return false;
  return options_.namespaces.empty() || options_.namespaces.find(namespace_name) != options_.namespaces.end();
}

shard::EmbeddedWorker::Verdict EmbeddedLuaWorker::activate(
    const temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse& task, shard::WorkflowTaskAnswer& answer,
    absl::AnyInvocable<void(shard::WorkflowTaskAnswer)> later) {
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
  const uint64_t slice = slow_lane_ == nullptr ? 0 : options_.handler.limits.slice;
  // The server's commands need no namespace: an empty one is the run's own.
  switch (handler_.handle(task, "", slice, answer, unfinished)) {
    case WorkflowTaskHandler::Verdict::kAnswered:
      return Verdict::kAnswered;
    case WorkflowTaskHandler::Verdict::kNeedsHistory:
      return Verdict::kNeedsHistory;
    case WorkflowTaskHandler::Verdict::kUnfinished:
      slow_lane_->take(std::move(unfinished), std::move(later));
      return Verdict::kLater;
  }
  return Verdict::kAnswered;
}

void EmbeddedLuaWorker::forget(std::string_view run_id) { handler_.forget(run_id); }

}  // namespace skald::lua

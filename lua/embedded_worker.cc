#include "lua/embedded_worker.h"

#include <utility>

#include "skald/state/v1/state.pb.h"

namespace skald::lua {
namespace {

// A script in the slow lane: its workflow is noted while it has its turn.
class NotedScript final : public WorkflowTaskHandler::Unfinished {
 public:
  NotedScript(std::unique_ptr<Unfinished> script, shard::Quarantine& quarantine, const WorkflowTaskHandler::Task& task)
      : script_(std::move(script)), quarantine_(quarantine) {
    state::v1::TaskToken token;
    token.ParseFromString(task.task_token());
    workflow_ = {token.namespace_id(), token.workflow_id()};
  }

  bool go_on(uint64_t slice, WorkflowTaskHandler::Answer& answer) override {
    const shard::WorkNote note(&quarantine_, workflow_);
    return script_->go_on(slice, answer);
  }

 private:
  std::unique_ptr<Unfinished> script_;
  shard::Quarantine& quarantine_;
  store::WorkflowKey workflow_;
};

}  // namespace

EmbeddedLuaWorker::EmbeddedLuaWorker(const Definitions& definitions, LogSink& log, SlowLane* slow_lane,
                                     EmbeddedWorkerOptions options)
    : definitions_(definitions),
      slow_lane_(slow_lane),
      options_(std::move(options)),
      handler_(definitions, log, options_.handler) {
  if (slow_lane != nullptr)
    handler_.bury_with([slow_lane](std::unique_ptr<Script> script) { slow_lane->bury(std::move(script)); });
}

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
      if (options_.quarantine != nullptr) unfinished = std::make_unique<NotedScript>(std::move(unfinished), *options_.quarantine, task);
      slow_lane_->take(std::move(unfinished), std::move(later));
      return Verdict::kLater;
  }
  return Verdict::kAnswered;
}

void EmbeddedLuaWorker::forget(std::string_view run_id) { handler_.forget(run_id); }

}  // namespace skald::lua

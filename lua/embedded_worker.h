#pragma once

#include <memory>
#include <set>
#include <string>

#include "engine/shard/embedded_worker.h"
#include "engine/shard/quarantine.h"
#include "lua/slow_lane.h"
#include "lua/workflow_task_handler.h"

namespace skald::lua {

struct EmbeddedWorkerOptions {
  std::set<std::string, std::less<>> task_queues;  // that this worker serves
  std::set<std::string, std::less<>> namespaces;   // empty = all
  shard::Quarantine* quarantine = nullptr;         // told what is worked on in the slow lane; null = none
  HandlerOptions handler;
};

// The Lua worker inside the server. One instance an owner loop; definitions, log and slow lane are shared and outlive
// it. Without a slow lane scripts are never interrupted, only stopped by their budget: so a simulation is the same
// every time.
class EmbeddedLuaWorker final : public shard::EmbeddedWorker {
 public:
  EmbeddedLuaWorker(const Definitions& definitions, LogSink& log, SlowLane* slow_lane, EmbeddedWorkerOptions options);

  bool serves(std::string_view namespace_name, std::string_view task_queue,
              std::string_view workflow_type) const override;
  bool polls(std::string_view namespace_name, std::string_view task_queue) const override;
  Verdict activate(const temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse& task,
                   shard::WorkflowTaskAnswer& answer,
                   absl::AnyInvocable<void(shard::WorkflowTaskAnswer)> later) override;
  void forget(std::string_view run_id) override;

  const ScriptCache& cache() const { return handler_.cache(); }

 private:
  const Definitions& definitions_;
  SlowLane* slow_lane_;
  const EmbeddedWorkerOptions options_;
  WorkflowTaskHandler handler_;
};

}  // namespace skald::lua

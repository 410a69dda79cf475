#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/thread_executor.h"
#include "engine/worker/workflow_worker.h"
#include "lua/slow_lane.h"
#include "lua/workflow_task_handler.h"

namespace skald::server {

struct ScriptExecutorOptions {
  std::string namespace_name = "default";
  int threads = 2;
  lua::HandlerOptions handler;
};

// Lua workflows for a worker outside the server: each run always on the same one of its threads, scripts that compute
// for long in a slow lane beside them. Definitions, log and clock outlive it.
class ScriptExecutor final : public worker::WorkflowExecutor {
 public:
  ScriptExecutor(const lua::Definitions& definitions, lua::LogSink& log, const base::Clock& clock,
                 ScriptExecutorOptions options);
  ~ScriptExecutor() override;

  void execute(std::shared_ptr<const worker::WorkflowTask> task, Executed executed) override;
  void forget(std::string_view run_id) override { handler_.forget(run_id); }

 private:
  void run(const std::shared_ptr<const worker::WorkflowTask>& task, Executed executed);

  const ScriptExecutorOptions options_;
  lua::WorkflowTaskHandler handler_;
  lua::SlowLane slow_lane_;
  std::vector<std::unique_ptr<base::ThreadExecutor>> threads_;  // end first: they use what is above
};

}  // namespace skald::server

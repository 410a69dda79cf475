#include "engine/server/script_executor.h"

#include <functional>
#include <utility>

#include <absl/strings/str_cat.h>

namespace skald::server {

ScriptExecutor::ScriptExecutor(const lua::Definitions& definitions, lua::LogSink& log, const base::Clock& clock,
                               ScriptExecutorOptions options)
    : options_(std::move(options)), handler_(definitions, log, options_.handler) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.push_back(std::make_unique<base::ThreadExecutor>(absl::StrCat("skald-lua-", i), clock));
  }
}

ScriptExecutor::~ScriptExecutor() {
  for (auto& thread : threads_) thread->stop();
}

void ScriptExecutor::execute(std::shared_ptr<const worker::WorkflowTask> task, Executed executed) {
  const size_t thread = std::hash<std::string>()(task->workflow_execution().run_id()) % threads_.size();
  threads_[thread]->post(
      [this, task = std::move(task), executed = std::move(executed)]() mutable { run(task, std::move(executed)); });
}

void ScriptExecutor::run(const std::shared_ptr<const worker::WorkflowTask>& task, Executed executed) {
  using Verdict = lua::WorkflowTaskHandler::Verdict;
  worker::WorkflowAnswer answer;
  std::unique_ptr<lua::WorkflowTaskHandler::Unfinished> unfinished;
  switch (handler_.handle(*task, options_.namespace_name, options_.handler.limits.slice, answer, unfinished)) {
    case Verdict::kAnswered:
      return executed(std::move(answer));
    case Verdict::kNeedsHistory:
      return executed(std::nullopt);
    case Verdict::kUnfinished:
      return slow_lane_.take(
          std::move(unfinished),
          [executed = std::move(executed)](worker::WorkflowAnswer late) mutable { executed(std::move(late)); });
  }
}

}  // namespace skald::server

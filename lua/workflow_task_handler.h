#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "temporal/api/workflowservice/v1/request_response.pb.h"

#include "engine/shard/embedded_worker.h"
#include "lua/definitions.h"
#include "lua/log_sink.h"
#include "lua/script.h"
#include "lua/script_cache.h"

namespace skald::lua {

struct HandlerOptions {
  SandboxLimits limits;
  size_t cached_runs = 10'000;
  size_t cached_bytes = 64 << 20;
};

// Turns workflow tasks into answers: finds or replays the run, runs its script, says what is wrong with it. Answers
// carry no task token and no namespace; the caller knows them. Thread-safe, but one run's tasks come one at a time.
class WorkflowTaskHandler {
 public:
  using Task = temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;
  using Answer = shard::WorkflowTaskAnswer;

  // A task whose script has used up its slice.
  class Unfinished {
   public:
    virtual ~Unfinished() = default;
    // Goes on for another slice, on any thread; 0 = to the end. True when `answer` is set.
    virtual bool go_on(uint64_t slice, Answer& answer) = 0;
  };

  enum class Verdict { kAnswered, kNeedsHistory, kUnfinished };

  WorkflowTaskHandler(const Definitions& definitions, LogSink& log, HandlerOptions options);

  // Slice 0 = the script is not interrupted. Sets `answer` or `unfinished`, or neither when the whole history is
  // needed.
  Verdict handle(const Task& task, std::string_view namespace_name, uint64_t slice, Answer& answer,
                 std::unique_ptr<Unfinished>& unfinished);

  // The run's state does not count: it ended, or the answer was refused.
  void forget(std::string_view run_id) { cache_.forget(run_id); }
  const ScriptCache& cache() const { return cache_; }
  // Takes what is large to free: thread-safe, and lives as long as the handler.
  void bury_with(ScriptCache::Burial bury) { cache_.bury_with(std::move(bury)); }
  // The most work, in instructions, that a script did in a first slice between two chances to interrupt it.
  uint64_t longest_stretch() const { return longest_stretch_; }

 private:
  class TaskInHand;

  std::shared_ptr<const Definition> definition_for(const Task& task) const;
  std::unique_ptr<Script> find_or_make(const Task& task, std::string_view namespace_name, bool& needs_history,
                                    std::string& error);

  const Definitions& definitions_;
  LogSink& log_;
  const HandlerOptions options_;
  ScriptCache cache_;
  std::atomic<uint64_t> longest_stretch_ = 0;
};

}  // namespace skald::lua

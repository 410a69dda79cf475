#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/core/limits.h"
#include "engine/matching/matching.h"
#include "engine/shard/cached_run.h"
#include "engine/shard/commit_pipeline.h"

namespace skald::shard {

// Queries wait with their run: for a task of their own if no workflow task is pending, else they go along with the pending
// one. They live in memory only. A query's `done` is called once: by an answer, its deadline, or the run's leaving.
class QueryDesk {
 public:
  using Task = core::wire::PollWorkflowTaskQueueResponse;

  struct Parts {
    const base::Clock& clock;
    base::Executor& executor;
    matching::Matching& matching;
    const core::Limits& limits;
    CommitPipeline& commits;
    // Whether the embedded worker runs the run's workflow; and has it answer a query's task.
    std::function<bool(const CachedRun&)> serves;
    std::function<void(WorkflowEntry&, CachedRun&, Task)> activate;
    // Calls with the run once it is in memory and free, or not at all.
    std::function<void(const store::RunKey&, std::function<void(CachedRun&)>)> on_run;
  };

  explicit QueryDesk(Parts parts);

  void ask(WorkflowEntry& entry, CachedRun& run, PendingQuery query);
  // Sends the queries on their way that can go: the run has become free of its task, or has made its first.
  void pump(WorkflowEntry& entry, CachedRun& run);

  // The query-only task for a worker that polled it; nullopt if the query is gone or taken.
  std::optional<Task> take_task(CachedRun& run, const std::string& id);
  std::optional<PendingQuery> take(CachedRun& run, const std::string& id);
  void answer(CachedRun& run, PendingQuery query, const core::wire::RespondQueryTaskCompletedRequest& answer);

  // Puts the queries that wait into a workflow task that a worker got; takes their answers from its completion, to be
  // released after the completion was applied, or put aside if it was refused; or lets them wait for another task.
  void attach(CachedRun& run, Task& task);
  void take_answers(CachedRun& run, const core::wire::RespondWorkflowTaskCompletedRequest& request);
  void release_answers(CachedRun& run, bool accepted);
  void requeue(CachedRun& run);

  // The run leaves memory, or the server ends.
  void end(CachedRun& run, const absl::Status& why);
  void end_all(const absl::Status& why);

 private:
  using Response = absl::StatusOr<core::wire::QueryWorkflowResponse>;

  bool keeps_failing(const CachedRun& run) const;
  void have_embedded_answer(WorkflowEntry& entry, CachedRun& run);
  void dispatch(const CachedRun& run, const std::string& id);
  Task task_of(const CachedRun& run, const PendingQuery& query) const;
  void forget_if_done(CachedRun& run);
  void end_overdue(CachedRun& run);
  void sweep();

  Parts parts_;
  std::map<uint64_t, CachedRun*> asked_;  // runs with queries, by serial
  bool sweeping_ = false;
  // Of the task completion that is being applied.
  std::vector<std::pair<PendingQuery, Response>> answers_;
};

}  // namespace skald::shard

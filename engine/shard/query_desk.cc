#include "engine/shard/query_desk.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace skald::shard {
namespace {

namespace enums = temporal::api::enums::v1;

// From this attempt on the workflow task counts as failing, and no query can be answered.
constexpr int kFailingAttempt = 3;
constexpr absl::Duration kQuerySweepInterval = absl::Milliseconds(500);

absl::StatusOr<core::wire::QueryWorkflowResponse> to_response(enums::QueryResultType type, const temporal::api::common::v1::Payloads& answer,
                                                             const std::string& error, const temporal::api::failure::v1::Failure& failure) {
  if (type == enums::QUERY_RESULT_TYPE_ANSWERED) {
    core::wire::QueryWorkflowResponse response;
    *response.mutable_query_result() = answer;
    return response;
  }
  temporal::api::errordetails::v1::QueryFailedFailure detail;
  *detail.mutable_failure() = failure;
  return core::with_detail(absl::InvalidArgumentError(error.empty() ? failure.message() : error), detail);
}

bool is_closed(const CachedRun& run) { return run.state.status() != enums::WORKFLOW_EXECUTION_STATUS_RUNNING; }

}  // namespace

QueryDesk::QueryDesk(Parts parts) : parts_(std::move(parts)) {}

// The embedded worker answers at once, or holds the run: a later attempt that is still started has failed, and awaits
// its timeout.
bool QueryDesk::keeps_failing(const CachedRun& run) const {
  const auto& task = run.state.workflow_task();
  return task.attempt() >= kFailingAttempt || (parts_.serves(run) && task.attempt() > 1 && task.started_event_id() != 0);
}

void QueryDesk::ask(WorkflowEntry& entry, CachedRun& run, PendingQuery query) {
  run.queries.push_back(std::move(query));
  asked_.emplace(run.serial, &run);
  pump(entry, run);
  if (!sweeping_) sweep();
}

void QueryDesk::pump(WorkflowEntry& entry, CachedRun& run) {
  if (run.queries.empty() || entry.busy) return;
  if (run.state.has_workflow_task() && !is_closed(run)) {
    if (!keeps_failing(run)) return;
    const absl::Status failing =
        core::with_detail(absl::FailedPreconditionError("the workflow task keeps failing, so the query cannot be answered; see the worker's log"),
                          temporal::api::errordetails::v1::WorkflowNotReadyFailure());
    for (PendingQuery& query : std::exchange(run.queries, {})) query.done(failing);
    return;
  }
  if (!is_closed(run) && run.state.last_completed_task_event_id() == 0) return;  // The first task is still to come.
  if (parts_.serves(run)) return have_embedded_answer(entry, run);
  for (PendingQuery& query : run.queries) {
    if (query.stage != PendingQuery::Stage::kWaiting) continue;
    query.stage = PendingQuery::Stage::kQueued;
    parts_.commits.when_durable(run, [this, &run, id = query.id](const absl::Status& status) {
      if (status.ok()) dispatch(run, id);
    });
  }
}

void QueryDesk::dispatch(const CachedRun& run, const std::string& id) {
  const auto queue_named = [&](const std::string& name) { return matching::QueueKey{run.key.namespace_id, matching::TaskKind::kWorkflow, name}; };
  const matching::TaskRef task{run.key, 0, 0, id};
  const std::string& sticky = run.state.sticky().task_queue();
  const absl::Duration patience = parts_.limits.sticky_schedule_to_start_default;
  if (sticky.empty() || !parts_.matching.polled_since(queue_named(sticky), parts_.clock.now() - patience)) {
    parts_.matching.add(queue_named(run.state.task_queue()), task);
    return;
  }
  parts_.matching.add(queue_named(sticky), task);
  // The sticky worker may be gone: then any other one answers from the whole history.
  parts_.executor.post_at(parts_.clock.now() + patience, [this, task, normal = queue_named(run.state.task_queue())] {
    parts_.on_run(task.run, [this, task, normal](CachedRun& again) {
      const bool waits = std::any_of(again.queries.begin(), again.queries.end(), [&](const PendingQuery& query) {
        return query.id == task.query_id && query.stage == PendingQuery::Stage::kQueued;
      });
      if (waits) parts_.matching.add(normal, task);
    });
  });
}

void QueryDesk::have_embedded_answer(WorkflowEntry& entry, CachedRun& run) {
  while (!entry.busy) {
    const auto waiting = std::find_if(run.queries.begin(), run.queries.end(),
                                      [](const PendingQuery& query) { return query.stage == PendingQuery::Stage::kWaiting; });
    if (waiting == run.queries.end()) return;
    waiting->stage = PendingQuery::Stage::kWithWorker;
    parts_.activate(entry, run, task_of(run, *waiting));
  }
}

QueryDesk::Task QueryDesk::task_of(const CachedRun& run, const PendingQuery& query) const {
  Task task;
  core::state::TaskToken token;
  token.set_namespace_id(run.key.namespace_id);
  token.set_workflow_id(run.key.workflow_id);
  token.set_run_id(run.key.run_id);
  token.set_query_id(query.id);
  task.set_task_token(token.SerializeAsString());
  task.mutable_workflow_execution()->set_workflow_id(run.key.workflow_id);
  task.mutable_workflow_execution()->set_run_id(run.key.run_id);
  task.mutable_workflow_type()->set_name(run.state.workflow_type());
  task.set_previous_started_event_id(run.state.last_started_event_id());
  task.mutable_workflow_execution_task_queue()->set_name(run.state.task_queue());
  *task.mutable_query() = query.query;
  return task;
}

std::optional<QueryDesk::Task> QueryDesk::take_task(CachedRun& run, const std::string& id) {
  for (PendingQuery& query : run.queries) {
    if (query.id != id || query.stage == PendingQuery::Stage::kWithWorker) continue;
    query.stage = PendingQuery::Stage::kWithWorker;
    return task_of(run, query);
  }
  return std::nullopt;
}

std::optional<PendingQuery> QueryDesk::take(CachedRun& run, const std::string& id) {
  for (auto query = run.queries.begin(); query != run.queries.end(); ++query) {
    if (query->id != id) continue;
    PendingQuery taken = std::move(*query);
    run.queries.erase(query);
    return taken;
  }
  return std::nullopt;
}

void QueryDesk::answer(CachedRun& run, PendingQuery query,
                       const core::wire::RespondQueryTaskCompletedRequest& answer) {
  auto response = to_response(answer.completed_type(), answer.query_result(), answer.error_message(), answer.failure());
  parts_.commits.when_durable(run, [done = std::move(query.done), response = std::move(response)](const absl::Status& status) mutable {
    if (status.ok()) {
      done(std::move(response));
    } else {
      done(status);
    }
  });
}

void QueryDesk::attach(CachedRun& run, Task& task) {
  for (auto query = run.queries.begin(); query != run.queries.end();) {
    const auto next = std::next(query);
    if (query->stage != PendingQuery::Stage::kWithWorker) {
      (*task.mutable_queries())[query->id] = query->query;
      run.task_queries.splice(run.task_queries.end(), run.queries, query);
    }
    query = next;
  }
}

void QueryDesk::take_answers(CachedRun& run, const core::wire::RespondWorkflowTaskCompletedRequest& request) {
  for (auto query = run.task_queries.begin(); query != run.task_queries.end();) {
    const auto result = request.query_results().find(query->id);
    if (result == request.query_results().end()) {
      ++query;
      continue;
    }
    const auto& answer = result->second;
    auto response = to_response(answer.result_type(), answer.answer(), answer.error_message(), answer.failure());
    // The answer rests on the task's commands: it leaves with their commit.
    answers_.emplace_back(std::move(*query), std::move(response));
    query = run.task_queries.erase(query);
  }
}

void QueryDesk::release_answers(CachedRun& run, bool accepted) {
  for (auto& [query, response] : std::exchange(answers_, {})) {
    if (!accepted) {
      // What the answer rests on did not happen.
      run.task_queries.push_back(std::move(query));
      continue;
    }
    parts_.commits.when_durable(run, [done = std::move(query.done), response = std::move(response)](const absl::Status& status) mutable {
      if (status.ok()) {
        done(std::move(response));
      } else {
        done(status);
      }
    });
  }
}

void QueryDesk::requeue(CachedRun& run) {
  for (PendingQuery& query : run.task_queries) query.stage = PendingQuery::Stage::kWaiting;
  run.queries.splice(run.queries.end(), run.task_queries);
}

void QueryDesk::end(CachedRun& run, const absl::Status& why) {
  asked_.erase(run.serial);
  for (auto* list : {&run.queries, &run.task_queries}) {
    auto ended = std::exchange(*list, {});
    for (PendingQuery& query : ended) query.done(why);
  }
}

void QueryDesk::end_all(const absl::Status& why) {
  const auto runs = asked_;
  for (const auto& [serial, run] : runs) end(*run, why);
}

void QueryDesk::end_overdue(CachedRun& run) {
  const absl::Time now = parts_.clock.now();
  for (auto* list : {&run.queries, &run.task_queries}) {
    for (auto query = list->begin(); query != list->end();) {
      if (query->deadline > now) {
        ++query;
        continue;
      }
      const bool unseen = query->stage != PendingQuery::Stage::kWithWorker;
      query->done(absl::DeadlineExceededError(
          unseen ? absl::StrCat("no poller was seen on the task queue ", run.state.task_queue(),
                                " that took this query; start a worker, or see whether it hangs")
                 : "the worker has not answered the query in time"));
      query = list->erase(query);
    }
  }
}

void QueryDesk::forget_if_done(CachedRun& run) {
  if (run.queries.empty() && run.task_queries.empty()) asked_.erase(run.serial);
}

void QueryDesk::sweep() {
  sweeping_ = !asked_.empty();
  if (!sweeping_) return;
  parts_.executor.post_at(parts_.clock.now() + kQuerySweepInterval, [this] {
    const auto runs = asked_;
    for (const auto& [serial, run] : runs) {
      end_overdue(*run);
      forget_if_done(*run);
    }
    sweep();
  });
}

}  // namespace skald::shard

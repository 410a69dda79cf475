// The embedded worker runs workflow tasks in the transition that scheduled them: what woke the run and the commands that follow are one
// commit.
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "engine/base/text.h"
#include "engine/shard/owner.h"

namespace skald::shard {
namespace {

// Tasks of one run in a row before its neighbours have their turn.
constexpr int kTasksInARow = 64;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

bool Owner::serves(const CachedRun& run) const {
  return parts_.embedded != nullptr && parts_.embedded->serves(run.state.namespace_(), run.state.task_queue(), run.state.workflow_type());
}

void Owner::drive(WorkflowEntry& entry, CachedRun& run) {
  if (!serves(run) || quarantined(entry.key)) return;
  for (int task = 0; task < kTasksInARow; ++task) {
    if (entry.busy || !run.state.has_workflow_task() || run.state.workflow_task().started_event_id() != 0) return;
    const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
    if (!ns) return;
    core::StartWorkflowTask start;
    start.scheduled_event_id = run.state.workflow_task().scheduled_event_id();
    start.attempt = run.state.workflow_task().attempt();
    start.task_queue = run.state.task_queue();
    start.identity = kEmbeddedIdentity;
    start.process = parts_.process;
    start.request_id = parts_.random->uuid();
    core::Transition transition = core::apply(run.state, start, context(*ns));
    absorb_transition(entry, run, transition);
    auto* started = std::get_if<core::WorkflowTaskStarted>(&transition.output);
    if (!transition.status.ok() || started == nullptr) return;
    core::wire::PollWorkflowTaskQueueResponse head = std::move(started->response);
    queries_.attach(run, head);
    for (auto& event : started->transient_events) *head.mutable_history()->add_events() = std::move(event);
    activate(entry, run, std::move(head), /*whole_history=*/false);
  }
  // More is to be done: later, so that other runs have their turn.
  drive_later(run.key);
}

void Owner::drive_later(const store::RunKey& key) {
  submit(key.workflow(), key.run_id,
         [this](WorkflowEntry& entry, CachedRun* run) {
           if (run != nullptr) drive(entry, *run);
         },
         [this, key](const absl::Status&) { read_back_later(key); });
}

// `task` holds the transient events alone; the others are put before them here.
void Owner::activate(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, bool whole_history) {
  // To a worker that knows the run, a query brings nothing new: what happened since comes with the next task.
  const int64_t from = whole_history ? 1 : task.has_query() ? run.last_event_id() + 1 : task.previous_started_event_id() + 1;
  if (auto history = HistoryReader::in_memory(run, from, run.last_event_id())) {
    return activate_with(entry, run, std::move(task), *history, whole_history);
  }
  hold(entry);
  history_.read(run, from, run.last_event_id(),
              [this, key = run.key, generation = entry.generation, task = std::move(task), whole_history](absl::StatusOr<std::string> history) mutable {
                if (!history.ok()) {
                  // The task stays started; its timeout brings it back.
                  spdlog::warn("the history of workflow {} cannot be read: {}", key.workflow_id, base::text(history.status()));
                }
                resume(key, generation,
                       [this, task = std::move(task), history = std::move(history), whole_history](WorkflowEntry& same, CachedRun& again) mutable {
                         if (history.ok()) activate_with(same, again, std::move(task), *history, whole_history);
                         drive(same, again);
                         queries_.pump(same, again);
                       });
              });
}

void Owner::activate_with(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, const std::string& history,
                          bool whole_history) {
  core::wire::PollWorkflowTaskQueueResponse head = task;
  head.clear_history();
  core::wire::PollWorkflowTaskQueueResponse full = head;
  if (!full.mutable_history()->ParseFromString(history)) {
    return spdlog::error("the history of workflow {} is damaged", run.key.workflow_id);
  }
  full.mutable_history()->MergeFrom(task.history());

  WorkflowTaskAnswer answer;
  const auto later = [this, key = run.key, generation = entry.generation, head](WorkflowTaskAnswer late) mutable {
    resume(key, generation, [this, head = std::move(head), late = std::move(late)](WorkflowEntry& same, CachedRun& again) mutable {
      answered(same, again, head, std::move(late));
      drive(same, again);
      queries_.pump(same, again);
    });
  };
  switch (parts_.embedded->activate(full, answer, later)) {
    case EmbeddedWorker::Verdict::kAnswered:
      return answered(entry, run, head, std::move(answer));
    case EmbeddedWorker::Verdict::kLater:
      return hold(entry);
    case EmbeddedWorker::Verdict::kNeedsHistory:
      if (!whole_history) return activate(entry, run, std::move(task), /*whole_history=*/true);
      spdlog::error("the embedded worker refuses the whole history of workflow {}", run.key.workflow_id);
  }
}

void Owner::answered(WorkflowEntry& entry, CachedRun& run, const core::wire::PollWorkflowTaskQueueResponse& task, WorkflowTaskAnswer answer) {
  const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
  core::state::TaskToken token;
  if (!ns || !token.ParseFromString(task.task_token())) return;
  std::visit(Overloaded{
                 [&](core::wire::RespondWorkflowTaskCompletedRequest& request) {
                   request.set_identity(kEmbeddedIdentity);
                   queries_.take_answers(run, request);
                   core::Transition transition = core::apply(run.state, core::CompleteWorkflowTask{token, std::move(request)}, context(*ns));
                   if (!transition.status.ok()) {
                     spdlog::warn("workflow {}: its task's commands were refused: {}", run.key.workflow_id, base::text(transition.status));
                     parts_.embedded->forget(run.key.run_id);
                   }
                   const bool accepted = transition.status.ok();
                   absorb_transition(entry, run, transition);
                   queries_.release_answers(run, accepted);
                   queries_.requeue(run);
                   queries_.pump(entry, run);
                 },
                 [&](core::wire::RespondWorkflowTaskFailedRequest& request) {
                   spdlog::warn("workflow {} ({}), task attempt {}: {}", run.key.workflow_id, run.state.workflow_type(), token.attempt(),
                                request.failure().message());
                   parts_.embedded->forget(run.key.run_id);
                   // A first failure is written to history and tried again at once. Later ones are left to the task's timeout, which grows: it
                   // paces the attempts, as it does for every SDK.
                   if (token.attempt() > 1) {
                     queries_.requeue(run);
                     return queries_.pump(entry, run);
                   }
                   request.set_identity(kEmbeddedIdentity);
                   core::Transition transition = core::apply(run.state, core::FailWorkflowTask{token, std::move(request)}, context(*ns));
                   queries_.requeue(run);
                   absorb_transition(entry, run, transition);
                 },
                 [&](core::wire::RespondQueryTaskCompletedRequest& request) {
                   if (auto query = queries_.take(run, token.query_id())) queries_.answer(run, std::move(*query), request);
                 },
             },
             answer);
}

void Owner::hold(WorkflowEntry& entry) { entry.busy = true; }

void Owner::resume(const store::RunKey& key, uint64_t generation, absl::AnyInvocable<void(WorkflowEntry&, CachedRun&)> go_on) {
  parts_.executor.post([this, key, generation, go_on = std::move(go_on)]() mutable {
    WorkflowEntry& entry = cache_.entry(key.workflow());
    if (entry.generation != generation) return;  // The run was read back meanwhile; this answer rests on what was undone.
    entry.busy = false;
    const WorkNote note(parts_.quarantine, entry.key);
    const auto run = entry.runs.find(key.run_id);
    if (run != entry.runs.end() && run->second != nullptr) go_on(entry, *run->second);
    pump(entry);
  });
}

}  // namespace skald::shard

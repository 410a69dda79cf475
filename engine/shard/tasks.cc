// Polls and their answers: matching finds a task, its run's owner starts it, its worker completes it.
#include <algorithm>
#include <utility>

#include "engine/shard/routing.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

// A task's answer holds this many bytes of history at most; the worker reads the rest by its token.
constexpr size_t kTaskHistoryBytes = 2 << 20;
// An answer must reach the caller before the caller gives up.
constexpr absl::Duration kPollMargin = absl::Milliseconds(700);

}  // namespace

absl::StatusOr<core::state::TaskToken> parse_token(const Call& call, const std::string& bytes) {
  core::state::TaskToken token;
  if (bytes.empty()) return absl::InvalidArgumentError("Task token not set on request.");
  if (!token.ParseFromString(bytes) || token.workflow_id().empty()) return absl::InvalidArgumentError("Invalid TaskToken.");
  if (token.namespace_id() != call.ns->id) return absl::InvalidArgumentError("The task token belongs to another namespace.");
  return token;
}

// A parked long poll. `done` is called once.
template <typename Request>
struct EngineImpl::Poll {
  Call call;
  Request request;
  std::string request_id;
  absl::Time deadline;
  matching::QueueKey queue;
  std::conditional_t<std::is_same_v<Request, wire::PollWorkflowTaskQueueRequest>, Done<WorkflowTask>, Done<wire::PollActivityTaskQueueResponse>> done;

  bool cancelled() const { return call.cancellation != nullptr && call.cancellation->cancelled(); }
};

absl::Time EngineImpl::poll_deadline(const Call& call) const {
  return std::min(options_.clock.now() + options_.poll_timeout, call.deadline - kPollMargin);
}

void EngineImpl::poll_workflow_task(Call call, wire::PollWorkflowTaskQueueRequest request, Done<WorkflowTask> done) {
  auto poll = std::make_shared<Poll<wire::PollWorkflowTaskQueueRequest>>();
  poll->deadline = poll_deadline(call);
  poll->queue = {call.ns->id, matching::TaskKind::kWorkflow, request.task_queue().name()};
  poll->call = std::move(call);
  poll->request = std::move(request);
  poll->done = std::move(done);
  poll_workflow(std::move(poll));
}

void EngineImpl::poll_workflow(std::shared_ptr<Poll<wire::PollWorkflowTaskQueueRequest>> poll) {
  const auto id = options_.matching.poll(poll->queue, {poll->request.identity(), poll->deadline}, [this, poll](std::optional<matching::TaskRef> task) {
    if (!task) return poll->done(WorkflowTask());
    if (poll->cancelled()) {
      options_.matching.add(poll->queue, *std::move(task));
      return poll->done(absl::CancelledError("the poll was cancelled"));
    }
    start_workflow_task(poll, *std::move(task));
  });
  if (poll->call.cancellation != nullptr) {
    poll->call.cancellation->on_cancel([this, queue = poll->queue, id] { options_.matching.end_poll(queue, id); });
  }
}

void EngineImpl::start_workflow_task(std::shared_ptr<Poll<wire::PollWorkflowTaskQueueRequest>> poll, matching::TaskRef task) {
  const store::WorkflowKey key = task.run.workflow();
  const std::string run_id = task.run.run_id;
  Owner& owner = owner_of(key);
  owner.submit(
      key, run_id,
      [this, &owner, poll, task](WorkflowEntry& entry, CachedRun* run) {
        if (run == nullptr) return poll_workflow(poll);
        if (!task.query_id.empty()) {
          auto head = owner.queries().take_task(*run, task.query_id);
          if (!head) return poll_workflow(poll);
          const bool sticky = poll->queue.name != run->state.task_queue();
          core::WorkflowTaskStarted started;
          started.response = *std::move(head);
          started.history_last = sticky ? 0 : run->last_event_id();
          return send_workflow_task(owner, *run, std::move(started), std::move(poll->done));
        }
        core::StartWorkflowTask start;
        start.scheduled_event_id = task.scheduled_event_id;
        start.attempt = task.attempt;
        start.task_queue = poll->queue.name;
        start.identity = poll->request.identity();
        start.process = poll->call.of_this_process ? process_ : 0;
        start.request_id = run->key.run_id + "/" + std::to_string(task.scheduled_event_id) + "/" + std::to_string(task.attempt);
        owner.apply(entry, *run, start, [this, &owner, poll, run](const absl::Status& status, core::Output& output) {
          auto* started = std::get_if<core::WorkflowTaskStarted>(&output);
          // The task was taken, or is out of date: the poller waits on.
          if (absl::IsNotFound(status) || (status.ok() && started == nullptr)) return poll_workflow(poll);
          if (!status.ok()) return poll->done(status);
          owner.queries().attach(*run, started->response);
          send_workflow_task(owner, *run, std::move(*started), std::move(poll->done));
        });
      },
      [this, &owner, poll, task](const absl::Status& status) {
        if (owner.has_ended()) return poll->done(status);
        owner.hand_out_again(poll->queue, task);
        poll_workflow(poll);
      });
}

void EngineImpl::send_workflow_task(Owner& owner, CachedRun& run, core::WorkflowTaskStarted started, Done<WorkflowTask> done) {
  std::string transient;
  for (const auto& event : started.transient_events) append_event(transient, event);
  if (started.history_last < started.history_first) {
    WorkflowTask task{std::move(started.response), std::move(transient)};
    return done(std::move(task));
  }
  const int64_t first = started.history_first;
  const int64_t last = started.history_last;
  auto page = [run_id = run.key.run_id, first, last, head = std::move(started.response),
                     transient = std::move(transient), done = std::move(done)](absl::StatusOr<std::string> history) mutable {
    if (!history.ok()) return done(history.status());
    WorkflowTask task{std::move(head), *std::move(history)};
    if (task.history.size() + transient.size() <= kTaskHistoryBytes) {
      task.history += transient;
      return done(std::move(task));
    }
    int64_t events = count_events(task.history);
    while (events > 1 && prefix_size(task.history, events) > kTaskHistoryBytes) events /= 2;
    task.history.resize(prefix_size(task.history, events));
    core::state::HistoryToken token;
    token.set_run_id(run_id);
    token.set_next_event_id(first + events);
    token.set_last_event_id(last);
    token.set_transient_history(transient);
    token.set_for_task(true);
    task.head.set_next_page_token(token.SerializeAsString());
    done(std::move(task));
  };
  owner.history().read(run, first, last, std::move(page));
}

void EngineImpl::complete_workflow_task(Call call, wire::RespondWorkflowTaskCompletedRequest request,
                                        Done<wire::RespondWorkflowTaskCompletedResponse> done) {
  using Response = wire::RespondWorkflowTaskCompletedResponse;
  auto token = parse_token(call, request.task_token());
  if (!token.ok()) return done(token.status());
  store::WorkflowKey key{token->namespace_id(), token->workflow_id()};
  std::string run_id = token->run_id();
  on_run<Response>(
      std::move(key), std::move(run_id), std::move(done),
      [this, token = *std::move(token), request = std::move(request)](Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<Response> answer) mutable {
        owner.queries().take_answers(run, request);
        const absl::StatusCode said = owner.apply(entry, run, core::CompleteWorkflowTask{std::move(token), std::move(request)},
                    [this, &owner, &run, answer = std::move(answer)](const absl::Status& status, core::Output& output) mutable {
                      if (!status.ok()) return answer(status);
                      auto& completed = std::get<core::WorkflowTaskCompleted>(output);
                      if (!completed.next_task) return answer(std::move(completed.response));
                      owner.queries().attach(run, completed.next_task->response);
                      send_workflow_task(owner, run, *std::move(completed.next_task),
                                         [response = std::move(completed.response), answer = std::move(answer)](absl::StatusOr<WorkflowTask> task) mutable {
                                           if (task.ok()) {
                                             *response.mutable_workflow_task() = std::move(task->head);
                                             response.mutable_workflow_task()->mutable_history()->MergeFromString(task->history);
                                           }
                                           answer(std::move(response));
                                         });
                    });
        owner.queries().release_answers(run, said == absl::StatusCode::kOk);
        // A completion of another task than the run's leaves its queries with that.
        if (said != absl::StatusCode::kNotFound) owner.queries().requeue(run);
        owner.queries().pump(entry, run);
      });
}

void EngineImpl::fail_workflow_task(Call call, wire::RespondWorkflowTaskFailedRequest request, Done<wire::RespondWorkflowTaskFailedResponse> done) {
  using Response = wire::RespondWorkflowTaskFailedResponse;
  auto token = parse_token(call, request.task_token());
  if (!token.ok()) return done(token.status());
  store::WorkflowKey key{token->namespace_id(), token->workflow_id()};
  std::string run_id = token->run_id();
  on_run<Response>(std::move(key), std::move(run_id), std::move(done),
                   [token = *std::move(token), request = std::move(request)](Owner& owner, WorkflowEntry& entry, CachedRun& run,
                                                                             Done<Response> answer) mutable {
                     const absl::StatusCode said =
                         owner.apply(entry, run, core::FailWorkflowTask{std::move(token), std::move(request)},
                                     [answer = std::move(answer)](const absl::Status& status, core::Output&) mutable {
                                       if (!status.ok()) return answer(status);
                                       answer(Response());
                                     });
                     if (said != absl::StatusCode::kNotFound) owner.queries().requeue(run);
                     owner.queries().pump(entry, run);
                   });
}

void EngineImpl::answer_query(Call call, wire::RespondQueryTaskCompletedRequest request, Done<wire::RespondQueryTaskCompletedResponse> done) {
  using Response = wire::RespondQueryTaskCompletedResponse;
  auto token = parse_token(call, request.task_token());
  if (!token.ok()) return done(token.status());
  store::WorkflowKey key{token->namespace_id(), token->workflow_id()};
  std::string run_id = token->run_id();
  on_run<Response>(std::move(key), std::move(run_id), std::move(done),
                   [id = token->query_id(), request = std::move(request)](Owner& owner, WorkflowEntry&, CachedRun& run, Done<Response> answer) {
                     auto query = owner.queries().take(run, id);
                     if (!query) return answer(absl::NotFoundError("query not found, or already answered"));
                     owner.queries().answer(run, *std::move(query), request);
                     answer(Response());
                   });
}

void EngineImpl::query(Call call, wire::QueryWorkflowRequest request, Done<wire::QueryWorkflowResponse> done) {
  using Response = wire::QueryWorkflowResponse;
  const std::string workflow_id = request.execution().workflow_id();
  std::string run_id = request.execution().run_id();
  const absl::Time deadline = std::min(options_.clock.now() + options_.poll_timeout, call.deadline - kPollMargin);
  on_run<Response>({call.ns->id, workflow_id}, std::move(run_id), std::move(done),
                   [this, request = std::move(request), deadline](Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<Response> answer) {
                     if (is_quarantined(entry.key, run.state.status())) return answer(in_quarantine(entry.key));
                     namespace enums = temporal::api::enums::v1;
                     const auto status = run.state.status();
                     const auto condition = request.query_reject_condition();
                     const bool open = status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING;
                     const bool rejected = (condition == enums::QUERY_REJECT_CONDITION_NOT_OPEN && !open) ||
                                           (condition == enums::QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY && !open &&
                                            status != enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
                     if (rejected) {
                       Response response;
                       response.mutable_query_rejected()->set_status(status);
                       return answer(std::move(response));
                     }
                     owner.queries().ask(entry, run, {owner.new_query_id(), request.query(), deadline, std::move(answer)});
                   });
}

void EngineImpl::reset_sticky(Call call, wire::ResetStickyTaskQueueRequest request, Done<wire::ResetStickyTaskQueueResponse> done) {
  apply<wire::ResetStickyTaskQueueResponse>({call.ns->id, request.execution().workflow_id()}, request.execution().run_id(), core::ResetSticky{},
                                           std::move(done), [](core::Output&) { return wire::ResetStickyTaskQueueResponse(); });
}

void EngineImpl::shutdown_worker(Call call, wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) {
  if (!request.sticky_task_queue().empty()) {
    options_.matching.end_polls({call.ns->id, matching::TaskKind::kWorkflow, request.sticky_task_queue()}, "");
  }
  if (!request.task_queue().empty() && !request.identity().empty()) {
    for (const auto kind : {matching::TaskKind::kWorkflow, matching::TaskKind::kActivity}) {
      options_.matching.end_polls({call.ns->id, kind, request.task_queue()}, request.identity());
    }
  }
  done(wire::ShutdownWorkerResponse());
}

void EngineImpl::poll_activity_task(Call call, wire::PollActivityTaskQueueRequest request, Done<wire::PollActivityTaskQueueResponse> done) {
  auto poll = std::make_shared<Poll<wire::PollActivityTaskQueueRequest>>();
  poll->deadline = poll_deadline(call);
  poll->queue = {call.ns->id, matching::TaskKind::kActivity, request.task_queue().name()};
  poll->call = std::move(call);
  poll->request = std::move(request);
  poll->done = std::move(done);
  poll_activity(std::move(poll));
}

void EngineImpl::poll_activity(std::shared_ptr<Poll<wire::PollActivityTaskQueueRequest>> poll) {
  const auto id = options_.matching.poll(poll->queue, {poll->request.identity(), poll->deadline}, [this, poll](std::optional<matching::TaskRef> task) {
    if (!task) return poll->done(wire::PollActivityTaskQueueResponse());
    if (poll->cancelled()) {
      options_.matching.add(poll->queue, *std::move(task));
      return poll->done(absl::CancelledError("the poll was cancelled"));
    }
    core::StartActivity start;
    start.scheduled_event_id = task->scheduled_event_id;
    start.attempt = task->attempt;
    start.identity = poll->request.identity();
    start.process = poll->call.of_this_process ? process_ : 0;
    start.request_id = task->run.run_id + "/" + std::to_string(task->scheduled_event_id) + "/" + std::to_string(task->attempt);
    Owner& owner = owner_of(task->run.workflow());
    owner.submit(
        task->run.workflow(), task->run.run_id,
        [this, &owner, poll, start = std::move(start)](WorkflowEntry& entry, CachedRun* run) {
          if (run == nullptr) return poll_activity(poll);
          owner.apply(entry, *run, start, [this, poll](const absl::Status& status, core::Output& output) {
            auto* started = std::get_if<core::ActivityStarted>(&output);
            if (absl::IsNotFound(status) || (status.ok() && started == nullptr)) return poll_activity(poll);
            if (!status.ok()) return poll->done(status);
            poll->done(std::move(started->response));
          });
        },
        [this, &owner, poll, task = *task](const absl::Status& status) {
          if (owner.has_ended()) return poll->done(status);
          owner.hand_out_again(poll->queue, task);
          poll_activity(poll);
        });
  });
  if (poll->call.cancellation != nullptr) {
    poll->call.cancellation->on_cancel([this, queue = poll->queue, id] { options_.matching.end_poll(queue, id); });
  }
}

}  // namespace skald::shard

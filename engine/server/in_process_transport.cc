#include "engine/server/in_process_transport.h"

#include <utility>
#include <vector>

namespace skald::server {
namespace {

constexpr absl::Duration kPollRetryInterval = absl::Milliseconds(500);

}  // namespace

template <typename Request, typename Response>
void InProcessTransport::forward(void (shard::Engine::*method)(shard::Call, Request, shard::Done<Response>),
                                 Request request, worker::Done<Response> done) {
  auto ns = namespaces_.by_name(request.namespace_());
  if (ns == nullptr) return done(namespaces::namespace_not_found(request.namespace_()));
  (engine_.*method)(shard::Call{std::move(ns), absl::InfiniteFuture(), nullptr}, std::move(request), std::move(done));
}

std::optional<std::pair<uint64_t, shard::Call>> InProcessTransport::begin_poll(const std::string& namespace_name) {
  auto ns = namespaces_.by_name(namespace_name);
  const std::lock_guard lock(mutex_);
  if (shut_down_ || ns == nullptr) return std::nullopt;
  auto cancellation = std::make_shared<base::Cancellation>();
  const uint64_t id = next_poll_++;
  polls_[id] = cancellation;
  return std::pair(id, shard::Call{.ns = std::move(ns), .cancellation = std::move(cancellation), .of_this_process = true});
}

template <typename T>
worker::Done<T> InProcessTransport::ending_poll(uint64_t id, worker::Done<T> done) {
  return [this, id, done = std::move(done)](absl::StatusOr<T> answer) mutable {
    bool ended = false;
    {
      const std::lock_guard lock(mutex_);
      polls_.erase(id);
      ended = shut_down_;
    }
    if (ended && (!answer.ok() || answer->task_token().empty()))
      return done(absl::CancelledError("the worker is shutting down"));
    if (answer.ok()) return done(std::move(answer));
    executor_.post_at(clock_.now() + kPollRetryInterval,
                      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
  };
}

void InProcessTransport::poll_workflow_task(worker::wire::PollWorkflowTaskQueueRequest request,
                                            worker::Done<worker::wire::PollWorkflowTaskQueueResponse> done) {
  auto poll = begin_poll(request.namespace_());
  if (!poll) return done(absl::CancelledError("the worker is shutting down"));
  auto ending = ending_poll<worker::wire::PollWorkflowTaskQueueResponse>(poll->first, std::move(done));
  engine_.poll_workflow_task(std::move(poll->second), std::move(request),
                             [ending = std::move(ending)](absl::StatusOr<shard::WorkflowTask> task) mutable {
                               if (!task.ok()) return ending(task.status());
                               if (!task->head.mutable_history()->ParseFromString(task->history))
                                 return ending(absl::DataLossError("the task's history is damaged"));
                               ending(std::move(task->head));
                             });
}

void InProcessTransport::poll_activity_task(worker::wire::PollActivityTaskQueueRequest request,
                                            worker::Done<worker::wire::PollActivityTaskQueueResponse> done) {
  auto poll = begin_poll(request.namespace_());
  if (!poll) return done(absl::CancelledError("the worker is shutting down"));
  engine_.poll_activity_task(std::move(poll->second), std::move(request),
                             ending_poll<worker::wire::PollActivityTaskQueueResponse>(poll->first, std::move(done)));
}

void InProcessTransport::complete_workflow_task(worker::wire::RespondWorkflowTaskCompletedRequest request,
                                                worker::Done<worker::wire::RespondWorkflowTaskCompletedResponse> done) {
  forward(&shard::Engine::complete_workflow_task, std::move(request), std::move(done));
}
void InProcessTransport::fail_workflow_task(worker::wire::RespondWorkflowTaskFailedRequest request,
                                            worker::Done<worker::wire::RespondWorkflowTaskFailedResponse> done) {
  forward(&shard::Engine::fail_workflow_task, std::move(request), std::move(done));
}
void InProcessTransport::answer_query(worker::wire::RespondQueryTaskCompletedRequest request,
                                      worker::Done<worker::wire::RespondQueryTaskCompletedResponse> done) {
  forward(&shard::Engine::answer_query, std::move(request), std::move(done));
}
void InProcessTransport::read_history(worker::wire::GetWorkflowExecutionHistoryRequest request,
                                      worker::Done<worker::wire::GetWorkflowExecutionHistoryResponse> done) {
  auto ns = namespaces_.by_name(request.namespace_());
  if (ns == nullptr) return done(namespaces::namespace_not_found(request.namespace_()));
  shard::HistoryRequest history;
  history.workflow_id = request.execution().workflow_id();
  history.run_id = request.execution().run_id();
  history.page_size = request.maximum_page_size();
  history.next_page_token = request.next_page_token();
  history.wait_new_event = request.wait_new_event();
  engine_.read_history(shard::Call{std::move(ns), absl::InfiniteFuture(), nullptr}, std::move(history),
                       [done = std::move(done)](absl::StatusOr<shard::HistoryPage> page) mutable {
                         if (!page.ok()) return done(page.status());
                         worker::wire::GetWorkflowExecutionHistoryResponse response;
                         response.set_next_page_token(page->next_page_token);
                         if (!response.mutable_history()->ParseFromString(page->history))
                           return done(absl::DataLossError("the history is damaged"));
                         done(std::move(response));
                       });
}
void InProcessTransport::complete_activity(worker::wire::RespondActivityTaskCompletedRequest request,
                                           worker::Done<worker::wire::RespondActivityTaskCompletedResponse> done) {
  forward(&shard::Engine::complete_activity, std::move(request), std::move(done));
}
void InProcessTransport::fail_activity(worker::wire::RespondActivityTaskFailedRequest request,
                                       worker::Done<worker::wire::RespondActivityTaskFailedResponse> done) {
  forward(&shard::Engine::fail_activity, std::move(request), std::move(done));
}
void InProcessTransport::cancel_activity(worker::wire::RespondActivityTaskCanceledRequest request,
                                         worker::Done<worker::wire::RespondActivityTaskCanceledResponse> done) {
  forward(&shard::Engine::cancel_activity, std::move(request), std::move(done));
}
void InProcessTransport::heartbeat(worker::wire::RecordActivityTaskHeartbeatRequest request,
                                   worker::Done<worker::wire::RecordActivityTaskHeartbeatResponse> done) {
  forward(&shard::Engine::heartbeat, std::move(request), std::move(done));
}

void InProcessTransport::shutdown_worker(worker::wire::ShutdownWorkerRequest request,
                                         worker::Done<worker::wire::ShutdownWorkerResponse> done) {
  forward(&shard::Engine::shutdown_worker, std::move(request), std::move(done));
}

void InProcessTransport::shutdown() {
  std::vector<std::shared_ptr<base::Cancellation>> open;
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    for (auto& [id, cancellation] : polls_) open.push_back(cancellation);
  }
  for (auto& cancellation : open) cancellation->cancel();
}

}  // namespace skald::server

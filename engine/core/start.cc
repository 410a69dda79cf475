#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

Beginning beginning_of(const StartRequest& start, const Context& context) {
  const auto& request = start.request;
  Beginning beginning;
  beginning.workflow_id = request.workflow_id();
  beginning.request_id = request.request_id();
  beginning.id_reuse_policy = request.workflow_id_reuse_policy();
  beginning.parent = start.parent;
  beginning.user_metadata = request.user_metadata();
  beginning.awaits_parent = start.parent.has_value();
  auto& attributes = beginning.attributes;
  *attributes.mutable_workflow_type() = request.workflow_type();
  attributes.mutable_task_queue()->set_name(request.task_queue().name());
  attributes.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (request.has_input()) *attributes.mutable_input() = request.input();
  *attributes.mutable_workflow_execution_timeout() = request.workflow_execution_timeout();
  set(attributes.mutable_workflow_run_timeout(),
      run_timeout_within(to_duration(request.workflow_run_timeout()), to_duration(request.workflow_execution_timeout())));
  set(attributes.mutable_workflow_task_timeout(),
      task_timeout_within(to_duration(request.workflow_task_timeout()), to_duration(attributes.workflow_run_timeout()), context.limits));
  attributes.set_identity(request.identity());
  if (request.has_retry_policy()) *attributes.mutable_retry_policy() = filled_in(request.retry_policy());
  attributes.set_cron_schedule(request.cron_schedule());
  if (request.has_memo()) *attributes.mutable_memo() = request.memo();
  if (request.has_search_attributes()) {
    *attributes.mutable_search_attributes() = request.search_attributes();
    label_search_attributes(*attributes.mutable_search_attributes(), context.ns);
  }
  if (request.has_header()) *attributes.mutable_header() = request.header();
  if (request.has_priority()) *attributes.mutable_priority() = request.priority();
  if (request.has_last_completion_result()) *attributes.mutable_last_completion_result() = request.last_completion_result();
  if (request.has_continued_failure()) *attributes.mutable_continued_failure() = within_limits(request.continued_failure(), context.limits);
  if (start.root) *attributes.mutable_root_workflow_execution() = *start.root;
  beginning.backoff = to_duration(request.workflow_start_delay());
  if (!request.cron_schedule().empty()) {
    if (const auto next = next_cron_time(request.cron_schedule(), context.now, context.now)) beginning.backoff = *next - context.now;
  }
  return beginning;
}

absl::Status deliver_signal(Step& step, const StartRequest& start) {
  const auto& given = *start.signal;
  return signal(step, given.signal_name(), given.has_signal_input() ? &given.signal_input() : nullptr, given.has_header() ? &given.header() : nullptr,
                given.identity(), given.request_id(), nullptr);
}

// A run that waits for its first task begins at once.
void end_start_delay(Step& step) {
  if (!step.state.has_first_task_backoff_until()) return;
  step.state.clear_first_task_backoff_until();
  step.mark_durable();
  schedule_workflow_task(step);
}

// Whether a closed run lets its workflow id be used again.
absl::Status check_reuse(const StartRequest& start, const CurrentRun& closed) {
  switch (start.request.workflow_id_reuse_policy()) {
    case enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
      return already_started("Workflow execution already finished. WorkflowId: " + start.request.workflow_id() + ", RunId: " + closed.run_id +
                                 ". Workflow Id reuse policy: reject duplicate.",
                             closed.start_request_id, closed.run_id);
    case enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
      if (closed.status == enums::WORKFLOW_EXECUTION_STATUS_COMPLETED) {
        return already_started("Workflow execution already finished successfully. WorkflowId: " + start.request.workflow_id() + ", RunId: " +
                                   closed.run_id + ". Workflow Id reuse policy: allow duplicate workflow Id if last run failed.",
                               closed.start_request_id, closed.run_id);
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

Transition finish(Step& step) {
  Transition transition;
  take(step, transition);
  account(step.state, step.context, transition);
  return transition;
}

void create(const StartRequest& start, const Context& context, StartResult& result) {
  absl::Status signalled;
  Beginning beginning = beginning_of(start, context);
  const bool eager = start.request.request_eager_execution() && beginning.backoff <= absl::ZeroDuration() && !beginning.awaits_parent;
  beginning.attributes.set_eager_execution_accepted(eager);
  NewRun created = new_run(std::move(beginning), context, [&](Step& step) {
    if (start.signal) signalled = deliver_signal(step, start);
  });
  if (!signalled.ok()) {
    result.status = signalled;
    return;
  }
  result.run_id = created.state.run_id();
  result.created = true;
  if (eager) {
    Step step(created.state, context);
    result.eager_task = begin_task(step, start.request.identity(), start.request.request_id(), false);
    count_history(created.state, step.effects.events);
    for (HistoryEvent& event : step.effects.events) created.effects.events.push_back(std::move(event));
    created.effects.dispatch_workflow_task = false;
  }
  result.created_run = std::move(created);
}

}  // namespace

StartResult start(const StartRequest& request, const CurrentRun* current, const Context& context) {
  StartResult result;
  if (!request.request.cron_schedule().empty()) {
    result.status = check_cron(request.request.cron_schedule());
    if (!result.status.ok()) return result;
  }
  if (current == nullptr) {
    create(request, context, result);
    return result;
  }
  // A repeated request is answered before any policy is looked at.
  if (!request.request.request_id().empty() && request.request.request_id() == current->start_request_id) {
    result.run_id = current->run_id;
    result.created = !request.signal.has_value();
    return result;
  }
  if (current->open == nullptr) {
    result.status = check_reuse(request, *current);
    if (result.status.ok()) create(request, context, result);
    return result;
  }

  auto conflict = request.request.workflow_id_conflict_policy();
  if (request.request.workflow_id_reuse_policy() == enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING) {
    conflict = enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING;
  }
  if (conflict == enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED) {
    conflict = request.signal ? enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING : enums::WORKFLOW_ID_CONFLICT_POLICY_FAIL;
  }
  Step open(*current->open, context);
  switch (conflict) {
    case enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
      result.run_id = current->run_id;
      if (request.signal) {
        result.status = deliver_signal(open, request);
        if (open.changed) end_start_delay(open);
        result.current_changed = finish(open);
      }
      return result;
    case enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
      terminate(open, "TerminateIfRunning WorkflowIdReusePolicy", nullptr, "history-service");
      result.current_changed = finish(open);
      create(request, context, result);
      return result;
    default:
      result.status = already_started("Workflow execution is already running. WorkflowId: " + request.request.workflow_id() +
                                          ", RunId: " + current->run_id + ".",
                                      current->start_request_id, current->run_id);
      return result;
  }
}

wire::StartWorkflowExecutionRequest start_part(const wire::SignalWithStartWorkflowExecutionRequest& request) {
  wire::StartWorkflowExecutionRequest start;
  start.set_namespace_(request.namespace_());
  start.set_workflow_id(request.workflow_id());
  *start.mutable_workflow_type() = request.workflow_type();
  *start.mutable_task_queue() = request.task_queue();
  if (request.has_input()) *start.mutable_input() = request.input();
  *start.mutable_workflow_execution_timeout() = request.workflow_execution_timeout();
  *start.mutable_workflow_run_timeout() = request.workflow_run_timeout();
  *start.mutable_workflow_task_timeout() = request.workflow_task_timeout();
  start.set_identity(request.identity());
  start.set_request_id(request.request_id());
  start.set_workflow_id_reuse_policy(request.workflow_id_reuse_policy());
  start.set_workflow_id_conflict_policy(request.workflow_id_conflict_policy());
  if (request.has_retry_policy()) *start.mutable_retry_policy() = request.retry_policy();
  start.set_cron_schedule(request.cron_schedule());
  if (request.has_memo()) *start.mutable_memo() = request.memo();
  if (request.has_search_attributes()) *start.mutable_search_attributes() = request.search_attributes();
  if (request.has_header()) *start.mutable_header() = request.header();
  *start.mutable_workflow_start_delay() = request.workflow_start_delay();
  if (request.has_user_metadata()) *start.mutable_user_metadata() = request.user_metadata();
  if (request.has_priority()) *start.mutable_priority() = request.priority();
  return start;
}

}  // namespace skald::core

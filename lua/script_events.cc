// What history tells a run.
#include <absl/strings/str_cat.h>

#include "lua/failures.h"
#include "lua/payloads.h"
#include "lua/script.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

Failure application_failure(const std::string& type, const std::string& message, bool final = true) {
  Failure failure;
  failure.set_message(message);
  failure.mutable_application_failure_info()->set_type(type);
  failure.mutable_application_failure_info()->set_non_retryable(final);
  return failure;
}

}  // namespace

bool Script::compare(const Event& event, std::string& error) {
  if (event.event_id() <= compared_event_id_) return true;
  const auto recorded = command_of(event);
  if (!recorded) return true;
  compared_event_id_ = event.event_id();
  if (expected_.empty() || !matches(expected_.front(), *recorded)) {
    error = mismatch(event, *recorded, expected_.empty() ? nullptr : &expected_.front());
    return false;
  }
  const uint32_t number = expected_.front().operation;
  expected_.pop_front();
  if (Operation* started = operation(number)) {
    started->event_id = event.event_id();
    by_event_[event.event_id()] = number;
  }
  return true;
}

bool Script::apply_start(const Event& event, std::string& error) {
  if (event.event_type() != EVENT_TYPE_WORKFLOW_EXECUTION_STARTED) return true;
  started_ = event.workflow_execution_started_event_attributes();
  input_bytes_ = started_.ByteSizeLong();
  memo_ = started_.memo();
  search_attributes_ = started_.search_attributes();
  started_at_ =
      absl::UnixEpoch() + absl::Seconds(event.event_time().seconds()) + absl::Nanoseconds(event.event_time().nanos());
  // A run that was reset has another id than the one whose events it replays.
  if (started_.original_execution_run_id().empty()) started_.set_original_execution_run_id(identity_.run_id);
  sandbox_.random() = RandomStream(RandomStream::seed_from(started_.original_execution_run_id()));
  return start_main(error);
}

bool Script::start_main(std::string& error) {
  lua_State* L = sandbox_.state();
  const Arena::HostWork host(sandbox_.arena());
  const int top = lua_gettop(L);
  lua_pushcfunction(L, run_definition);
  const std::string chunk_name = absl::StrCat("@", definition_->name, ".lua");
  if (luaL_loadbufferx(L, definition_->code.data(), definition_->code.size(), chunk_name.c_str(), "b") != LUA_OK) {
    error = lua_tostring(L, -1);
    return false;
  }
  std::string unreadable;
  if (!decode_payloads(L, started_.input(), unreadable)) {
    lua_settop(L, top);
    refuse_input(unreadable);
    return true;
  }
  scheduler_.spawn(L, lua_gettop(L) - top - 1, Coroutine::Role::kMain, Scheduler::kRootScope);
  return true;
}

void Script::apply_signal(const Event& event) {
  if (event.event_type() == EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
    cancel_scope(Scheduler::kRootScope, event.workflow_execution_cancel_requested_event_attributes().cause());
  if (event.event_type() != EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) return;
  const auto& signal = event.workflow_execution_signaled_event_attributes();
  SignalChannel& target = channels_[signal.signal_name()];
  lua_State* L = sandbox_.state();
  const Arena::HostWork host(sandbox_.arena());
  const int top = lua_gettop(L);
  if (target.handler != LUA_NOREF) lua_rawgeti(L, LUA_REGISTRYINDEX, target.handler);
  if (!read_signal(event)) return lua_settop(L, top);
  if (target.handler != LUA_NOREF) {
    scheduler_.spawn(L, lua_gettop(L) - top - 1, Coroutine::Role::kHandler, Scheduler::kRootScope);
    return;
  }
  if (!target.next.empty()) {
    lua_settop(L, top + 1);
    const int future = target.next.front();
    target.next.pop_front();
    scheduler_.settle_kept(L, future, true);
    return;
  }
  lua_settop(L, top);
  target.unread.push_back(signal.input());
  for (const uint32_t id : target.receivers) scheduler_.wake_id(id);
  target.receivers.clear();
}

bool Script::deliver(lua_State* L, SignalChannel& target, const Payloads& input, std::string& error) {
  const Arena::HostWork host(sandbox_.arena());
  const int top = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, target.handler);
  if (!decode_payloads(L, input, error)) {
    lua_settop(L, top);
    return false;
  }
  scheduler_.spawn(L, lua_gettop(L) - top - 1, Coroutine::Role::kHandler, Scheduler::kRootScope);
  return true;
}

void Script::apply(const Event& event) {
  switch (event.event_type()) {
    case EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
    case EVENT_TYPE_ACTIVITY_TASK_FAILED:
    case EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
    case EVENT_TYPE_ACTIVITY_TASK_CANCELED:
      return apply_activity(event);
    case EVENT_TYPE_TIMER_FIRED:
      return settle_value(event.timer_fired_event_attributes().started_event_id(), Payloads());
    case EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      return apply_child(event);
    case EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
    case EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
    case EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
    case EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
      return apply_external(event);
    default:
      return;
  }
}

void Script::apply_activity(const Event& event) {
  if (event.has_activity_task_completed_event_attributes()) {
    const auto& completed = event.activity_task_completed_event_attributes();
    settle_value(completed.scheduled_event_id(), completed.result());
  } else if (event.has_activity_task_failed_event_attributes()) {
    const auto& failed = event.activity_task_failed_event_attributes();
    settle_failure(failed.scheduled_event_id(), failed.failure());
  } else if (event.has_activity_task_timed_out_event_attributes()) {
    const auto& timed_out = event.activity_task_timed_out_event_attributes();
    settle_failure(timed_out.scheduled_event_id(), timed_out.failure());
  } else {
    const auto& canceled = event.activity_task_canceled_event_attributes();
    Failure failure = cancelled_failure("");
    *failure.mutable_canceled_failure_info()->mutable_details() = canceled.details();
    settle_failure(canceled.scheduled_event_id(), std::move(failure));
  }
}

void Script::apply_child(const Event& event) {
  switch (event.event_type()) {
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: {
      const auto& started = event.child_workflow_execution_started_event_attributes();
      if (Operation* child = operation(number_of(started.initiated_event_id()))) {
        child->run_id = started.workflow_execution().run_id();
        lua_State* L = sandbox_.state();
        lua_pushlstring(L, child->run_id.data(), child->run_id.size());
        settle_started(*child, true);
      }
      return;
    }
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: {
      const auto& completed = event.child_workflow_execution_completed_event_attributes();
      return settle_value(completed.initiated_event_id(), completed.result());
    }
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: {
      const auto& failed = event.child_workflow_execution_failed_event_attributes();
      settle_failure(failed.initiated_event_id(), failed.failure());
      return;
    }
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      settle_failure(event.child_workflow_execution_canceled_event_attributes().initiated_event_id(),
                     cancelled_failure(""));
      return;
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: {
      Failure failure;
      failure.set_message("the child workflow timed out");
      failure.mutable_timeout_failure_info()->set_timeout_type(TIMEOUT_TYPE_START_TO_CLOSE);
      settle_failure(event.child_workflow_execution_timed_out_event_attributes().initiated_event_id(),
                     std::move(failure));
      return;
    }
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: {
      Failure failure;
      failure.set_message("the child workflow was terminated");
      failure.mutable_terminated_failure_info();
      settle_failure(event.child_workflow_execution_terminated_event_attributes().initiated_event_id(),
                     std::move(failure));
      return;
    }
    default: {
      const auto& failed = event.start_child_workflow_execution_failed_event_attributes();
      const bool exists = failed.cause() == START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS;
      settle_failure(
          failed.initiated_event_id(),
          exists ? application_failure("WorkflowAlreadyStarted",
                                       absl::StrCat("a workflow with the id '", failed.workflow_id(), "' exists"))
                 : application_failure("ChildNotStarted", absl::StrCat("the child workflow '", failed.workflow_id(),
                                                                       "' could not be started")));
      return;
    }
  }
}

void Script::apply_external(const Event& event) {
  switch (event.event_type()) {
    case EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
      return settle_value(event.external_workflow_execution_signaled_event_attributes().initiated_event_id(),
                          Payloads());
    case EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
      return settle_value(event.external_workflow_execution_cancel_requested_event_attributes().initiated_event_id(),
                          Payloads());
    case EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: {
      const auto& failed = event.signal_external_workflow_execution_failed_event_attributes();
      settle_failure(
          failed.initiated_event_id(),
          application_failure("SignalFailed", absl::StrCat("the workflow '", failed.workflow_execution().workflow_id(),
                                                           "' could not be signalled: there is no open run of it")));
      return;
    }
    default: {
      const auto& failed = event.request_cancel_external_workflow_execution_failed_event_attributes();
      settle_failure(
          failed.initiated_event_id(),
          application_failure("CancelFailed", absl::StrCat("the workflow '", failed.workflow_execution().workflow_id(),
                                                           "' could not be cancelled: there is no open run of it")));
      return;
    }
  }
}

uint32_t Script::number_of(int64_t event_id) const {
  const auto found = by_event_.find(event_id);
  return found == by_event_.end() ? 0 : found->second;
}

void Script::settle_value(int64_t event_id, const Payloads& value) {
  const uint32_t number = number_of(event_id);
  if (number == 0) return;  // the script gave it up
  std::string error;
  if (decode_first(sandbox_.state(), value, error)) return settle(number, true);
  // It did happen: not an answer that says that nothing was done.
  settle_failure(event_id,
                 application_failure("UnreadableResult",
                                     absl::StrCat("the result of ", operation(number)->type, " cannot be read: ", error),
                                     /*final=*/false));
}

void Script::settle_failure(int64_t event_id, Failure failure) {
  const uint32_t number = number_of(event_id);
  if (number == 0) return;
  push_failure(sandbox_.state(), wrapped(*operation(number), std::move(failure)));
  settle(number, false);
}

}  // namespace skald::lua

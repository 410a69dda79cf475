#include "tests/unit/lua/history_driver.h"

#include <algorithm>
#include <stdexcept>

#include <absl/strings/str_cat.h>

namespace skald::lua::testing {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;
namespace wire = temporal::api::workflowservice::v1;

constexpr char kType[] = "order";
constexpr int kMostTasks = 5'000;
constexpr char kWorkflowId[] = "order-1";
constexpr char kRunId[] = "3f8a7c1e-0000-4000-8000-000000000001";

void set_payloads(Payloads& payloads, const std::vector<std::string>& values,
                  const std::string& encoding = "json/plain") {
  for (const std::string& value : values) {
    auto& payload = *payloads.add_payloads();
    (*payload.mutable_metadata())["encoding"] = encoding;
    payload.set_data(value);
  }
}

std::string first_of(const Payloads& payloads) {
  if (payloads.payloads_size() == 0 || payloads.payloads(0).metadata().at("encoding") == "binary/null") return "null";
  return payloads.payloads(0).data();
}

std::vector<std::string> all_of(const Payloads& payloads) {
  std::vector<std::string> values;
  for (const auto& payload : payloads.payloads()) values.push_back(payload.data());
  return values;
}

Failure failure_of(const Outcome& outcome) {
  Failure failure;
  failure.set_message(outcome.message);
  if (outcome.kind == Outcome::Kind::kTimeout) {
    failure.set_message("timed out");
    failure.mutable_timeout_failure_info()->set_timeout_type(TIMEOUT_TYPE_START_TO_CLOSE);
  } else {
    failure.mutable_application_failure_info()->set_type(outcome.type);
    failure.mutable_application_failure_info()->set_non_retryable(outcome.final);
    Failure* last = &failure;
    for (int i = 0; i < outcome.causes; ++i) {
      last = last->mutable_cause();
      last->set_message("a cause");
      last->mutable_application_failure_info()->set_type("Cause");
    }
    if (!outcome.json.empty())
      set_payloads(*failure.mutable_application_failure_info()->mutable_details(), {outcome.json});
  }
  return failure;
}

}  // namespace

HistoryDriver::HistoryDriver(const std::string& source, HandlerOptions options, const ModuleSources& modules)
    : handler_(definitions_, log_, std::move(options)) {
  definitions_.add(compile_definition(kType, source, modules));
}

HistoryDriver::Event& HistoryDriver::add(EventType type) {
  Event& event = *history_.add_events();
  event.set_event_id(history_.events_size());
  event.set_event_type(type);
  event.mutable_event_time()->set_seconds(absl::ToUnixSeconds(now_));
  event.mutable_event_time()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(now_ - absl::FromUnixSeconds(absl::ToUnixSeconds(now_)))));
  return event;
}

void HistoryDriver::start(const std::vector<std::string>& arguments) {
  auto& started = *add(EVENT_TYPE_WORKFLOW_EXECUTION_STARTED).mutable_workflow_execution_started_event_attributes();
  started.mutable_workflow_type()->set_name(kType);
  started.mutable_task_queue()->set_name("orders");
  started.set_original_execution_run_id(kRunId);
  started.set_first_execution_run_id(kRunId);
  started.set_attempt(1);
  set_payloads(*started.mutable_input(), arguments, encoding_);
  for (const auto& [name, value] : memo_) {
    Payloads payloads;
    set_payloads(payloads, {value}, encoding_);
    (*started.mutable_memo()->mutable_fields())[name] = payloads.payloads(0);
  }
  needs_task_ = true;
}

void HistoryDriver::signal(const std::string& name, const std::vector<std::string>& arguments) {
  auto& signal = *add(EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED).mutable_workflow_execution_signaled_event_attributes();
  signal.set_signal_name(name);
  set_payloads(*signal.mutable_input(), arguments, encoding_);
  needs_task_ = true;
}

void HistoryDriver::request_cancel() {
  add(EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
      .mutable_workflow_execution_cancel_requested_event_attributes()
      ->set_cause("by the customer");
  needs_task_ = true;
}

void HistoryDriver::time_out_task() {
  for (const EventType type :
       {EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EVENT_TYPE_WORKFLOW_TASK_STARTED, EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT}) {
    add(type);
  }
  now_ += absl::Seconds(10);
}

WorkflowTaskHandler::Task HistoryDriver::make_task(bool whole) const {
  WorkflowTaskHandler::Task task;
  task.mutable_workflow_execution()->set_workflow_id(kWorkflowId);
  task.mutable_workflow_execution()->set_run_id(kRunId);
  task.mutable_workflow_type()->set_name(kType);
  task.set_previous_started_event_id(previous_started_);
  for (const Event& event : history_.events()) {
    if (whole || event.event_id() > previous_started_) *task.mutable_history()->add_events() = event;
  }
  return task;
}

void HistoryDriver::run_task() {
  needs_task_ = false;
  if (++tasks_ > kMostTasks) throw std::runtime_error("the workflow does not come to an end");
  add(EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
  Event& started = add(EVENT_TYPE_WORKFLOW_TASK_STARTED);
  started.mutable_workflow_task_started_event_attributes()->set_scheduled_event_id(started.event_id() - 1);
  const int64_t started_id = started.event_id();
  if (forget_) handler_.forget(kRunId);
  WorkflowTaskHandler::Answer answer;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
  auto task = make_task(false);
  auto verdict = handler_.handle(task, "default", 0, answer, unfinished);
  if (verdict == WorkflowTaskHandler::Verdict::kNeedsHistory) {
    task = make_task(true);
    verdict = handler_.handle(task, "default", 0, answer, unfinished);
  }
  if (auto* failed = std::get_if<wire::RespondWorkflowTaskFailedRequest>(&answer)) {
    task_failure_ = *failed;
    add(EVENT_TYPE_WORKFLOW_TASK_FAILED);
    return;
  }
  previous_started_ = started_id;
  const auto& completed = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer);
  Event& event = add(EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  *event.mutable_workflow_task_completed_event_attributes()->mutable_sdk_metadata() = completed.sdk_metadata();
  const int64_t completed_id = event.event_id();
  for (const Command& command : completed.commands()) apply(command, completed_id);
}

void HistoryDriver::run() {
  task_failure_.Clear();
  while (status_ == "open") {
    if (needs_task_) {
      run_task();
      if (task_failure_.has_failure()) return;
      continue;
    }
    if (advance_activity() || advance_child() || pass_time()) {
      needs_task_ = true;
      continue;
    }
    return;
  }
}

void HistoryDriver::apply(const Command& command, int64_t completed_id) {
  switch (command.command_type()) {
    case COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: {
      const auto& wanted = command.schedule_activity_task_command_attributes();
      Event& event = add(EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
      auto& scheduled = *event.mutable_activity_task_scheduled_event_attributes();
      scheduled.set_activity_id(wanted.activity_id());
      *scheduled.mutable_activity_type() = wanted.activity_type();
      *scheduled.mutable_input() = wanted.input();
      *scheduled.mutable_task_queue() = wanted.task_queue();
      *scheduled.mutable_schedule_to_close_timeout() = wanted.schedule_to_close_timeout();
      *scheduled.mutable_start_to_close_timeout() = wanted.start_to_close_timeout();
      *scheduled.mutable_heartbeat_timeout() = wanted.heartbeat_timeout();
      *scheduled.mutable_retry_policy() = wanted.retry_policy();
      scheduled.set_workflow_task_completed_event_id(completed_id);
      pending_activities_[event.event_id()] = {wanted.activity_type().name(), all_of(wanted.input())};
      commands_.push_back(absl::StrCat("activity ", wanted.activity_type().name()));
      return;
    }
    case COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: {
      const int64_t id = command.request_cancel_activity_task_command_attributes().scheduled_event_id();
      add(EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
          .mutable_activity_task_cancel_requested_event_attributes()
          ->set_scheduled_event_id(id);
      pending_activities_[id].cancel_requested = true;
      commands_.push_back(absl::StrCat("cancel activity ", pending_activities_[id].type));
      return;
    }
    case COMMAND_TYPE_START_TIMER: {
      const auto& wanted = command.start_timer_command_attributes();
      Event& event = add(EVENT_TYPE_TIMER_STARTED);
      event.mutable_timer_started_event_attributes()->set_timer_id(wanted.timer_id());
      const absl::Duration duration = absl::Seconds(wanted.start_to_fire_timeout().seconds()) +
                                      absl::Nanoseconds(wanted.start_to_fire_timeout().nanos());
      timers_[event.event_id()] = {wanted.timer_id(), now_ + duration};
      commands_.push_back(absl::StrCat("timer ", absl::FormatDuration(duration)));
      return;
    }
    case COMMAND_TYPE_CANCEL_TIMER: {
      const std::string& id = command.cancel_timer_command_attributes().timer_id();
      add(EVENT_TYPE_TIMER_CANCELED).mutable_timer_canceled_event_attributes()->set_timer_id(id);
      std::erase_if(timers_, [&](const auto& each) { return each.second.first == id; });
      commands_.push_back("cancel timer");
      return;
    }
    case COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
      add(EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
      status_ = "completed";
      result_ = first_of(command.complete_workflow_execution_command_attributes().result());
      return;
    case COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
      add(EVENT_TYPE_WORKFLOW_EXECUTION_FAILED);
      status_ = "failed";
      failure_ = command.fail_workflow_execution_command_attributes().failure();
      return;
    case COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
      add(EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED);
      status_ = "canceled";
      return;
    case COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
      add(EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
      status_ = "continued";
      result_ = first_of(command.continue_as_new_workflow_execution_command_attributes().input());
      return;
    default:
      apply_other(command, completed_id);
  }
}

void HistoryDriver::apply_other(const Command& command, int64_t) {
  switch (command.command_type()) {
    case COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: {
      const auto& wanted = command.start_child_workflow_execution_command_attributes();
      Event& event = add(EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED);
      auto& initiated = *event.mutable_start_child_workflow_execution_initiated_event_attributes();
      initiated.set_workflow_id(wanted.workflow_id());
      *initiated.mutable_workflow_type() = wanted.workflow_type();
      pending_children_[event.event_id()] = {wanted.workflow_type().name(), all_of(wanted.input()), false, false,
                                             wanted.workflow_id()};
      commands_.push_back(absl::StrCat("child ", wanted.workflow_type().name()));
      return;
    }
    case COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: {
      const auto& wanted = command.signal_external_workflow_execution_command_attributes();
      Event& event = add(EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
      const int64_t id = event.event_id();
      auto& initiated = *event.mutable_signal_external_workflow_execution_initiated_event_attributes();
      *initiated.mutable_workflow_execution() = wanted.execution();
      initiated.set_signal_name(wanted.signal_name());
      commands_.push_back(absl::StrCat("signal ", wanted.execution().workflow_id(), " ", wanted.signal_name()));
      add(EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED)
          .mutable_external_workflow_execution_signaled_event_attributes()
          ->set_initiated_event_id(id);
      needs_task_ = true;
      sent_signal_(wanted.signal_name());
      return;
    }
    case COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: {
      const auto& wanted = command.request_cancel_external_workflow_execution_command_attributes();
      Event& event = add(EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
      const int64_t id = event.event_id();
      event.mutable_request_cancel_external_workflow_execution_initiated_event_attributes()
          ->mutable_workflow_execution()
          ->set_workflow_id(wanted.workflow_id());
      commands_.push_back(absl::StrCat("cancel workflow ", wanted.workflow_id()));
      add(EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
          .mutable_external_workflow_execution_cancel_requested_event_attributes()
          ->set_initiated_event_id(id);
      for (auto& [event_id, child] : pending_children_)
        child.cancel_requested = child.cancel_requested || child.workflow_id == wanted.workflow_id();
      needs_task_ = true;
      return;
    }
    case COMMAND_TYPE_RECORD_MARKER: {
      auto& marker = *add(EVENT_TYPE_MARKER_RECORDED).mutable_marker_recorded_event_attributes();
      marker.set_marker_name(command.record_marker_command_attributes().marker_name());
      *marker.mutable_details() = command.record_marker_command_attributes().details();
      commands_.push_back("marker");
      return;
    }
    case COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
      add(EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
      commands_.push_back("search attributes");
      return;
    default:
      add(EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED);
      commands_.push_back("memo");
      return;
  }
}

bool HistoryDriver::advance_activity() {
  for (auto& [id, pending] : pending_activities_) {
    const auto answer = activities_.find(pending.type);
    const Outcome outcome = answer == activities_.end() ? Outcome::refusal("NoSuchActivity")
                                                        : answer->second(pending.arguments);
    if (outcome.kind == Outcome::Kind::kSilence && !pending.cancel_requested) continue;
    now_ += absl::Milliseconds(10);
    add(EVENT_TYPE_ACTIVITY_TASK_STARTED).mutable_activity_task_started_event_attributes()->set_scheduled_event_id(id);
    if (pending.cancel_requested) {
      add(EVENT_TYPE_ACTIVITY_TASK_CANCELED)
          .mutable_activity_task_canceled_event_attributes()
          ->set_scheduled_event_id(id);
    } else if (outcome.kind == Outcome::Kind::kResult) {
      auto& completed = *add(EVENT_TYPE_ACTIVITY_TASK_COMPLETED).mutable_activity_task_completed_event_attributes();
      completed.set_scheduled_event_id(id);
      set_payloads(*completed.mutable_result(), {outcome.json}, encoding_);
    } else if (outcome.kind == Outcome::Kind::kFailure) {
      auto& failed = *add(EVENT_TYPE_ACTIVITY_TASK_FAILED).mutable_activity_task_failed_event_attributes();
      failed.set_scheduled_event_id(id);
      *failed.mutable_failure() = failure_of(outcome);
    } else {
      auto& timed_out = *add(EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT).mutable_activity_task_timed_out_event_attributes();
      timed_out.set_scheduled_event_id(id);
      *timed_out.mutable_failure() = failure_of(outcome);
    }
    pending_activities_.erase(id);
    return true;
  }
  return false;
}

bool HistoryDriver::advance_child() {
  for (auto& [id, pending] : pending_children_) {
    if (!pending.child_started) {
      pending.child_started = true;
      auto& started =
          *add(EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED).mutable_child_workflow_execution_started_event_attributes();
      started.set_initiated_event_id(id);
      started.mutable_workflow_execution()->set_run_id("child-run");
      return true;
    }
    const auto answer = children_.find(pending.type);
    const Outcome outcome = answer == children_.end() ? Outcome::silence() : answer->second(pending.arguments);
    if (pending.cancel_requested) {
      add(EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED)
          .mutable_child_workflow_execution_canceled_event_attributes()
          ->set_initiated_event_id(id);
    } else if (outcome.kind == Outcome::Kind::kResult) {
      auto& completed = *add(EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)
                             .mutable_child_workflow_execution_completed_event_attributes();
      completed.set_initiated_event_id(id);
      set_payloads(*completed.mutable_result(), {outcome.json}, encoding_);
    } else if (outcome.kind == Outcome::Kind::kFailure) {
      auto& failed =
          *add(EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED).mutable_child_workflow_execution_failed_event_attributes();
      failed.set_initiated_event_id(id);
      *failed.mutable_failure() = failure_of(outcome);
    } else {
      continue;
    }
    pending_children_.erase(id);
    return true;
  }
  return false;
}

bool HistoryDriver::pass_time() {
  if (timers_.empty() && later_.empty()) return false;
  const auto next = std::min_element(timers_.begin(), timers_.end(),
                                     [](const auto& a, const auto& b) { return a.second.second < b.second.second; });
  if (!later_.empty() && (next == timers_.end() || later_.begin()->first <= next->second.second)) {
    now_ = std::max(now_, later_.begin()->first);
    const auto happens = later_.extract(later_.begin());
    happens.mapped()();
    return true;
  }
  now_ = std::max(now_, next->second.second);
  auto& fired = *add(EVENT_TYPE_TIMER_FIRED).mutable_timer_fired_event_attributes();
  fired.set_started_event_id(next->first);
  fired.set_timer_id(next->second.first);
  timers_.erase(next);
  return true;
}

std::string HistoryDriver::query(const std::string& name, const std::vector<std::string>& arguments) {
  auto task = make_task(true);
  task.mutable_query()->set_query_type(name);
  set_payloads(*task.mutable_query()->mutable_query_args(), arguments, encoding_);
  WorkflowTaskHandler::Answer answer;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
  handler_.handle(task, "default", 0, answer, unfinished);
  const auto& response = std::get<wire::RespondQueryTaskCompletedRequest>(answer);
  if (response.completed_type() == QUERY_RESULT_TYPE_FAILED) return absl::StrCat("error: ", response.error_message());
  return first_of(response.query_result());
}

std::string HistoryDriver::replay(const std::string& source) const {
  Definitions definitions;
  definitions.add(source.empty() ? definitions_.current(kType) : compile_definition(kType, source, {}));
  CollectedLog log;
  WorkflowTaskHandler handler(definitions, log, {});
  auto task = make_task(true);
  task.mutable_query()->set_query_type("__stack_trace");
  WorkflowTaskHandler::Answer answer;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
  handler.handle(task, "default", 0, answer, unfinished);
  const auto& response = std::get<wire::RespondQueryTaskCompletedRequest>(answer);
  if (!log.lines.empty()) return absl::StrCat("logged again: ", log.lines.front());
  return response.error_message();
}

}  // namespace skald::lua::testing

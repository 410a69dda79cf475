#include "lua/script.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "lua/failures.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::failure::v1::Failure;
using temporal::api::query::v1::WorkflowQuery;
using temporal::api::query::v1::WorkflowQueryResult;

constexpr uint64_t kInstructionsPerEvent = 200;
// What may be read for a script in an owner's loop: a byte can become a table.
constexpr size_t kFastBytes = 64 << 10;
constexpr int kFastEvents = 500;

size_t payload_bytes(const temporal::api::common::v1::Payloads& payloads) {
  size_t bytes = 0;
  for (const auto& payload : payloads.payloads()) bytes += payload.data().size();
  return bytes;
}

// What is read of an event that can be large.
size_t payload_bytes(const Script::Event& event) {
  switch (event.event_type()) {
    case EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
      return event.workflow_execution_started_event_attributes().ByteSizeLong();
    case EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
      return payload_bytes(event.workflow_execution_signaled_event_attributes().input());
    case EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
      return payload_bytes(event.activity_task_completed_event_attributes().result());
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
      return payload_bytes(event.child_workflow_execution_completed_event_attributes().result());
    case EVENT_TYPE_ACTIVITY_TASK_FAILED:
    case EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
    case EVENT_TYPE_ACTIVITY_TASK_CANCELED:
    case EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
    case EVENT_TYPE_MARKER_RECORDED:
      return event.ByteSizeLong();
    default:
      return 0;
  }
}

// "0.2.0+hash" is version 2. The first completed task tells.
int version_in(const Script::Events& events) {
  for (const auto& event : events) {
    if (event.event_type() != EVENT_TYPE_WORKFLOW_TASK_COMPLETED) continue;
    const auto& metadata = event.workflow_task_completed_event_attributes().sdk_metadata();
    return metadata.sdk_name() == "skald-lua" && metadata.sdk_version().starts_with("0.1.") ? 1 : Script::kLibraryVersion;
  }
  return Script::kLibraryVersion;
}

void fail_query(WorkflowQueryResult& result, const std::string& message) {
  result.set_result_type(QUERY_RESULT_TYPE_FAILED);
  result.clear_answer();
  *result.mutable_failure() = script_failure(message, "");
  result.set_error_message(result.failure().message());
}

}  // namespace

Script::Script(RunIdentity identity, std::shared_ptr<const Definition> definition, const SandboxLimits& limits, LogSink& log)
    : identity_(std::move(identity)),
      definition_(std::move(definition)),
      log_(log),
      sandbox_(limits, RandomStream::seed_from(identity_.run_id)),
      scheduler_(sandbox_, *this) {
  const Arena::HostWork host(sandbox_.arena());
  open_run_library(sandbox_.state());
}

Script::~Script() { scheduler_.abandon(); }

void Script::begin(const Events& events) {
  events_ = &events;
  next_event_ = 0;
  while (next_event_ < events.size() && events[next_event_].event_id() <= applied_event_id_) ++next_event_;
  if (applied_event_id_ == 0) library_version_ = version_in(events);
  for (int i = next_event_; i < events.size(); ++i) {
    if (events[i].event_type() == EVENT_TYPE_MARKER_RECORDED) recall(events[i]);
  }
}

Script::Progress Script::go_on() {
  while (true) {
    if (running_) {
      const auto progress = scheduler_.step();
      sandbox_.end_slice();
      if (progress == Scheduler::Progress::kSliceOver) return Progress::kSliceOver;
      if (failure_) return Progress::kFailed;
      running_ = false;
      seal_task();
    }
    const int task = find_task(next_event_);
    if (task >= 0 && (sandbox_.slice_over() || (sandbox_.fast() && heavy(next_event_, task))))
      return Progress::kSliceOver;
    if (!next_task()) return failure_ ? Progress::kFailed : Progress::kDone;
  }
}

// Whether telling the script of these events is too much for an owner's loop.
bool Script::heavy(int from, int to) const {
  if (to - from > kFastEvents) return true;
  size_t bytes = 0;
  for (int i = from; i < to; ++i) {
    const Event& event = (*events_)[i];
    if (event.event_type() == EVENT_TYPE_WORKFLOW_EXECUTION_STARTED) bytes += definition_->code.size();
    bytes += payload_bytes(event);
  }
  return bytes > kFastBytes;
}

// The next WorkflowTaskStarted whose task was, or is to be, completed.
int Script::find_task(int from) const {
  for (int i = from; i < events_->size(); ++i) {
    if ((*events_)[i].event_type() != EVENT_TYPE_WORKFLOW_TASK_STARTED) continue;
    if (i + 1 == events_->size() || (*events_)[i + 1].event_type() == EVENT_TYPE_WORKFLOW_TASK_COMPLETED) return i;
  }
  return -1;
}

// Applies the events up to the next workflow task, so that the script can run. False if there is none, or it failed.
bool Script::next_task() {
  const int task = find_task(next_event_);
  const int end = task < 0 ? events_->size() : task;
  if (!compare_commands(next_event_, end) || task < 0) return false;
  if (!expected_.empty())
    return fail(surplus(expected_.front(), (*events_)[task].event_id()), "", /*non_determinism=*/true);
  const int from = next_event_;
  next_event_ = task + 1;
  return apply_task(from, task);
}

bool Script::compare_commands(int from, int to) {
  std::string error;
  for (int i = from; i < to; ++i) {
    if (!compare((*events_)[i], error)) return fail(error, "", /*non_determinism=*/true);
  }
  return true;
}

// What came from outside is told before what the script waited for, as in every SDK.
bool Script::apply_task(int from, int task) {
  const auto& started = (*events_)[task];
  // No script runs here, so nothing would catch an error of Lua's.
  const Arena::HostWork host(sandbox_.arena());
  sandbox_.begin_budget();
  sandbox_.charge(static_cast<uint64_t>(task - from) * kInstructionsPerEvent);
  now_ = absl::UnixEpoch() + absl::Seconds(started.event_time().seconds()) +
         absl::Nanoseconds(started.event_time().nanos());
  task_started_ = started.workflow_task_started_event_attributes();
  replaying_ = task + 1 < events_->size();
  std::string error;
  for (int i = from; i < task; ++i) {
    if ((*events_)[i].event_type() == EVENT_TYPE_WORKFLOW_TASK_COMPLETED) ++completed_tasks_;
    if (!apply_start((*events_)[i], error)) return fail(error, "");
  }
  if (!closed_) {
    for (int i = from; i < task; ++i) apply_signal((*events_)[i]);
    record_dropped();
    for (int i = from; i < task; ++i) apply((*events_)[i]);
  }
  scheduler_.note_change();
  applied_event_id_ = last_started_event_id_ = started.event_id();
  running_ = true;
  return true;
}

void Script::seal_task() {
  for (Outgoing& each : outgoing_) {
    each.expected.operation = each.operation;
    expected_.push_back(std::move(each.expected));
    if (!replaying_) to_send_.push_back(std::move(each.command));
  }
  outgoing_.clear();
  outgoing_bytes_ = 0;
}

std::vector<Command> Script::take_commands() { return std::exchange(to_send_, {}); }

bool Script::fail(const std::string& message, const std::string& trace, bool non_determinism) {
  failure_ = TaskFailure{non_determinism, script_failure(message, trace)};
  return false;
}

bool Script::after_resume(Coroutine& coroutine, int status, Pause pause) {
  if (pause == Pause::kDoomed || sandbox_.doomed())
    return fail(sandbox_.doom(), sandbox_.traceback_of(coroutine.L, sandbox_.doom()));
  if (status == LUA_YIELD) return !closed_ && goes_on();
  if (status == LUA_OK) return ended(coroutine);
  return threw(coroutine, status);
}

void Script::encode_result(Coroutine& coroutine) {
  const bool main = coroutine.role == Coroutine::Role::kMain;
  if (!main && coroutine.role != Coroutine::Role::kQuery) return;
  lua_settop(coroutine.L, 1);
  result_.Clear();
  result_error_.clear();
  encode_payload(coroutine.L, 1, main ? "the workflow's result" : "the query's answer", result_, result_error_);
}

Script::Progress Script::answer_query(const WorkflowQuery& query, WorkflowQueryResult& result) {
  if (query_ == nullptr) {
    if (sandbox_.slice_over() || (sandbox_.fast() && payload_bytes(query.query_args()) > kFastBytes))
      return Progress::kSliceOver;
    if (!begin_query(query, result)) return Progress::kDone;
  }
  Pause pause = Pause::kNone;
  const int status = scheduler_.run_alone(*query_, pause);
  sandbox_.end_slice();
  if (pause == Pause::kSlice) return Progress::kSliceOver;
  Coroutine& coroutine = *std::exchange(query_, nullptr);
  sandbox_.random() = random_before_query_;
  if (pause == Pause::kDoomed || sandbox_.doomed() || status == LUA_ERRMEM) {
    fail_query(result, sandbox_.doomed() ? sandbox_.doom() : "the query used up the workflow's memory");
    return Progress::kFailed;
  }
  Failure failure;
  if (status == LUA_OK && result_error_.empty()) {
    *result.mutable_answer()->add_payloads() = std::move(result_);
  } else if (status == LUA_OK) {
    fail_query(result, result_error_);
  } else if (status == LUA_YIELD) {
    fail_query(result, "a query's function must not wait");
  } else if (read_failure(coroutine.L, -1, failure)) {
    fail_query(result, failure.message());
    *result.mutable_failure() = std::move(failure);
  } else {
    fail_query(result, error_message(coroutine.L));
  }
  scheduler_.drop(coroutine);
  return Progress::kDone;
}

// Prepares the coroutine that answers. False if the result is set already.
bool Script::begin_query(const WorkflowQuery& query, WorkflowQueryResult& result) {
  result.set_result_type(QUERY_RESULT_TYPE_ANSWERED);
  lua_State* L = sandbox_.state();
  const int top = lua_gettop(L);
  sandbox_.begin_budget();
  std::string error;
  const Arena::HostWork host(sandbox_.arena());
  if (query.query_type() == "__stack_trace") {
    const std::string traces = scheduler_.stack_traces();
    lua_pushlstring(L, traces.data(), traces.size());
    if (!encode_payload(L, -1, "stack trace", *result.mutable_answer()->add_payloads(), error))
      fail_query(result, error);
    lua_settop(L, top);
    return false;
  }
  const auto handler = query_handlers_.find(query.query_type());
  if (handler == query_handlers_.end()) {
    std::string known;
    for (const auto& [name, reference] : query_handlers_) absl::StrAppend(&known, known.empty() ? "" : ", ", name);
    fail_query(result, absl::StrCat("unknown query '", query.query_type(),
                                    "'; this workflow answers: ", known.empty() ? "none" : known));
    return false;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler->second);
  if (!decode_payloads(L, query.query_args(), error)) {
    lua_settop(L, top);
    fail_query(result, error);
    return false;
  }
  query_ = &scheduler_.prepare(L, lua_gettop(L) - top - 1, Coroutine::Role::kQuery, Scheduler::kRootScope);
  random_before_query_ = sandbox_.random();
  return true;
}

}  // namespace skald::lua

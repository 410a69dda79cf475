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

constexpr uint64_t kInstructionsPerEvent = 200;

// "0.2.0+hash" is version 2. The first completed task tells.
int version_in(const Script::Events& events) {
  for (const auto& event : events) {
    if (event.event_type() != EVENT_TYPE_WORKFLOW_TASK_COMPLETED) continue;
    const auto& metadata = event.workflow_task_completed_event_attributes().sdk_metadata();
    return metadata.sdk_name() == "skald-lua" && metadata.sdk_version().starts_with("0.1.") ? 1 : Script::kLibraryVersion;
  }
  return Script::kLibraryVersion;
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

void Script::begin(const Events& events) {
  events_ = &events;
  next_event_ = 0;
  while (next_event_ < events.size() && events[next_event_].event_id() <= applied_event_id_) ++next_event_;
  if (applied_event_id_ == 0) library_version_ = version_in(events);
  for (int i = next_event_; i < events.size(); ++i) {
    if (events[i].event_type() == EVENT_TYPE_MARKER_RECORDED) recall(events[i]);
  }
}

Script::Progress Script::go_on(uint64_t slice) {
  sandbox_.begin_slice(slice);
  while (true) {
    if (running_) {
      if (scheduler_.step() == Scheduler::Progress::kSliceOver) return Progress::kSliceOver;
      if (failure_) return Progress::kFailed;
      running_ = false;
      seal_task();
    }
    if (!next_task()) return failure_ ? Progress::kFailed : Progress::kDone;
  }
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

bool Script::answer_query(const temporal::api::query::v1::WorkflowQuery& query,
                       temporal::api::query::v1::WorkflowQueryResult& result) {
  result.set_result_type(QUERY_RESULT_TYPE_ANSWERED);
  lua_State* L = sandbox_.state();
  const int top = lua_gettop(L);
  sandbox_.begin_budget();
  sandbox_.begin_slice(0);
  const auto fail_query = [&](std::string message) {
    result.set_result_type(QUERY_RESULT_TYPE_FAILED);
    result.clear_answer();
    *result.mutable_failure() = script_failure(message, "");
    result.set_error_message(result.failure().message());
  };
  std::string error;
  std::optional<Arena::HostWork> host(std::in_place, sandbox_.arena());
  if (query.query_type() == "__stack_trace") {
    const std::string traces = scheduler_.stack_traces();
    lua_pushlstring(L, traces.data(), traces.size());
    if (!encode_payload(L, -1, "stack trace", *result.mutable_answer()->add_payloads(), error)) fail_query(error);
    lua_settop(L, top);
    return true;
  }
  const auto handler = query_handlers_.find(query.query_type());
  if (handler == query_handlers_.end()) {
    std::string known;
    for (const auto& [name, reference] : query_handlers_) absl::StrAppend(&known, known.empty() ? "" : ", ", name);
    fail_query(absl::StrCat("unknown query '", query.query_type(),
                            "'; this workflow answers: ", known.empty() ? "none" : known));
    return true;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler->second);
  if (!decode_payloads(L, query.query_args(), error)) {
    lua_settop(L, top);
    fail_query(error);
    return true;
  }
  Coroutine& coroutine = scheduler_.prepare(L, lua_gettop(L) - top - 1, Coroutine::Role::kQuery, Scheduler::kRootScope);
  const RandomStream stream = sandbox_.random();
  host.reset();
  Pause pause = Pause::kNone;
  const int status = scheduler_.run_alone(coroutine, pause);
  sandbox_.random() = stream;
  if (status == LUA_OK && !sandbox_.doomed()) {
    lua_settop(coroutine.L, 1);
    if (!encode_payload(coroutine.L, 1, "the query's answer", *result.mutable_answer()->add_payloads(), error))
      fail_query(error);
  } else if (pause == Pause::kDoomed || sandbox_.doomed() || status == LUA_ERRMEM) {
    fail_query(sandbox_.doomed() ? sandbox_.doom() : "the query used up the workflow's memory");
    return false;
  } else if (status == LUA_YIELD) {
    fail_query("a query's function must not wait");
  } else {
    Failure failure;
    if (read_failure(coroutine.L, -1, failure)) {
      fail_query(failure.message());
      *result.mutable_failure() = std::move(failure);
    } else {
      fail_query(error_message(coroutine.L));
    }
  }
  scheduler_.drop(coroutine);
  return true;
}

}  // namespace skald::lua

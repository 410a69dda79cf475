// What a run's script starts and cancels.
#include <algorithm>

#include <absl/strings/str_cat.h>

#include "lua/failures.h"
#include "lua/json.h"
#include "lua/script.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::failure::v1::Failure;

}  // namespace

std::string Script::next_id(Operation::Kind kind) { return std::to_string(++ids_given_[static_cast<int>(kind)]); }

uint32_t Script::start(lua_State* L, int future, Operation operation, Command command, ExpectedEvent expected) {
  const uint32_t number = next_operation_++;
  Future& handle = *Scheduler::to_future(L, future);
  handle.operation = number;
  operation.scope = Scheduler::current(L)->scope;
  handle.scope = operation.scope;
  if (operation.kind != Operation::Kind::kTimer) scheduler_.count_operation(operation.scope);
  lua_pushvalue(L, future);
  operation.future = luaL_ref(L, LUA_REGISTRYINDEX);
  operations_.emplace(number, std::move(operation));
  outgoing_bytes_ += command.ByteSizeLong();
  outgoing_.push_back({std::move(command), std::move(expected), number});
  return number;
}

Operation* Script::operation(uint32_t number) {
  const auto found = operations_.find(number);
  return found == operations_.end() ? nullptr : &found->second;
}

void Script::add_command(Command command, ExpectedEvent expected) {
  outgoing_bytes_ += command.ByteSizeLong();
  outgoing_.push_back({std::move(command), std::move(expected), 0});
}

size_t Script::memory_bytes() const {
  constexpr size_t kRun = 3 << 10;
  constexpr size_t kTemplate = 700;
  constexpr size_t kOperation = 500;
  constexpr size_t kChannel = 1500;
  constexpr size_t kSignal = 500;
  size_t bytes = sandbox_.arena().reserved_bytes() + kRun + input_bytes_;
  bytes += kTemplate * (activity_templates_.size() + child_templates_.size()) + kOperation * operations_.size();
  for (const auto& [name, channel] : channels_) bytes += kChannel + kSignal * channel.unread.size();
  return bytes;
}

const char* Script::excess() const {
  if (operations_.size() >= kMostOperations)
    return "too many operations at a time (at most 2,000): wait for some of them first";
  if (outgoing_.size() >= kMostCommands) return "too many commands in one workflow task (at most 10,000)";
  if (outgoing_bytes_ >= kMostCommandBytes) return "the commands of one workflow task are larger than 16 MiB together";
  return nullptr;
}

const temporal::api::common::v1::Payloads* Script::recorded_marker(const std::string& id) const {
  const auto found = markers_.find(id);
  return found == markers_.end() ? nullptr : &found->second;
}

// The value or error is on top of the sandbox's own stack.
void Script::settle(uint32_t number, bool good) {
  lua_State* L = sandbox_.state();
  const Arena::HostWork host(sandbox_.arena());
  Operation& operation = operations_.at(number);
  if (operation.started != LUA_NOREF) {
    lua_pushvalue(L, -1);
    settle_started(operation, good);
  }
  scheduler_.settle_kept(L, operation.future, good);
  by_event_.erase(operation.event_id);
  operations_.erase(number);
}

void Script::settle_started(Operation& operation, bool good) {
  const Arena::HostWork host(sandbox_.arena());
  if (operation.started == LUA_NOREF) return lua_pop(sandbox_.state(), 1);
  scheduler_.settle_kept(sandbox_.state(), operation.started, good);
  operation.started = LUA_NOREF;
}

// Says which activity or child a failure came from, as the API has it.
Failure Script::wrapped(const Operation& operation, Failure cause) const {
  Failure failure;
  if (operation.kind == Operation::Kind::kActivity) {
    failure.set_message("activity error");
    auto& info = *failure.mutable_activity_failure_info();
    info.set_scheduled_event_id(operation.event_id);
    info.mutable_activity_type()->set_name(operation.type);
    info.set_activity_id(operation.id);
  } else if (operation.kind == Operation::Kind::kChild) {
    failure.set_message("child workflow error");
    auto& info = *failure.mutable_child_workflow_execution_failure_info();
    info.set_namespace_(identity_.namespace_name);
    info.mutable_workflow_execution()->set_workflow_id(operation.id);
    info.mutable_workflow_execution()->set_run_id(operation.run_id);
    info.mutable_workflow_type()->set_name(operation.type);
    info.set_initiated_event_id(operation.event_id);
  } else {
    return cause;
  }
  *failure.mutable_cause() = std::move(cause);
  return failure;
}

void Script::cancel_operation(uint32_t number, const std::string& reason) {
  Operation* operation = this->operation(number);
  if (operation == nullptr || operation->cancel_requested) return;
  if (operation->kind == Operation::Kind::kSignalExternal || operation->kind == Operation::Kind::kCancelExternal)
    return;
  operation->cancel_requested = true;
  const auto unsent =
      std::find_if(outgoing_.begin(), outgoing_.end(), [&](const Outgoing& each) { return each.operation == number; });
  bool wait = false;
  if (operation->cancellation != CancellationType::kAbandon) {
    if (unsent != outgoing_.end()) {
      outgoing_.erase(unsent);
    } else {
      wait = operation->cancellation == CancellationType::kWait;
      request_cancellation(*operation, reason);
    }
  }
  if (wait) return;
  const Arena::HostWork host(sandbox_.arena());
  push_failure(sandbox_.state(), wrapped(*operation, cancelled_failure(reason)));
  settle(number, false);
}

void Script::request_cancellation(const Operation& operation, const std::string& reason) {
  Command command;
  ExpectedEvent expected;
  switch (operation.kind) {
    case Operation::Kind::kActivity:
      command.set_command_type(COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK);
      command.mutable_request_cancel_activity_task_command_attributes()->set_scheduled_event_id(operation.event_id);
      expected.id = std::to_string(operation.event_id);
      break;
    case Operation::Kind::kTimer:
      command.set_command_type(COMMAND_TYPE_CANCEL_TIMER);
      command.mutable_cancel_timer_command_attributes()->set_timer_id(operation.id);
      expected.id = operation.id;
      break;
    default: {
      command.set_command_type(COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION);
      auto& attributes = *command.mutable_request_cancel_external_workflow_execution_command_attributes();
      attributes.set_namespace_(identity_.namespace_name);
      attributes.set_workflow_id(operation.id);
      attributes.set_run_id(operation.run_id);
      attributes.set_child_workflow_only(true);
      attributes.set_reason(reason);
      expected.id = operation.id;
      break;
    }
  }
  expected.type = command.command_type();
  add_command(std::move(command), std::move(expected));
}

void Script::cancel_scope(uint32_t scope, const std::string& given) {
  const std::string reason = shortened(given, kLongestReason);
  const std::set<uint32_t> fresh = scheduler_.cancel(scope, reason);
  if (fresh.empty()) return;
  std::vector<uint32_t> numbers;
  for (const auto& [number, operation] : operations_) {
    if (fresh.count(operation.scope) > 0) numbers.push_back(number);
  }
  for (const uint32_t number : numbers) cancel_operation(number, reason);
  scheduler_.wake_scope(fresh);
}

}  // namespace skald::lua

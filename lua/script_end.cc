// How coroutines end, and with them the run.
#include <utility>

#include <absl/strings/str_cat.h>

#include "lua/failures.h"
#include "lua/script.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::failure::v1::Failure;

// The failure beneath what says where it came from.
const Failure& root_of(const Failure& failure) {
  const Failure* root = &failure;
  while (root->has_cause() && (root->has_activity_failure_info() || root->has_child_workflow_execution_failure_info()))
    root = &root->cause();
  return *root;
}

std::string text_of(const Failure& failure) {
  const Failure& root = root_of(failure);
  const std::string& type = root.application_failure_info().type();
  return type.empty() ? root.message() : absl::StrCat(type, ": ", root.message());
}

}  // namespace

std::string error_message(lua_State* L) {
  if (lua_type(L, -1) == LUA_TSTRING) return lua_tostring(L, -1);
  return absl::StrCat("an error that is a ", luaL_typename(L, -1),
                      " was thrown; throw text, or an error made by skald.fail");
}

bool Script::ended(Coroutine& coroutine) {
  lua_State* L = coroutine.L;
  if (coroutine.role == Coroutine::Role::kMain) {
    if (!result_error_.empty()) return fail(absl::StrCat(definition_->name, ".lua: ", result_error_), "");
    Command command;
    command.set_command_type(COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
    *command.mutable_complete_workflow_execution_command_attributes()->mutable_result()->add_payloads() =
        std::move(result_);
    return end_main(coroutine, std::move(command));
  }
  if (coroutine.future != LUA_NOREF) {
    const Arena::HostWork host(sandbox_.arena());
    lua_settop(L, 1);
    scheduler_.settle_kept(L, coroutine.future, true);
  }
  scheduler_.drop(coroutine);
  return goes_on();
}

bool Script::threw(Coroutine& coroutine, int status) {
  lua_State* L = coroutine.L;
  if (status == LUA_ERRMEM) sandbox_.set_out_of_memory(L);
  if (sandbox_.doomed()) return fail(sandbox_.doom(), sandbox_.traceback_of(L, sandbox_.doom()));
  Failure failure;
  if (!read_failure(L, -1, failure)) {
    const std::string message = error_message(L);
    return fail(message, sandbox_.traceback_of(L, message));
  }
  const bool cancelled = is_cancellation(failure);
  if (coroutine.role == Coroutine::Role::kBranch) return end_branch(coroutine, std::move(failure));
  if (coroutine.role == Coroutine::Role::kHandler) {
    scheduler_.drop(coroutine);
    if (!cancelled) give_up(std::move(failure));
    return goes_on();
  }
  if (!cancelled || !scheduler_.cancelled(Scheduler::kRootScope))
    return end_main(coroutine, failing(std::move(failure)));
  Command command;
  command.set_command_type(COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION);
  command.mutable_cancel_workflow_execution_command_attributes();
  return end_main(coroutine, std::move(command));
}

// The error is on top of the branch's stack.
bool Script::end_branch(Coroutine& coroutine, Failure failure) {
  lua_State* L = coroutine.L;
  const Arena::HostWork host(sandbox_.arena());
  lua_rawgeti(L, LUA_REGISTRYINDEX, coroutine.future);
  Future& future = *Scheduler::to_future(L, -1);
  lua_pop(L, 1);
  if (!future.asked && !is_cancellation(failure)) {
    future.unasked = next_unasked_++;
    unasked_[future.unasked] = {future.scope, std::move(failure)};
  }
  scheduler_.settle_kept(L, coroutine.future, false);
  scheduler_.drop(coroutine);
  return goes_on();
}

void Script::ask(Future& future) {
  future.asked = true;
  if (future.unasked != 0) unasked_.erase(std::exchange(future.unasked, 0));
}

std::optional<Failure> Script::take_unasked(uint32_t scope) {
  for (auto each = unasked_.begin(); each != unasked_.end(); ++each) {
    if (!scheduler_.within(each->second.scope, scope)) continue;
    std::optional<Failure> failure = std::move(each->second.failure);
    unasked_.erase(each);
    return failure;
  }
  return std::nullopt;
}

void Script::give_up(Failure failure) {
  if (giving_up_) return;
  giving_up_ = std::move(failure);
  cancel_scope(Scheduler::kRootScope, text_of(*giving_up_));
}

Command Script::failing(Failure failure) const {
  Command command;
  command.set_command_type(COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  *command.mutable_fail_workflow_execution_command_attributes()->mutable_failure() = std::move(failure);
  return command;
}

// The main function has ended; with an error, what still runs is cancelled if the end must wait for it.
bool Script::end_main(Coroutine& coroutine, Command command) {
  scheduler_.drop(coroutine);
  ending_ = std::move(command);
  if (in_saga() && ending_->has_fail_workflow_execution_command_attributes())
    cancel_scope(Scheduler::kRootScope, text_of(ending_->fail_workflow_execution_command_attributes().failure()));
  return goes_on();
}

// False when the run is over.
bool Script::goes_on() {
  if (closed_) return false;
  if (!ending_) return true;
  if (!giving_up_ && ending_->has_complete_workflow_execution_command_attributes()) {
    if (auto failure = take_unasked(Scheduler::kRootScope)) give_up(*std::move(failure));
  }
  if (in_saga()) return true;
  const auto& own = ending_->fail_workflow_execution_command_attributes().failure();
  // That money or goods hang outweighs why.
  const bool hangs = own.application_failure_info().type() == "CompensationFailed";
  Command command = giving_up_ && !hangs ? failing(*giving_up_) : *std::move(ending_);
  const CommandType type = command.command_type();
  close_with(std::move(command), {type});
  return false;
}

void Script::close_with(Command command, ExpectedEvent expected) {
  closed_ = true;
  add_command(std::move(command), std::move(expected));
}

}  // namespace skald::lua

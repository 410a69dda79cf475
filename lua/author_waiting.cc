// Time: skald.sleep, timer, wait_until.
#include <algorithm>

#include "lua/author_support.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;

// Pushes a future of a timer for the duration at `index`.
int push_timer(lua_State* L, int index) {
  require_active(L, "a timer");
  throw_if_cancelled(L);
  return guarded(L, [&](std::string& error) {
    absl::Duration duration;
    Script& script = Script::of(L);
    if (!parse_duration(L, index, duration, error)) return 0;
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Operation operation;
    operation.kind = Operation::Kind::kTimer;
    operation.id = script.next_id(operation.kind);
    operation.type = "timer";
    Command command;
    command.set_command_type(COMMAND_TYPE_START_TIMER);
    auto& attributes = *command.mutable_start_timer_command_attributes();
    attributes.set_timer_id(operation.id);
    // The API knows no timer of no length.
    set_duration(*attributes.mutable_start_to_fire_timeout(), std::max(duration, absl::Milliseconds(1)));
    ExpectedEvent expected{command.command_type(), operation.id, "", Sandbox::place(L)};
    Scheduler::push_future(L, 0);
    script.start(L, lua_gettop(L), std::move(operation), std::move(command), std::move(expected));
    return 1;
  });
}

int timer(lua_State* L) { return push_timer(L, 1); }

int sleep(lua_State* L) {
  require_waitable(L, "sleep");
  push_timer(L, 1);
  lua_replace(L, 1);
  lua_settop(L, 1);
  return await(L, LUA_OK, 0);
}

// Stack: predicate, duration or nil, timer's future or nil.
int waited_until(lua_State* L, int, lua_KContext) {
  Coroutine& coroutine = *Scheduler::current(L);
  coroutine.polls = false;
  lua_settop(L, 3);
  Script& script = Script::of(L);
  if (script.scheduler().cancelled(coroutine.scope)) {
    script.scheduler().note_change();
    throw_cancelled(L);
  }
  lua_pushvalue(L, 1);
  lua_call(L, 0, 1);
  const bool met = lua_toboolean(L, -1) != 0;
  lua_settop(L, 3);
  if (met) {
    script.scheduler().note_change();
    if (!lua_isnil(L, 3)) cancel_future(L, 3);
    lua_pushboolean(L, 1);
    return 1;
  }
  if (!lua_isnil(L, 3) && Scheduler::to_future(L, 3)->state != Future::State::kPending) {
    script.scheduler().note_change();
    lua_pushboolean(L, 0);
    return 1;
  }
  if (lua_isnil(L, 3) && !lua_isnil(L, 2)) {
    push_timer(L, 2);
    lua_replace(L, 3);
    script.scheduler().wait_for(coroutine, *Scheduler::to_future(L, 3));
  }
  coroutine.polls = true;
  return lua_yieldk(L, 0, 0, waited_until);
}

int wait_until(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  require_waitable(L, "wait_until");
  lua_settop(L, 2);
  lua_pushnil(L);
  return waited_until(L, LUA_OK, 0);
}

}  // namespace

int start_timer(lua_State* L, int index) { return push_timer(L, index); }

void cancel_future(lua_State* L, int index) {
  guarded(L, [&](std::string&) {
    const Future& future = *Scheduler::to_future(L, index);
    if (future.state == Future::State::kPending) Script::of(L).cancel_operation(future.operation, "");
    return 0;
  });
}

void add_waiting(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {
      {"sleep", sleep}, {"timer", timer}, {"wait_until", wait_until}, {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua

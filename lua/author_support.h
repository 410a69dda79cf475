#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "temporal/api/common/v1/message.pb.h"
#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <lua.hpp>

#include "lua/json.h"
#include "lua/script.h"

namespace skald::lua {

// Runs a part of an author's function that holds C++ objects: within `body` no Lua error may be raised, and Lua's
// memory limit rests. It returns the number of results, after which the function may return them; or kThrow to throw
// the value on top; or it sets `error`, which is thrown as a script's error at the caller's line.
constexpr int kThrow = -1;
constexpr uint64_t kAuthorCall = 20;  // instructions, at least

void push_script_error(lua_State* L, const std::string& error);

template <typename Body>
int guarded(lua_State* L, Body body) {
  int results = 0;
  {
    std::string error;
    const Arena::HostWork host(Sandbox::of(L).arena());
    results = body(error);
    if (!error.empty()) {
      push_script_error(L, error);
      results = kThrow;
    }
  }
  if (results == kThrow) return lua_error(L);
  Sandbox::of(L).work(L, kAuthorCall);
  return results;
}

// Raises a script error if the running code must not start, change or wait for anything: a query's.
void require_active(lua_State* L, const char* function);
// Also if it cannot be suspended where it is.
void require_waitable(lua_State* L, const char* function);
// Whether the future does not settle by itself though the scope of the waiting code is cancelled.
bool must_interrupt(Script& script, const Coroutine& coroutine, const Future& future);
// Throws the cancelled error if the running code's scope is cancelled.
void throw_if_cancelled(lua_State* L);
[[noreturn]] void throw_cancelled(lua_State* L);

// The scope whose handle is at `index`; raises an error if there is none.
uint32_t scope_of(lua_State* L, int index);
// What modules that come with the worker are given beside their name: functions that authors do not have (author_sagas.cc).
void push_saga_host(lua_State* L);

// Waits for the future at 1 and returns its value or throws its error. A continuation, too.
int await(lua_State* L, int status, lua_KContext context);

// Pushes the future of a timer for the duration at `index`; and cancels it, if it is still pending.
int start_timer(lua_State* L, int index);
void cancel_future(lua_State* L, int index);
// Methods of a child workflow's future (author_workflows.cc).
int child_started(lua_State* L);
int child_signal(lua_State* L);

// The name of something at `index`; raises an error unless it is text that the API takes.
const char* check_name(lua_State* L, int index);

// Replaces the reason at `index`, any value, by its text: nothing is "", a table its JSON. Often it comes from outside.
void make_reason(lua_State* L, int index);

// "1h30m", "200ms", 2.5 (seconds). False and `error` for anything else, and what is negative or beyond a hundred years.
bool parse_duration(lua_State* L, int index, absl::Duration& duration, std::string& error);
void set_duration(google::protobuf::Duration& proto, absl::Duration duration);

// Reads a table of options by name; names that nobody asked for are errors. Nothing of it raises a Lua error. After the
// first error nothing more is read.
class Options {
 public:
  // `what` begins messages. The table at `index` may be nil: then no option is given.
  Options(lua_State* L, int index, std::string what, std::string& error);

  bool has(const char* name);
  std::optional<std::string> text(const char* name);
  std::optional<double> number(const char* name);
  std::optional<absl::Duration> duration(const char* name);
  // One of the names; returns its place in the list.
  std::optional<int> choice(const char* name, std::initializer_list<const char*> names);
  bool retry_policy(const char* name, temporal::api::common::v1::RetryPolicy& policy);
  // Calls visit(key, value index) for the fields of a sub-table.
  template <typename Visit>
  bool fields(const char* name, Visit visit) {
    if (!push(name)) return false;
    const int table = lua_gettop(L_);
    if (!lua_istable(L_, table)) {
      fail(name, "must be a table");
    } else {
      for (lua_pushnil(L_); error_.empty() && lua_next(L_, table) != 0; lua_pop(L_, 1)) {
        if (lua_type(L_, -2) == LUA_TSTRING) visit(to_utf8(lua_tostring(L_, -2)), lua_gettop(L_));
      }
    }
    lua_settop(L_, table - 1);
    return error_.empty();
  }

  // To be called last: complains of names that were not asked for. `positional` ones are allowed.
  bool done(bool positional = false);
  void fail(const char* name, std::string_view problem);

 private:
  bool push(const char* name);

  lua_State* L_;
  int index_;
  std::string what_;
  std::string& error_;
  std::vector<std::string> known_;
};

// The parts of the module "skald": each adds its functions to the table on top.
void add_activities(lua_State* L);
void add_futures(lua_State* L);
void add_waiting(lua_State* L);
void add_signals(lua_State* L);
void add_scopes(lua_State* L);
void add_workflows(lua_State* L);
void add_records(lua_State* L);

// Pushes the metatable kept in the registry under `key`; it is made of `methods` at first: those that begin with "__"
// go into the metatable itself, the others are the object's.
void push_metatable(lua_State* L, const void* key, const char* name, const luaL_Reg* methods);
// The userdata at `index` if its metatable is that one, else null.
void* to_object(lua_State* L, int index, const void* key);

}  // namespace skald::lua

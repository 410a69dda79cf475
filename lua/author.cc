// The module "skald", `require` and `print`, and how a definition is run.
#include <cmath>
#include <cstring>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "engine/base/uuid.h"
#include "lua/author_support.h"
#include "lua/failures.h"
#include "lua/json.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

int now(lua_State* L) {
  lua_pushnumber(L, absl::ToDoubleSeconds(Script::of(L).now() - absl::UnixEpoch()));
  return 1;
}

int date(lua_State* L) {
  const double seconds = luaL_optnumber(L, 1, absl::ToDoubleSeconds(Script::of(L).now() - absl::UnixEpoch()));
  luaL_argcheck(L, std::isfinite(seconds) && std::fabs(seconds) < 1e11, 1, "not a time");
  return guarded(L, [&](std::string&) {
    const absl::Time time = absl::UnixEpoch() + absl::Milliseconds(std::llround(seconds * 1000));
    const std::string text = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
    lua_pushlstring(L, text.data(), text.size());
    return 1;
  });
}

int random(lua_State* L) {
  lua_pushglobaltable(L);
  lua_getfield(L, -1, "math");
  lua_getfield(L, -1, "random");
  lua_insert(L, 1);
  lua_pop(L, 2);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int uuid(lua_State* L) {
  RandomStream& stream = Sandbox::of(L).random();
  return guarded(L, [&](std::string&) {
    const uint64_t high = stream.next();
    const std::string text = base::format_uuid_v4(high, stream.next());
    lua_pushlstring(L, text.data(), text.size());
    return 1;
  });
}

// The field of the table at 1, past its metatable.
void push_raw(lua_State* L, const char* name) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
}

int fail(lua_State* L) {
  const int type = lua_type(L, 1);
  luaL_argexpected(L, type == LUA_TSTRING || type == LUA_TTABLE, 1, "text or table");
  return guarded(L, [&](std::string& error) {
    temporal::api::failure::v1::Failure failure;
    auto& info = *failure.mutable_application_failure_info();
    failure.set_source("skald-lua");
    failure.set_stack_trace(to_utf8(Sandbox::place(L)));
    if (lua_type(L, 1) == LUA_TSTRING) {
      failure.set_message(to_utf8(lua_tostring(L, 1)));
    } else {
      Options options(L, 1, "skald.fail", error);
      failure.set_message(options.text("message").value_or(""));
      info.set_type(options.text("type").value_or(""));
      if (const auto delay = options.duration("next_retry_delay"))
        set_duration(*info.mutable_next_retry_delay(), *delay);
      const bool has_details = options.has("details");
      const bool has_cause = options.has("cause");
      options.has("non_retryable");
      if (!options.done()) return 0;
      push_raw(L, "non_retryable");
      info.set_non_retryable(lua_toboolean(L, -1) != 0);
      push_raw(L, "details");
      if (has_details &&
          !encode_payload(L, lua_gettop(L), "skald.fail: details", *info.mutable_details()->add_payloads(), error))
        return 0;
      push_raw(L, "cause");
      if (has_cause && !read_failure(L, -1, *failure.mutable_cause())) {
        error = "skald.fail: 'cause' must be a caught error table";
        return 0;
      }
    }
    push_failure(L, failure);
    return kThrow;
  });
}

int is_error(lua_State* L) {
  lua_pushboolean(L, is_failure(L, 1));
  return 1;
}

int array(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  mark_array(L, 1);
  return 1;
}

// Whether sleep, timers and options would take it for a duration.
int is_duration(lua_State* L) {
  lua_settop(L, 1);
  return guarded(L, [&](std::string&) {
    absl::Duration duration;
    std::string ignored;
    lua_pushboolean(L, parse_duration(L, 1, duration, ignored));
    return 1;
  });
}

int workflow(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return guarded(L, [&](std::string& error) {
    Options options(L, 1, "skald.workflow", error);
    if (!options.has("run")) error = "skald.workflow: 'run' is missing: the main function";
    options.has("signals");
    options.has("queries");
    options.done();
    lua_settop(L, 1);
    return 1;
  });
}

int patched(lua_State* L) {
  raise(
      L,
      "skald.patched is not available yet; give changed code a new workflow type, or let running workflows end first");
}

void set_text(lua_State* L, const char* name, const std::string& text) {
  if (text.empty()) return;
  lua_pushlstring(L, text.data(), text.size());
  lua_setfield(L, -2, name);
}

void set_integer(lua_State* L, const char* name, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

// What cannot be read is left out, and told.
void set_fields(lua_State* L, const char* name,
                const google::protobuf::Map<std::string, temporal::api::common::v1::Payload>& fields) {
  lua_newtable(L);
  for (const auto& [key, payload] : fields) {
    std::string error;
    lua_pushlstring(L, key.data(), key.size());
    if (decode_payload(L, payload, error)) {
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 1);
      Script::of(L).tell_unreadable(absl::StrCat(name, " ", key), error);
    }
  }
  lua_setfield(L, -2, name);
}

int info(lua_State* L) {
  return guarded(L, [&](std::string&) {
    Script& script = Script::of(L);
    const auto& started = script.started();
    lua_createtable(L, 0, 16);
    set_text(L, "workflow_id", script.identity().workflow_id);
    set_text(L, "run_id", script.identity().run_id);
    set_text(L, "workflow_type", started.workflow_type().name());
    set_text(L, "namespace", script.identity().namespace_name);
    set_text(L, "task_queue", script.task_queue());
    set_text(L, "continued_from", started.continued_execution_run_id());
    set_text(L, "first_run_id", started.first_execution_run_id());
    set_text(L, "cron_schedule", started.cron_schedule());
    set_integer(L, "attempt", std::max(started.attempt(), 1));
    set_integer(L, "history_length", script.last_started_event_id());
    set_integer(L, "history_size", script.task_started().history_size_bytes());
    lua_pushnumber(L, absl::ToDoubleSeconds(script.started_at() - absl::UnixEpoch()));
    lua_setfield(L, -2, "started_at");
    lua_pushboolean(L, script.task_started().suggest_continue_as_new());
    lua_setfield(L, -2, "continue_as_new_suggested");
    set_fields(L, "memo", script.memo().fields());
    set_fields(L, "search_attributes", script.search_attributes().indexed_fields());
    if (started.has_parent_workflow_execution()) {
      lua_createtable(L, 0, 3);
      set_text(L, "id", started.parent_workflow_execution().workflow_id());
      set_text(L, "run_id", started.parent_workflow_execution().run_id());
      set_text(L, "namespace", started.parent_workflow_namespace());
      lua_setfield(L, -2, "parent");
    }
    return 1;
  });
}

constexpr uint64_t kLogCost = 500;  // instructions

int write_log(lua_State* L, LogSink::Level level, const std::string& text) {
  Script& script = Script::of(L);
  script.sandbox().charge(kLogCost + text.size() / 4);
  if (!script.replaying()) script.log().write(level, script.identity(), script.definition().name, to_utf8(text));
  return 0;
}

template <LogSink::Level level>
int log(lua_State* L) {
  lua_settop(L, 2);
  push_text(L, 1);
  return guarded(L, [&](std::string&) {
    size_t size = 0;
    const char* bytes = lua_tolstring(L, 3, &size);
    std::string text(bytes, size);
    if (!lua_isnil(L, 2)) {
      text += ' ';
      // A line of a log is not worth a run's life.
      const size_t before = text.size();
      std::string problem;
      if (!encode_json(L, 2, text, problem)) {
        text.resize(before);
        absl::StrAppend(&text, "(its fields cannot be written: fields", problem, ")");
      }
    }
    return write_log(L, level, text);
  });
}

int print(lua_State* L) {
  const int count = lua_gettop(L);
  for (int i = 1; i <= count; ++i) {
    push_text(L, i);
    lua_replace(L, i);
  }
  return guarded(L, [&](std::string&) {
    std::string line;
    for (int i = 1; i <= count; ++i) absl::StrAppend(&line, i > 1 ? "\t" : "", lua_tostring(L, i));
    return write_log(L, LogSink::Level::kInfo, line);
  });
}

int open_author_module(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"now", now},           {"date", date},         {"random", random},
                                            {"uuid", uuid},         {"fail", fail},         {"array", array},
                                            {"is_error", is_error}, {"workflow", workflow}, {"info", info},
                                            {"patched", patched},   {"is_duration", is_duration},
                                            {nullptr, nullptr}};
  static constexpr luaL_Reg kLog[] = {{"debug", log<LogSink::Level::kDebug>},
                                      {"info", log<LogSink::Level::kInfo>},
                                      {"warn", log<LogSink::Level::kWarn>},
                                      {"error", log<LogSink::Level::kError>},
                                      {nullptr, nullptr}};
  lua_createtable(L, 0, 48);
  luaL_setfuncs(L, kFunctions, 0);
  lua_createtable(L, 0, 4);
  luaL_setfuncs(L, kLog, 0);
  lua_setfield(L, -2, "log");
  push_null(L);
  lua_setfield(L, -2, "null");
  add_activities(L);
  add_futures(L);
  add_waiting(L);
  add_signals(L);
  add_scopes(L);
  add_workflows(L);
  add_records(L);
  return 1;
}

// The module's compiled code, or null.
const std::string* find_module(lua_State* L, const char* name) {
  const auto& modules = Script::of(L).definition().modules;
  const auto own = modules.find(name);
  return own != modules.end() ? &own->second : built_in_module(name);
}

// Stack: name, the table of what is loaded, the module's value.
int keep_module(lua_State* L, int, lua_KContext) {
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, 2);
  return 1;
}

int load_check(lua_State* L);

int require_module(lua_State* L) {
  const char* name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 2) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  if (std::strcmp(name, "skald") == 0) {
    guarded(L, [&](std::string&) {
      open_author_module(L);
      lua_createtable(L, 0, 2);
      lua_pushcfunction(L, load_check);
      lua_setfield(L, -2, "__index");
      lua_pushboolean(L, 0);
      lua_setfield(L, -2, "__metatable");
      lua_setmetatable(L, -2);
      return 1;
    });
    return keep_module(L, LUA_OK, 0);
  }
  const std::string* code = find_module(L, name);
  if (code == nullptr)
    raise(L,
          "module '%s' not found: there are 'skald', 'skald.saga', 'skald.check', and the files of lib/ whose names are written out "
          "in require",
          name);
  if (luaL_loadbufferx(L, code->data(), code->size(), name, "b") != LUA_OK) return lua_error(L);
  lua_pushvalue(L, 1);
  int arguments = 1;
  if (built_in_module(name) == code) {
    guarded(L, [&](std::string&) {
      push_saga_host(L);
      return 0;
    });
    ++arguments;
  }
  lua_callk(L, arguments, 1, 0, keep_module);
  return keep_module(L, LUA_OK, 0);
}

// skald.check is a module of its own, loaded when a script first asks for it.
int load_check(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING || std::strcmp(lua_tostring(L, 2), "check") != 0) return 0;
  lua_settop(L, 2);
  lua_pushcfunction(L, require_module);
  lua_pushliteral(L, "skald.check");
  lua_call(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, 1);
  return 1;
}

int return_all(lua_State* L, int, lua_KContext) { return lua_gettop(L) - 1; }

// Stack: the table of functions at `table`; registers each as `add` does.
void register_all(lua_State* L, int table, const char* field, const char* add) {
  if (lua_getfield(L, table, field) == LUA_TTABLE) {
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "skald");
    lua_getfield(L, -1, add);
    const int function = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, function - 3) != 0;) {
      lua_pushvalue(L, function);
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      lua_call(L, 2, 0);
      lua_pop(L, 1);
    }
    lua_pop(L, 4);
    return;
  }
  if (!lua_isnil(L, -1)) raise(L, "'%s' must be a table of functions", field);
  lua_pop(L, 1);
}

// Stack: placeholder, arguments…, the chunk's value.
int run_value(lua_State* L, int, lua_KContext) {
  const int value = lua_gettop(L);
  if (lua_istable(L, value)) {
    register_all(L, value, "signals", "on_signal");
    register_all(L, value, "queries", "on_query");
    lua_getfield(L, value, "run");
    lua_replace(L, value);
  }
  if (!lua_isfunction(L, value)) {
    guarded(L, [&](std::string& error) {
      error = absl::StrCat(Script::of(L).definition().name,
                           ".lua:1: the file must return a function, or skald.workflow { run = function … }");
      return 0;
    });
  }
  lua_insert(L, 2);
  lua_callk(L, value - 2, LUA_MULTRET, 0, return_all);
  return return_all(L, LUA_OK, 0);
}

}  // namespace

int run_definition(lua_State* L) {
  lua_pushvalue(L, 1);
  lua_pushboolean(L, 0);
  lua_replace(L, 1);
  lua_callk(L, 0, 1, 0, run_value);
  return run_value(L, LUA_OK, 0);
}

void open_run_library(lua_State* L) {
  lua_pushglobaltable(L);
  for (const luaL_Reg& each : {luaL_Reg{"require", require_module}, luaL_Reg{"print", print}}) {
    lua_pushstring(L, each.name);
    lua_pushcfunction(L, each.func);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

}  // namespace skald::lua

#include "lua/author_support.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include <absl/strings/str_cat.h>

#include "lua/failures.h"
#include "lua/json.h"

namespace skald::lua {
namespace {

constexpr size_t kLongestName = 1000;
constexpr absl::Duration kLongestDuration = absl::Hours(24 * 365 * 100);

bool parse_units(std::string_view text, absl::Duration& duration) {
  static constexpr struct {
    std::string_view unit;
    absl::Duration value;
  } kUnits[] = {{"ms", absl::Milliseconds(1)},
                {"s", absl::Seconds(1)},
                {"m", absl::Minutes(1)},
                {"h", absl::Hours(1)},
                {"d", absl::Hours(24)}};
  duration = absl::ZeroDuration();
  if (text.empty()) return false;
  while (!text.empty()) {
    double count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
    if (read.ec != std::errc() || count < 0) return false;
    text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
    const size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const auto& each) { return each.unit == text.substr(0, letters); });
    if (unit == std::end(kUnits)) return false;
    duration += count * unit->value;
    text.remove_prefix(letters);
  }
  return true;
}

}  // namespace

bool must_interrupt(Script& script, const Coroutine& coroutine, const Future& future) {
  if (!script.scheduler().cancelled(coroutine.scope)) return false;
  if (future.operation != 0) return !script.scheduler().cancelled(future.scope);
  if (future.branch != 0) return !script.scheduler().cancelled(future.branch);
  return true;
}

const char* check_name(lua_State* L, int index) {
  size_t size = 0;
  const char* name = luaL_checklstring(L, index, &size);
  if (size == 0 || size > kLongestName) luaL_argerror(L, index, "a name has 1 to 1000 bytes");
  if (utf8_prefix({name, size}) != size) luaL_argerror(L, index, "a name must be UTF-8");
  return name;
}

void push_script_error(lua_State* L, const std::string& error) {
  const std::string place = Sandbox::place(L);
  const std::string text = place.empty() ? error : absl::StrCat(place, ": ", error);
  lua_pushlstring(L, text.data(), text.size());
}

void require_active(lua_State* L, const char* function) {
  if (Scheduler::current(L)->role == Coroutine::Role::kQuery)
    raise(L, "%s: a query's function must neither wait nor change anything", function);
  if (Script::of(L).in_side_effect())
    raise(L, "%s: a side effect's function must neither wait nor start anything", function);
}

void require_waitable(lua_State* L, const char* function) {
  require_active(L, function);
  if (lua_isyieldable(L) == 0)
    raise(L, "%s: waiting is not possible inside a comparison or replacement function, a metamethod or a predicate",
          function);
}

void throw_cancelled(lua_State* L) {
  guarded(L, [&](std::string&) {
    push_failure(L, cancelled_failure(Script::of(L).scheduler().reason(Scheduler::current(L)->scope)));
    return kThrow;
  });
  __builtin_unreachable();
}

void throw_if_cancelled(lua_State* L) {
  if (Script::of(L).scheduler().cancelled(Scheduler::current(L)->scope)) throw_cancelled(L);
}

void make_reason(lua_State* L, int index) {
  if (lua_isnoneornil(L, index)) {
    lua_settop(L, std::max(lua_gettop(L), index));
    lua_pushliteral(L, "");
  } else if (lua_istable(L, index) && luaL_getmetafield(L, index, "__tostring") == LUA_TNIL) {
    guarded(L, [&](std::string&) {
      std::string text, ignored;
      if (!encode_json(L, index, text, ignored)) text = "a table";
      lua_pushlstring(L, text.data(), text.size());
      return 1;
    });
  } else {
    push_text(L, index);
  }
  lua_replace(L, index);
  lua_settop(L, index);
}

int await(lua_State* L, int, lua_KContext) {
  Future& future = *Scheduler::to_future(L, 1);
  if (future.state == Future::State::kPending) {
    require_waitable(L, "get");
    Script& script = Script::of(L);
    Coroutine& coroutine = *Scheduler::current(L);
    if (must_interrupt(script, coroutine, future)) throw_cancelled(L);
    script.scheduler().wait_for(coroutine, future);
    lua_settop(L, 1);
    return lua_yieldk(L, 0, 0, await);
  }
  lua_getiuservalue(L, 1, 1);
  return future.state == Future::State::kValue ? 1 : lua_error(L);
}

bool parse_duration(lua_State* L, int index, absl::Duration& duration, std::string& error) {
  bool good = false;
  if (lua_type(L, index) == LUA_TNUMBER) {
    const double seconds = lua_tonumber(L, index);
    good = std::isfinite(seconds) && seconds >= 0;
    duration = absl::Seconds(good ? seconds : 0);
  } else if (lua_type(L, index) == LUA_TSTRING) {
    good = parse_units(lua_tostring(L, index), duration);
  }
  if (good && duration <= kLongestDuration) return true;
  error = "a duration is text such as \"200ms\", \"5s\", \"1h30m\" or \"2d\", or a number of seconds";
  return false;
}

void set_duration(google::protobuf::Duration& proto, absl::Duration duration) {
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

Options::Options(lua_State* L, int index, std::string what, std::string& error)
    : L_(L), index_(lua_absindex(L, index)), what_(std::move(what)), error_(error) {
  if (lua_isnoneornil(L, index)) {
    index_ = 0;
  } else if (!lua_istable(L, index)) {
    error_ = absl::StrCat(what_, ": the options must be a table");
    index_ = 0;
  }
}

void Options::fail(const char* name, std::string_view problem) {
  if (error_.empty()) error_ = absl::StrCat(what_, ": '", name, "' ", std::string(problem));
}

// Pushes the option's value, or nothing.
bool Options::push(const char* name) {
  if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
  if (index_ == 0 || !error_.empty()) return false;
  lua_pushstring(L_, name);
  if (lua_rawget(L_, index_) != LUA_TNIL) return true;
  lua_pop(L_, 1);
  return false;
}

bool Options::has(const char* name) {
  if (!push(name)) return false;
  lua_pop(L_, 1);
  return true;
}

std::optional<std::string> Options::text(const char* name) {
  if (!push(name)) return std::nullopt;
  std::optional<std::string> result;
  if (lua_type(L_, -1) == LUA_TSTRING) {
    size_t size = 0;
    const char* bytes = lua_tolstring(L_, -1, &size);
    result.emplace(bytes, size);
    if (utf8_prefix(*result) != size) fail(name, "must be UTF-8");
  } else {
    fail(name, "must be text");
  }
  lua_pop(L_, 1);
  return result;
}

std::optional<double> Options::number(const char* name) {
  if (!push(name)) return std::nullopt;
  std::optional<double> result;
  if (lua_type(L_, -1) == LUA_TNUMBER && lua_tonumber(L_, -1) >= 0) {
    result = lua_tonumber(L_, -1);
  } else {
    fail(name, "must be a number, not negative");
  }
  lua_pop(L_, 1);
  return result;
}

std::optional<absl::Duration> Options::duration(const char* name) {
  if (!push(name)) return std::nullopt;
  absl::Duration duration;
  std::string problem;
  const bool good = parse_duration(L_, -1, duration, problem);
  if (!good) fail(name, absl::StrCat("is no duration: ", problem));
  lua_pop(L_, 1);
  if (!good) return std::nullopt;
  return duration;
}

std::optional<int> Options::choice(const char* name, std::initializer_list<const char*> names) {
  const auto chosen = text(name);
  if (!chosen) return std::nullopt;
  int place = 0;
  std::string all;
  for (const char* each : names) {
    if (*chosen == each) return place;
    absl::StrAppend(&all, place == 0 ? "\"" : ", \"", each, "\"");
    ++place;
  }
  fail(name, absl::StrCat("must be one of ", all));
  return std::nullopt;
}

bool Options::retry_policy(const char* name, temporal::api::common::v1::RetryPolicy& policy) {
  if (!push(name)) return false;
  Options retry(L_, -1, absl::StrCat(what_, ": ", name), error_);
  if (const auto initial = retry.duration("initial")) set_duration(*policy.mutable_initial_interval(), *initial);
  if (const auto longest = retry.duration("max_interval")) set_duration(*policy.mutable_maximum_interval(), *longest);
  if (const auto backoff = retry.number("backoff")) {
    if (*backoff < 1) retry.fail("backoff", "must be 1 or more");
    policy.set_backoff_coefficient(*backoff);
  }
  if (const auto attempts = retry.number("max_attempts"))
    policy.set_maximum_attempts(static_cast<int32_t>(std::min(*attempts, 1e9)));
  if (retry.push("non_retryable")) {
    if (!lua_istable(L_, -1)) retry.fail("non_retryable", "must be a list of error types");
    for (lua_Integer i = 1; lua_istable(L_, -1) && lua_rawgeti(L_, -1, i) == LUA_TSTRING; ++i) {
      policy.add_non_retryable_error_types(to_utf8(lua_tostring(L_, -1)));
      lua_pop(L_, 1);
    }
  }
  lua_settop(L_, retry.index_ == 0 ? lua_gettop(L_) : retry.index_);
  retry.done();
  lua_pop(L_, 1);
  return error_.empty();
}

bool Options::done(bool positional) {
  if (index_ == 0 || !error_.empty()) return error_.empty();
  std::string unknown;
  for (lua_pushnil(L_); lua_next(L_, index_) != 0; lua_pop(L_, 1)) {
    if (lua_type(L_, -2) != LUA_TSTRING) {
      if (!positional) unknown = "(a numbered field)";
      continue;
    }
    const std::string name = lua_tostring(L_, -2);
    // The first by name, whatever the order of the table.
    if (std::find(known_.begin(), known_.end(), name) == known_.end() && (unknown.empty() || name < unknown))
      unknown = name;
  }
  if (unknown.empty()) return true;
  std::string all;
  for (const std::string& name : known_) absl::StrAppend(&all, all.empty() ? "" : ", ", name);
  error_ = absl::StrCat(what_, ": unknown option '", unknown, "'; there are: ", all);
  return false;
}

void push_metatable(lua_State* L, const void* key, const char* name, const luaL_Reg* methods) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  lua_createtable(L, 0, 8);
  bool own_index = false;
  for (; methods->name != nullptr; ++methods) {
    const bool meta = std::strncmp(methods->name, "__", 2) == 0;
    own_index = own_index || std::strcmp(methods->name, "__index") == 0;
    lua_pushcfunction(L, methods->func);
    lua_setfield(L, meta ? -3 : -2, methods->name);
  }
  if (own_index) {
    lua_pop(L, 1);
  } else {
    lua_setfield(L, -2, "__index");
  }
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void* to_object(lua_State* L, int index, const void* key) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_getmetatable(L, index) == 0) return nullptr;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? lua_touserdata(L, index) : nullptr;
}

}  // namespace skald::lua

// skald.signal, on_signal, on_query.
#include "lua/author_support.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

constexpr char kChannelMark = 0;

struct ChannelHandle {
  SignalChannel* channel;  // channels live as long as their run
};

SignalChannel& check_channel(lua_State* L) {
  auto* handle = static_cast<ChannelHandle*>(to_object(L, 1, &kChannelMark));
  if (handle == nullptr) raise(L, "a signal's functions are called with a colon: signal:receive()");
  return *handle->channel;
}

// Takes the oldest unread signal: pushes true and its arguments.
int take(lua_State* L, SignalChannel& channel) {
  return guarded(L, [&](std::string& error) {
    const temporal::api::common::v1::Payloads input = std::move(channel.unread.front());
    channel.unread.pop_front();
    lua_settop(L, 0);
    lua_pushboolean(L, 1);
    if (!decode_payloads(L, input, error)) return 0;
    return lua_gettop(L);
  });
}

void listen(lua_State* L, SignalChannel& channel) {
  guarded(L, [&](std::string&) {
    channel.receivers.push_back(Scheduler::current(L)->id);
    return 0;
  });
}

// Stack: signal, duration or nil, timer's future or nil.
int received(lua_State* L, int, lua_KContext) {
  SignalChannel& channel = check_channel(L);
  lua_settop(L, 3);
  if (!channel.unread.empty()) {
    if (!lua_isnil(L, 3)) cancel_future(L, 3);
    return take(L, channel);
  }
  throw_if_cancelled(L);
  if (!lua_isnil(L, 3) && Scheduler::to_future(L, 3)->state != Future::State::kPending) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (lua_isnil(L, 3) && !lua_isnil(L, 2)) {
    start_timer(L, 2);
    lua_replace(L, 3);
    Script::of(L).scheduler().wait_for(*Scheduler::current(L), *Scheduler::to_future(L, 3));
  }
  listen(L, channel);
  return lua_yieldk(L, 0, 0, received);
}

int receive(lua_State* L) {
  check_channel(L);
  require_waitable(L, "receive");
  lua_settop(L, 2);
  lua_pushnil(L);
  return received(L, LUA_OK, 0);
}

int poll(lua_State* L) {
  SignalChannel& channel = check_channel(L);
  require_active(L, "poll");
  if (!channel.unread.empty()) return take(L, channel);
  lua_pushboolean(L, 0);
  return 1;
}

int pending(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(check_channel(L).unread.size()));
  return 1;
}

int next(lua_State* L) {
  SignalChannel& channel = check_channel(L);
  require_active(L, "next");
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    lua_settop(L, 1);
    Scheduler::push_future(L, Scheduler::current(L)->scope);
    if (channel.unread.empty()) {
      lua_pushvalue(L, 2);
      channel.next.push_back(luaL_ref(L, LUA_REGISTRYINDEX));
      return 1;
    }
    if (!decode_first(L, channel.unread.front(), error)) return 0;
    channel.unread.pop_front();
    script.scheduler().settle(L, 2, true);
    return 1;
  });
}

int make_signal(lua_State* L) {
  check_name(L, 1);
  return guarded(L, [&](std::string& error) {
    static constexpr luaL_Reg kMethods[] = {
        {"receive", receive}, {"poll", poll}, {"pending", pending}, {"next", next}, {nullptr, nullptr}};
    if (Script::of(L).channels() >= Script::kMostNames) {
      error = "too many signals named in one run";
      return 0;
    }
    SignalChannel& channel = Script::of(L).channel(lua_tostring(L, 1));
    auto* handle = static_cast<ChannelHandle*>(lua_newuserdatauv(L, sizeof(ChannelHandle), 0));
    handle->channel = &channel;
    push_metatable(L, &kChannelMark, "signal", kMethods);
    lua_setmetatable(L, -2);
    return 1;
  });
}

int on_signal(lua_State* L) {
  require_active(L, "on_signal");
  check_name(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    if (script.channels() >= Script::kMostNames) {
      error = "too many signals named in one run";
      return 0;
    }
    SignalChannel& channel = script.channel(lua_tostring(L, 1));
    luaL_unref(L, LUA_REGISTRYINDEX, channel.handler);
    channel.handler = luaL_ref(L, LUA_REGISTRYINDEX);
    while (!channel.unread.empty()) {
      if (!script.deliver(L, channel, channel.unread.front(), error)) return 0;
      channel.unread.pop_front();
    }
    return 0;
  });
}

int on_query(lua_State* L) {
  require_active(L, "on_query");
  check_name(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  return guarded(L, [&](std::string& error) {
    if (Script::of(L).query_handlers().size() >= Script::kMostNames) {
      error = "too many queries named in one run";
      return 0;
    }
    auto [place, fresh] = Script::of(L).query_handlers().emplace(lua_tostring(L, 1), LUA_NOREF);
    if (!fresh) luaL_unref(L, LUA_REGISTRYINDEX, place->second);
    place->second = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
  });
}

}  // namespace

void add_signals(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {
      {"signal", make_signal}, {"on_signal", on_signal}, {"on_query", on_query}, {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua

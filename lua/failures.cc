#include "lua/failures.h"

#include "lua/hidden_keys.h"
#include "lua/json.h"
#include "lua/payloads.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

using temporal::api::failure::v1::Failure;

constexpr char kErrorMark = 0;
constexpr char kSource[] = "skald-lua";

void set_text(lua_State* L, const char* field, const std::string& text) {
  lua_pushlstring(L, text.data(), text.size());
  lua_setfield(L, -2, field);
}

int error_text(lua_State* L) {
  lua_settop(L, 1);
  lua_pushliteral(L, "type");
  lua_rawget(L, 1);
  lua_pushliteral(L, ": ");
  lua_pushliteral(L, "message");
  lua_rawget(L, 1);
  if (lua_isstring(L, 2) == 0 || lua_rawlen(L, 2) == 0) {
    lua_pushvalue(L, 4);
  } else if (lua_isstring(L, 4) == 0) {
    lua_pushvalue(L, 2);
  } else {
    lua_concat(L, 3);
  }
  if (lua_isstring(L, -1) == 0) lua_pushliteral(L, "error");
  return 1;
}

void push_error_metatable(lua_State* L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kErrorMark) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, error_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "error");
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kErrorMark);
}

const char* timeout_name(const Failure& failure) {
  using namespace temporal::api::enums::v1;
  switch (failure.timeout_failure_info().timeout_type()) {
    case TIMEOUT_TYPE_START_TO_CLOSE:
      return "start_to_close";
    case TIMEOUT_TYPE_SCHEDULE_TO_START:
      return "schedule_to_start";
    case TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
      return "schedule_to_close";
    case TIMEOUT_TYPE_HEARTBEAT:
      return "heartbeat";
    default:
      return "unspecified";
  }
}

// Details that cannot be read are left out: the error itself matters more.
void set_details(lua_State* L, const temporal::api::common::v1::Payloads& details) {
  std::string error;
  if (details.payloads_size() == 0 || !decode_payload(L, details.payloads(0), error)) return;
  lua_setfield(L, -2, "details");
}

void set_kind(lua_State* L, const Failure& failure) {
  bool final = false;
  switch (failure.failure_info_case()) {
    case Failure::kTimeoutFailureInfo:
      set_text(L, "kind", "timeout");
      set_text(L, "type", "Timeout");
      set_text(L, "timeout", timeout_name(failure));
      set_details(L, failure.timeout_failure_info().last_heartbeat_details());
      break;
    case Failure::kCanceledFailureInfo:
      set_text(L, "kind", "cancelled");
      set_text(L, "type", "Cancelled");
      set_details(L, failure.canceled_failure_info().details());
      break;
    case Failure::kTerminatedFailureInfo:
      set_text(L, "kind", "terminated");
      set_text(L, "type", "Terminated");
      break;
    case Failure::kServerFailureInfo:
      set_text(L, "kind", "server");
      set_text(L, "type", "Server");
      final = failure.server_failure_info().non_retryable();
      break;
    default:
      set_text(L, "kind", "application");
      set_text(L, "type", failure.application_failure_info().type());
      final = failure.application_failure_info().non_retryable();
      set_details(L, failure.application_failure_info().details());
      break;
  }
  lua_pushboolean(L, final);
  lua_setfield(L, -2, "non_retryable");
}

// The chain of causes is as long as whoever made it liked: what lies deeper is left out.
constexpr int kDeepestCause = 32;

bool is_deep(const Failure& failure) {
  int depth = 0;
  for (const Failure* at = &failure; at->has_cause(); at = &at->cause()) {
    if (++depth > kDeepestCause) return true;
  }
  return false;
}

Failure without_deep_causes(const Failure& failure) {
  Failure result = failure;
  Failure* last = &result;
  for (int depth = 0; depth < kDeepestCause; ++depth) last = last->mutable_cause();
  last->clear_cause();
  last->set_message(last->message() + " (its causes are left out: they are nested too deep)");
  return result;
}

}  // namespace

void push_failure(lua_State* L, const Failure& given) {
  const bool deep = is_deep(given);
  const Failure cut = deep ? without_deep_causes(given) : Failure();
  const Failure& failure = deep ? cut : given;
  const Arena::HostWork host(Sandbox::of(L).arena());
  if (lua_checkstack(L, 8) == 0) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 8);
  push_error_metatable(L);
  lua_setmetatable(L, -2);
  const Failure* root = &failure;
  while (root->has_cause() &&
         (root->has_activity_failure_info() || root->has_child_workflow_execution_failure_info())) {
    if (root->has_activity_failure_info()) {
      set_text(L, "activity", root->activity_failure_info().activity_type().name());
    } else {
      set_text(L, "child", root->child_workflow_execution_failure_info().workflow_type().name());
    }
    root = &root->cause();
  }
  set_kind(L, *root);
  set_text(L, "message", root->message());
  if (root->has_cause()) {
    push_failure(L, root->cause());
    lua_setfield(L, -2, "cause");
  }
  const std::string wire = failure.SerializeAsString();
  lua_pushlstring(L, wire.data(), wire.size());
  lua_rawsetp(L, -2, &kFailureKey);
}

bool is_failure(lua_State* L, int index) {
  if (!lua_istable(L, index) || lua_getmetatable(L, index) == 0) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kErrorMark);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

bool read_failure(lua_State* L, int index, Failure& failure) {
  if (!is_failure(L, index)) return false;
  lua_rawgetp(L, index, &kFailureKey);
  size_t size = 0;
  const char* wire = lua_tolstring(L, -1, &size);
  const bool good = wire != nullptr && failure.ParseFromArray(wire, static_cast<int>(size));
  lua_pop(L, 1);
  return good;
}

bool is_cancellation(const Failure& failure) {
  const Failure* root = &failure;
  while (root->has_cause() && (root->has_activity_failure_info() || root->has_child_workflow_execution_failure_info()))
    root = &root->cause();
  return root->has_canceled_failure_info();
}

Failure cancelled_failure(const std::string& reason) {
  Failure failure;
  failure.set_message(reason.empty() ? "cancelled" : to_utf8(reason));
  failure.set_source(kSource);
  failure.mutable_canceled_failure_info();
  return failure;
}

Failure script_failure(const std::string& message, const std::string& stack_trace) {
  Failure failure;
  failure.set_message(to_utf8(message));
  failure.set_source(kSource);
  failure.set_stack_trace(to_utf8(stack_trace));
  failure.mutable_application_failure_info()->set_type("ScriptError");
  return failure;
}

}  // namespace skald::lua

// skald.activities, skald.activity: what starts activities.
#include <absl/strings/str_cat.h>

#include "lua/author_support.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using Template = ActivityTemplate;

constexpr char kActivityMark = 0;
constexpr char kGroupMark = 0;

struct TemplateHandle {
  uint32_t index;  // into the run's templates
};

Template& template_of(lua_State* L, const TemplateHandle& handle) {
  return *Script::of(L).activity_templates()[handle.index];
}

int push_handle(lua_State* L, uint32_t index, bool group);

// Keeps the activity and pushes what the script holds of it.
int keep(lua_State* L, Template made, bool group, std::string& error) {
  auto& templates = Script::of(L).activity_templates();
  if (templates.size() >= Script::kMostNames) {
    error = "too many activities described in one run; describe each once, outside of loops";
    return 0;
  }
  templates.push_back(std::make_unique<Template>(std::move(made)));
  return push_handle(L, static_cast<uint32_t>(templates.size() - 1), group);
}

bool read_options(lua_State* L, int index, Template& result, std::string& error) {
  auto& attributes = result.attributes;
  Options options(L, index, absl::StrCat("activity '", attributes.activity_type().name(), "'"), error);
  if (const auto value = options.duration("start_to_close"))
    set_duration(*attributes.mutable_start_to_close_timeout(), *value);
  if (const auto value = options.duration("schedule_to_close"))
    set_duration(*attributes.mutable_schedule_to_close_timeout(), *value);
  if (const auto value = options.duration("schedule_to_start"))
    set_duration(*attributes.mutable_schedule_to_start_timeout(), *value);
  if (const auto value = options.duration("heartbeat")) set_duration(*attributes.mutable_heartbeat_timeout(), *value);
  if (options.has("retry")) attributes.clear_retry_policy();
  options.retry_policy("retry", *attributes.mutable_retry_policy());
  if (const auto queue = options.text("task_queue")) attributes.mutable_task_queue()->set_name(*queue);
  if (const auto type = options.choice("cancellation", {"try", "wait", "abandon"}))
    result.cancellation = static_cast<CancellationType>(*type);
  if (!options.done()) return false;
  if (attributes.retry_policy().ByteSizeLong() == 0) attributes.clear_retry_policy();
  if (attributes.has_start_to_close_timeout() || attributes.has_schedule_to_close_timeout()) return true;
  error = absl::StrCat("activity '", attributes.activity_type().name(),
                       "': set 'start_to_close' (one attempt) or 'schedule_to_close' (all attempts)");
  return false;
}

// activity:start(arguments…): pushes the future.
int start_activity(lua_State* L) {
  require_active(L, "an activity");
  throw_if_cancelled(L);
  auto* handle = static_cast<TemplateHandle*>(to_object(L, 1, &kActivityMark));
  if (handle == nullptr) raise(L, "an activity is started with a colon: activity:start { … }");
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    const Template& made = template_of(L, *handle);
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Command command;
    command.set_command_type(COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
    auto& attributes = *command.mutable_schedule_activity_task_command_attributes();
    attributes = made.attributes;
    if (!encode_payloads(L, 2, "argument", *attributes.mutable_input(), error)) return 0;
    if (attributes.task_queue().name().empty()) attributes.mutable_task_queue()->set_name(script.task_queue());
    Operation operation;
    operation.kind = Operation::Kind::kActivity;
    operation.cancellation = made.cancellation;
    operation.id = script.next_id(operation.kind);
    operation.type = attributes.activity_type().name();
    attributes.set_activity_id(operation.id);
    ExpectedEvent expected{command.command_type(), operation.id, operation.type, Sandbox::place(L)};
    lua_settop(L, 1);
    Scheduler::push_future(L, 0);
    script.start(L, 2, std::move(operation), std::move(command), std::move(expected));
    return 1;
  });
}

int call_activity(lua_State* L) {
  require_waitable(L, "an activity");
  start_activity(L);
  lua_replace(L, 1);
  lua_settop(L, 1);
  return await(L, LUA_OK, 0);
}

int with_options(lua_State* L) {
  auto* handle = static_cast<TemplateHandle*>(to_object(L, 1, &kActivityMark));
  if (handle == nullptr) raise(L, "options are replaced with a colon: activity:with { … }");
  return guarded(L, [&](std::string& error) {
    Template made = template_of(L, *handle);
    if (!read_options(L, 2, made, error)) return 0;
    return keep(L, std::move(made), false, error);
  });
}

// group.name: the activity "prefix.name". Found ones are kept in the group's user value.
int group_member(lua_State* L) {
  auto* group = static_cast<TemplateHandle*>(to_object(L, 1, &kGroupMark));
  if (group == nullptr || lua_type(L, 2) != LUA_TSTRING) raise(L, "an activity's name must be text");
  check_name(L, 2);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, 3) != LUA_TNIL) return 1;
  lua_settop(L, 3);
  return guarded(L, [&](std::string& error) {
    Template made = template_of(L, *group);
    made.attributes.mutable_activity_type()->set_name(
        absl::StrCat(made.attributes.activity_type().name(), ".", lua_tostring(L, 2)));
    if (keep(L, std::move(made), false, error) == 0) return 0;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 3);
    return 1;
  });
}

int push_handle(lua_State* L, uint32_t index, bool group) {
  static constexpr luaL_Reg kActivity[] = {
      {"__call", call_activity}, {"start", start_activity}, {"with", with_options}, {nullptr, nullptr}};
  static constexpr luaL_Reg kGroup[] = {{"__index", group_member}, {nullptr, nullptr}};
  auto* handle = static_cast<TemplateHandle*>(lua_newuserdatauv(L, sizeof(TemplateHandle), 1));
  handle->index = index;
  if (group) {
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    push_metatable(L, &kGroupMark, "activities", kGroup);
  } else {
    push_metatable(L, &kActivityMark, "activity", kActivity);
  }
  lua_setmetatable(L, -2);
  return 1;
}

int make(lua_State* L, bool group) {
  check_name(L, 1);
  return guarded(L, [&](std::string& error) {
    Template made;
    made.attributes.mutable_activity_type()->set_name(lua_tostring(L, 1));
    if (!read_options(L, 2, made, error)) return 0;
    return keep(L, std::move(made), group, error);
  });
}

int activities(lua_State* L) { return make(L, true); }
int activity(lua_State* L) { return make(L, false); }

}  // namespace

void add_activities(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"activities", activities}, {"activity", activity}, {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua

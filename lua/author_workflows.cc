// Child workflows, other workflows, and the run's successor.
#include <cmath>

#include <absl/strings/str_cat.h>

#include "lua/author_support.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;

constexpr char kChildMark = 0;

struct ChildHandle {
  uint32_t index;
};

void read_payload_map(Options& options, const char* name, lua_State* L,
                      google::protobuf::Map<std::string, temporal::api::common::v1::Payload>& fields) {
  options.fields(name, [&](const std::string& key, int value) {
    std::string problem;
    if (!encode_payload(L, value, key.c_str(), fields[key], problem)) options.fail(name, problem);
  });
}

bool read_options(lua_State* L, int index, ChildTemplate& child, std::string& error) {
  auto& attributes = child.attributes;
  Options options(L, index, absl::StrCat("child workflow '", attributes.workflow_type().name(), "'"), error);
  if (const auto id = options.text("id")) attributes.set_workflow_id(*id);
  if (const auto queue = options.text("task_queue")) attributes.mutable_task_queue()->set_name(*queue);
  if (const auto value = options.duration("execution_timeout"))
    set_duration(*attributes.mutable_workflow_execution_timeout(), *value);
  if (const auto value = options.duration("run_timeout"))
    set_duration(*attributes.mutable_workflow_run_timeout(), *value);
  if (const auto value = options.duration("task_timeout"))
    set_duration(*attributes.mutable_workflow_task_timeout(), *value);
  if (options.has("retry")) options.retry_policy("retry", *attributes.mutable_retry_policy());
  if (const auto policy = options.choice("parent_close", {"terminate", "abandon", "request_cancel"})) {
    attributes.set_parent_close_policy(static_cast<ParentClosePolicy>(*policy + PARENT_CLOSE_POLICY_TERMINATE));
  }
  if (const auto reuse = options.choice("reuse", {"allow", "allow_failed_only", "reject"})) {
    attributes.set_workflow_id_reuse_policy(
        static_cast<WorkflowIdReusePolicy>(*reuse + WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE));
  }
  if (const auto cron = options.text("cron")) attributes.set_cron_schedule(*cron);
  if (const auto type = options.choice("cancellation", {"try", "wait", "abandon"}))
    child.cancellation = static_cast<CancellationType>(*type);
  if (options.has("memo")) read_payload_map(options, "memo", L, *attributes.mutable_memo()->mutable_fields());
  if (options.has("search_attributes")) {
    read_payload_map(options, "search_attributes", L,
                     *attributes.mutable_search_attributes()->mutable_indexed_fields());
  }
  return options.done();
}

// child:start(arguments…): pushes the future, whose user value knows nothing of the child; the run does.
int start_child(lua_State* L) {
  auto* handle = static_cast<ChildHandle*>(to_object(L, 1, &kChildMark));
  if (handle == nullptr) raise(L, "a child workflow is started with a colon: child:start { … }");
  require_active(L, "a child workflow");
  throw_if_cancelled(L);
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    const ChildTemplate& made = *script.child_templates()[handle->index];
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Command command;
    command.set_command_type(COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
    auto& attributes = *command.mutable_start_child_workflow_execution_command_attributes();
    attributes = made.attributes;
    attributes.set_namespace_(script.identity().namespace_name);
    if (!encode_payloads(L, 2, "argument", *attributes.mutable_input(), error)) return 0;
    if (attributes.task_queue().name().empty()) attributes.mutable_task_queue()->set_name(script.task_queue());
    Operation operation;
    operation.kind = Operation::Kind::kChild;
    operation.cancellation = made.cancellation;
    const std::string ordinal = script.next_id(operation.kind);
    if (attributes.workflow_id().empty())
      attributes.set_workflow_id(absl::StrCat(script.started().original_execution_run_id(), "_child_", ordinal));
    operation.id = attributes.workflow_id();
    operation.type = attributes.workflow_type().name();
    ExpectedEvent expected{command.command_type(), operation.id, operation.type, Sandbox::place(L)};
    lua_settop(L, 1);
    Scheduler::push_future(L, 0);
    Scheduler::push_future(L, Scheduler::current(L)->scope);  // of the start; found again by way of the operation
    operation.started = luaL_ref(L, LUA_REGISTRYINDEX);
    script.start(L, 2, std::move(operation), std::move(command), std::move(expected));
    return 1;
  });
}

int call_child(lua_State* L) {
  require_waitable(L, "a child workflow");
  start_child(L);
  lua_replace(L, 1);
  lua_settop(L, 1);
  return await(L, LUA_OK, 0);
}

int child(lua_State* L) {
  check_name(L, 1);
  return guarded(L, [&](std::string& error) {
    static constexpr luaL_Reg kMethods[] = {{"__call", call_child}, {"start", start_child}, {nullptr, nullptr}};
    auto made = std::make_unique<ChildTemplate>();
    made->attributes.mutable_workflow_type()->set_name(lua_tostring(L, 1));
    if (!read_options(L, 2, *made, error)) return 0;
    auto& templates = Script::of(L).child_templates();
    if (templates.size() >= Script::kMostNames) {
      error = "too many child workflows described in one run; describe each once, outside of loops";
      return 0;
    }
    templates.push_back(std::move(made));
    auto* handle = static_cast<ChildHandle*>(lua_newuserdatauv(L, sizeof(ChildHandle), 0));
    handle->index = static_cast<uint32_t>(templates.size() - 1);
    push_metatable(L, &kChildMark, "child workflow", kMethods);
    lua_setmetatable(L, -2);
    return 1;
  });
}

// Waits for the delivery that the future pushed by `begin` stands for.
template <typename Begin>
int begin_external(lua_State* L, const char* function, Begin begin) {
  require_waitable(L, function);
  throw_if_cancelled(L);
  guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Operation operation;
    Command command;
    ExpectedEvent expected;
    if (!begin(script, operation, command, expected, error)) return 0;
    expected.type = command.command_type();
    expected.place = Sandbox::place(L);
    Scheduler::push_future(L, 0);
    script.start(L, lua_gettop(L), std::move(operation), std::move(command), std::move(expected));
    return 0;
  });
  lua_replace(L, 1);
  lua_settop(L, 1);
  return await(L, LUA_OK, 0);
}

void check_target(lua_State* L) {
  luaL_checkany(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) check_name(L, 1);
}

bool read_target(lua_State* L, temporal::api::common::v1::WorkflowExecution& target, std::string& error) {
  if (lua_type(L, 1) == LUA_TSTRING) {
    target.set_workflow_id(lua_tostring(L, 1));
    return true;
  }
  Options options(L, 1, "the workflow", error);
  target.set_workflow_id(options.text("id").value_or(""));
  target.set_run_id(options.text("run_id").value_or(""));
  if (error.empty() && target.workflow_id().empty())
    error = "the workflow's id is missing: give it as text, or as { id =, run_id = }";
  return options.done();
}

bool build_signal(lua_State* L, Script& script, temporal::api::common::v1::WorkflowExecution target, bool child,
                  Operation& operation, Command& command, ExpectedEvent& expected, std::string& error) {
  operation.kind = Operation::Kind::kSignalExternal;
  operation.id = target.workflow_id();
  operation.type = "signal";
  command.set_command_type(COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
  auto& attributes = *command.mutable_signal_external_workflow_execution_command_attributes();
  attributes.set_namespace_(script.identity().namespace_name);
  attributes.set_signal_name(lua_tostring(L, 2));
  attributes.set_child_workflow_only(child);
  expected.id = target.workflow_id();
  expected.name = attributes.signal_name();
  *attributes.mutable_execution() = std::move(target);
  return encode_payloads(L, 3, "argument", *attributes.mutable_input(), error);
}

int signal_external(lua_State* L) {
  check_target(L);
  check_name(L, 2);
  return begin_external(
      L, "signal_external",
      [&](Script& script, Operation& operation, Command& command, ExpectedEvent& expected, std::string& error) {
        temporal::api::common::v1::WorkflowExecution target;
        return read_target(L, target, error) &&
               build_signal(L, script, std::move(target), false, operation, command, expected, error);
      });
}

int cancel_external(lua_State* L) {
  check_target(L);
  make_reason(L, 2);
  return begin_external(
      L, "cancel_external",
      [&](Script& script, Operation& operation, Command& command, ExpectedEvent& expected, std::string& error) {
        temporal::api::common::v1::WorkflowExecution target;
        if (!read_target(L, target, error)) return false;
        operation.kind = Operation::Kind::kCancelExternal;
        operation.id = expected.id = target.workflow_id();
        operation.type = "cancel";
        command.set_command_type(COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION);
        auto& attributes = *command.mutable_request_cancel_external_workflow_execution_command_attributes();
        attributes.set_namespace_(script.identity().namespace_name);
        attributes.set_workflow_id(target.workflow_id());
        attributes.set_run_id(target.run_id());
        attributes.set_reason(shortened(lua_tostring(L, 2), kLongestReason));
        return true;
      });
}

bool read_text(Options& options, const char* name, std::string& target) {
  const auto value = options.text(name);
  if (value) target = *value;
  return value.has_value();
}

// Arguments from `first` on; options at `options_index`, or 0. Does not return to the script.
int continue_with(lua_State* L, int first, int options_index) {
  require_waitable(L, "continue_as_new");
  guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    Command command;
    command.set_command_type(COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
    auto& attributes = *command.mutable_continue_as_new_workflow_execution_command_attributes();
    const auto& started = script.started();
    attributes.mutable_workflow_type()->set_name(started.workflow_type().name());
    attributes.mutable_task_queue()->set_name(script.task_queue());
    *attributes.mutable_workflow_run_timeout() = started.workflow_run_timeout();
    *attributes.mutable_workflow_task_timeout() = started.workflow_task_timeout();
    if (started.has_retry_policy()) *attributes.mutable_retry_policy() = started.retry_policy();
    if (script.memo().fields_size() > 0) *attributes.mutable_memo() = script.memo();
    if (script.search_attributes().indexed_fields_size() > 0)
      *attributes.mutable_search_attributes() = script.search_attributes();
    attributes.set_initiator(CONTINUE_AS_NEW_INITIATOR_WORKFLOW);
    if (options_index != 0) {
      Options options(L, options_index, "continue_as_new_with", error);
      read_text(options, "type", *attributes.mutable_workflow_type()->mutable_name());
      read_text(options, "task_queue", *attributes.mutable_task_queue()->mutable_name());
      if (const auto value = options.duration("run_timeout"))
        set_duration(*attributes.mutable_workflow_run_timeout(), *value);
      if (const auto value = options.duration("task_timeout"))
        set_duration(*attributes.mutable_workflow_task_timeout(), *value);
      if (!options.done()) return 0;
    }
    if (!encode_payloads(L, first, "argument", *attributes.mutable_input(), error)) return 0;
    script.close_with(std::move(command), {COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION, "", "", Sandbox::place(L)});
    return 0;
  });
  return lua_yield(L, 0);
}

int continue_as_new(lua_State* L) { return continue_with(L, 1, 0); }

int continue_as_new_with(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return continue_with(L, 2, 1);
}

// Stack: the child's future, the future of its start. Returns the child's workflow id and run id.
int has_started(lua_State* L, int status, lua_KContext context) {
  Future& future = *Scheduler::to_future(L, 1);
  if (future.state == Future::State::kPending) {
    throw_if_cancelled(L);
    Script::of(L).scheduler().wait_for(*Scheduler::current(L), future);
    return lua_yieldk(L, 0, context, has_started);
  }
  (void)status;
  lua_getiuservalue(L, 1, 1);
  if (future.state == Future::State::kError) return lua_error(L);
  lua_pushvalue(L, 2);
  lua_insert(L, -2);
  return 2;
}

// The open child that the future at 1 stands for; null if the future is no child's, or the child has ended.
Operation* child_of(lua_State* L) {
  const Future* future = Scheduler::to_future(L, 1);
  if (future == nullptr || future->operation == 0) return nullptr;
  Operation* operation = Script::of(L).operation(future->operation);
  return operation != nullptr && operation->kind == Operation::Kind::kChild ? operation : nullptr;
}

}  // namespace

int child_started(lua_State* L) {
  require_waitable(L, "started");
  Operation* child = child_of(L);
  if (child == nullptr) raise(L, "started: this is no running child workflow");
  lua_settop(L, 1);
  lua_pushlstring(L, child->id.data(), child->id.size());
  if (child->started == LUA_NOREF) {
    lua_pushlstring(L, child->run_id.data(), child->run_id.size());
    return 2;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, child->started);
  lua_replace(L, 1);
  return has_started(L, LUA_OK, 0);
}

int child_signal(lua_State* L) {
  check_name(L, 2);
  if (child_of(L) == nullptr) raise(L, "signal: this is no running child workflow");
  return begin_external(
      L, "signal", [&](Script& script, Operation& operation, Command& command, ExpectedEvent& expected, std::string& error) {
        const Operation& child = *child_of(L);
        temporal::api::common::v1::WorkflowExecution target;
        target.set_workflow_id(child.id);
        target.set_run_id(child.run_id);
        return build_signal(L, script, std::move(target), true, operation, command, expected, error);
      });
}

void add_workflows(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"child", child},
                                            {"signal_external", signal_external},
                                            {"cancel_external", cancel_external},
                                            {"continue_as_new", continue_as_new},
                                            {"continue_as_new_with", continue_as_new_with},
                                            {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua

// What a run writes down about itself: side effects, search attributes, memo.
#include <random>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "lua/author_support.h"
#include "lua/json.h"
#include "lua/payloads.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::command::v1::Command;
using temporal::api::common::v1::Payload;
using temporal::api::common::v1::Payloads;

constexpr char kMarkerName[] = "skald.side_effect";

// Records the value at 2 and returns it.
int record(lua_State* L, const std::string& id, std::string& error) {
  Payloads value;
  if (!encode_payload(L, 2, "the side effect's value", *value.add_payloads(), error)) return 0;
  Command command;
  command.set_command_type(COMMAND_TYPE_RECORD_MARKER);
  auto& attributes = *command.mutable_record_marker_command_attributes();
  attributes.set_marker_name(kMarkerName);
  auto& details = *attributes.mutable_details();
  Payload& number = *details["id"].add_payloads();
  (*number.mutable_metadata())["encoding"] = "json/plain";
  number.set_data(id);
  details["value"] = value;
  Script::of(L).add_command(std::move(command), {COMMAND_TYPE_RECORD_MARKER, "", kMarkerName, Sandbox::place(L)});
  // The script gets what replay will get.
  return decode_payload(L, value.payloads(0), error) ? 1 : 0;
}

int side_effect(lua_State* L) {
  require_active(L, "side_effect");
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  Script& script = Script::of(L);
  const Payloads* recorded = nullptr;
  guarded(L, [&](std::string& error) {
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    script.begin_side_effect();
    recorded = script.recorded_marker(script.side_effect_id());
    return 0;
  });
  if (recorded != nullptr) {
    script.end_side_effect();
    return guarded(L, [&](std::string& error) {
      if (!decode_first(L, *recorded, error)) return 0;
      lua_insert(L, 2);
      return record(L, script.side_effect_id(), error);
    });
  }
  const int status = lua_pcall(L, 0, 1, 0);
  script.end_side_effect();
  if (status != LUA_OK) {
    rethrow_if_doomed(L, status);
    return lua_error(L);
  }
  lua_insert(L, 1);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  return guarded(L, [&](std::string& error) { return record(L, script.side_effect_id(), error); });
}

using Fields = google::protobuf::Map<std::string, Payload>;

// Reads the table at 1 into `fields`; skald.null and nil-like values remove.
bool read_fields(lua_State* L, const char* what, Fields& fields, std::string& error) {
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      error = absl::StrCat(what, ": names must be text");
      return false;
    }
    const std::string name = to_utf8(lua_tostring(L, -2));
    const std::string place = absl::StrCat(what, ".", name);
    if (is_null(L, -1)) {
      (*fields[name].mutable_metadata())["encoding"] = "binary/null";
    } else if (!encode_payload(L, lua_gettop(L), place.c_str(), fields[name], error)) {
      return false;
    }
  }
  if (fields.empty()) error = absl::StrCat(what, ": the table is empty");
  return error.empty();
}

void merge(const Fields& changes, Fields& into) {
  for (const auto& [name, payload] : changes) {
    const auto encoding = payload.metadata().find("encoding");
    if (encoding != payload.metadata().end() && encoding->second == "binary/null") {
      into.erase(name);
    } else {
      into[name] = payload;
    }
  }
}

int upsert_search_attributes(lua_State* L) {
  require_active(L, "upsert_search_attributes");
  luaL_checktype(L, 1, LUA_TTABLE);
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Command command;
    command.set_command_type(COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
    auto& fields = *command.mutable_upsert_workflow_search_attributes_command_attributes()
                        ->mutable_search_attributes()
                        ->mutable_indexed_fields();
    if (!read_fields(L, "search attribute", fields, error)) return 0;
    merge(fields, *script.search_attributes().mutable_indexed_fields());
    script.add_command(std::move(command), {COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, "", "", Sandbox::place(L)});
    return 0;
  });
}

int set_memo(lua_State* L) {
  require_active(L, "set_memo");
  luaL_checktype(L, 1, LUA_TTABLE);
  return guarded(L, [&](std::string& error) {
    Script& script = Script::of(L);
    if (const char* excess = script.excess()) {
      error = excess;
      return 0;
    }
    Command command;
    command.set_command_type(COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES);
    auto& fields =
        *command.mutable_modify_workflow_properties_command_attributes()->mutable_upserted_memo()->mutable_fields();
    if (!read_fields(L, "memo", fields, error)) return 0;
    merge(fields, *script.memo().mutable_fields());
    script.add_command(std::move(command), {COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES, "", "", Sandbox::place(L)});
    return 0;
  });
}

}  // namespace

void Script::begin_side_effect() {
  in_side_effect_ = true;
  side_effect_id_ = std::to_string(++markers_made_);
  random_before_ = sandbox_.random();
  std::random_device device;
  sandbox_.random() = RandomStream((static_cast<uint64_t>(device()) << 32) | device());
  now_before_ = now_;
  now_ = absl::Now();
}

void Script::end_side_effect() {
  in_side_effect_ = false;
  sandbox_.random() = random_before_;
  now_ = now_before_;
}

void add_records(lua_State* L) {
  static constexpr luaL_Reg kFunctions[] = {{"side_effect", side_effect},
                                            {"upsert_search_attributes", upsert_search_attributes},
                                            {"set_memo", set_memo},
                                            {nullptr, nullptr}};
  luaL_setfuncs(L, kFunctions, 0);
}

}  // namespace skald::lua

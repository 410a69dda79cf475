#include "lua/payloads.h"

#include <absl/strings/str_cat.h>

#include "lua/json.h"
#include "lua/sandbox.h"

namespace skald::lua {

using temporal::api::common::v1::Payload;
using temporal::api::common::v1::Payloads;

bool encode_payload(lua_State* L, int index, const char* what, Payload& payload, std::string& error) {
  auto& encoding = (*payload.mutable_metadata())["encoding"];
  if (lua_isnil(L, index)) {
    encoding = "binary/null";
    return true;
  }
  encoding = "json/plain";
  if (encode_json(L, index, *payload.mutable_data(), error)) return true;
  error = absl::StrCat(what, error);
  return false;
}

bool encode_payloads(lua_State* L, int first, const char* what, Payloads& payloads, std::string& error) {
  int last = lua_gettop(L);
  while (last >= first && lua_isnil(L, last)) --last;
  size_t total = 0;
  for (int i = first; i <= last; ++i) {
    const std::string name = i == first && i == last ? what : absl::StrCat(what, " ", i - first + 1);
    Payload& payload = *payloads.add_payloads();
    if (!encode_payload(L, i, name.c_str(), payload, error)) return false;
    total += payload.data().size();
    if (total <= 2 * kLargestValue) continue;
    error = absl::StrCat(what, "s: larger than ", 2 * kLargestValue >> 20, " MiB together");
    return false;
  }
  return true;
}

bool decode_payload(lua_State* L, const Payload& payload, std::string& error) {
  const auto encoding = payload.metadata().find("encoding");
  const std::string_view name = encoding == payload.metadata().end() ? std::string_view() : encoding->second;
  if (lua_checkstack(L, 4) == 0) {
    error = "too many values";
    return false;
  }
  if (name == "json/plain" || name == "json/protobuf") return decode_json(L, payload.data(), error);
  const Arena::HostWork host(Sandbox::of(L).arena());
  if (name == "binary/null") {
    lua_pushnil(L);
    return true;
  }
  if (name == "binary/plain") {
    lua_pushlstring(L, payload.data().data(), payload.data().size());
    return true;
  }
  error = absl::StrCat("the payload's encoding is '", std::string(name),
                       "'; Lua workflows read json/plain, json/protobuf, binary/plain and binary/null");
  return false;
}

bool decode_payloads(lua_State* L, const Payloads& payloads, std::string& error) {
  const int top = lua_gettop(L);
  for (const Payload& payload : payloads.payloads()) {
    if (decode_payload(L, payload, error)) continue;
    lua_settop(L, top);
    return false;
  }
  return true;
}

bool decode_first(lua_State* L, const Payloads& payloads, std::string& error) {
  if (payloads.payloads_size() > 0) return decode_payload(L, payloads.payloads(0), error);
  lua_pushnil(L);
  return true;
}

}  // namespace skald::lua

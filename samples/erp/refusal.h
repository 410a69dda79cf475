#pragma once

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace skald::erp {

using nlohmann::json;

// What the ERP answers instead of doing something. `fields` names what is wrong with a request by its fields, `current`
// is the record as it is where the caller knew an older one.
struct Refusal {
  int status;
  std::string code, message;
  json fields = nullptr, current = nullptr;

  json body() const {
    json error = {{"code", code}, {"message", message}};
    if (!fields.is_null()) error["fields"] = fields;
    json out = {{"error", std::move(error)}};
    if (!current.is_null()) out["current"] = current;
    return out;
  }
};

}  // namespace skald::erp

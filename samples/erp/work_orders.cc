#include <algorithm>
#include <limits>

#include "samples/erp/books.h"

namespace skald::erp {
namespace {

constexpr int64_t kCapacity = 50;  // open work orders of one technician

bool has_skill(const json& technician, const std::string& skill) {
  const json& skills = technician["skills"];
  return skill.empty() || std::find(skills.begin(), skills.end(), skill) != skills.end();
}

[[noreturn]] void refuse_state(const json& order, const std::string& what) {
  throw Refusal{409, "wrong_state",
                "the work order " + order["id"].get<std::string>() + " is " + order["state"].get<std::string>() +
                    ": it cannot be " + what,
                nullptr, order};
}

}  // namespace

json Books::add_technician(const json& request) {
  json fields = json::object();
  json technician = {{"name", text_field(request, "name", fields)}, {"skills", request.value("skills", json::array())}};
  refuse_wrong(fields);
  const std::string id = "T-" + std::to_string(technicians_.all().size() + 1);
  technician["id"] = id;
  return technicians_.create(id, std::move(technician));
}

json Books::create_work_order(const json& request) {
  json fields = json::object();
  const std::string reference = text_field(request, "reference", fields);
  json order = {{"reference", reference},
                {"asset", text_field(request, "asset", fields)},
                {"kind", text_field(request, "kind", fields)},
                {"description", text_field(request, "description", fields)},
                {"priority", text_field(request, "priority", fields, false)}};
  const json parts = request.value("parts", json::array());
  if (!parts.empty()) require_known(parts, "parts", fields);
  refuse_wrong(fields);
  if (const json* there = work_orders_.by_reference(reference))
    throw Refusal{409, "duplicate_reference", "there is a work order " + reference + " already", nullptr, *there};
  const std::string id = "WO-" + std::to_string(++last_id_);
  order.update({{"id", id}, {"parts", parts}, {"state", "created"}, {"technician", nullptr}, {"note", ""}});
  return work_orders_.create(id, std::move(order));
}

json Books::assign(const std::string& id, const json& request, Version version) {
  const json& order = changeable(work_orders_, id, version);
  json fields = json::object();
  const std::string skill = text_field(request, "skill", fields, false);
  const auto& all = technicians_.all();
  if (std::none_of(all.begin(), all.end(), [&](const auto& t) { return has_skill(t.second, skill); }))
    fields["skill"] = "is nobody's: " + skill;
  refuse_wrong(fields);
  if (*version == order["version"] && order["state"] != "created" && order["state"] != "assigned")
    refuse_state(order, "assigned");
  const json* chosen = nullptr;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& [name, technician] : all) {
    if (!has_skill(technician, skill)) continue;
    const int64_t load = std::count_if(work_orders_.all().begin(), work_orders_.all().end(), [&](const auto& other) {
      return other.second["state"] == "assigned" && other.second["technician"]["id"] == technician["id"];
    });
    if (load < least) least = load, chosen = &technician;
  }
  if (least >= kCapacity)
    throw Refusal{409, "nobody_free", "everybody with this skill has enough to do", nullptr, order};
  return work_orders_.change(
      id, {{"state", "assigned"}, {"technician", {{"id", (*chosen)["id"]}, {"name", (*chosen)["name"]}}}}, version);
}

json Books::complete(const std::string& id, const json& request, Version version) {
  const json& order = changeable(work_orders_, id, version);
  json fields = json::object();
  json change = {{"state", "completed"},
                 {"completed_by", text_field(request, "by", fields)},
                 {"notes", text_field(request, "notes", fields, false)}};
  refuse_wrong(fields);
  if (*version == order["version"] && order["state"] != "assigned") refuse_state(order, "completed");
  return work_orders_.change(id, change, version);
}

json Books::cancel(const std::string& id, const json& request, Version version) {
  const json& order = changeable(work_orders_, id, version);
  json fields = json::object();
  json change = {{"state", "cancelled"}, {"reason", text_field(request, "reason", fields)}};
  refuse_wrong(fields);
  if (*version == order["version"] && order["state"] == "completed") refuse_state(order, "cancelled");
  return work_orders_.change(id, change, version);
}

}  // namespace skald::erp

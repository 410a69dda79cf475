#include "samples/erp/faults.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skald::erp {
namespace {

using Kind = CallFault::Kind;

constexpr std::array<std::pair<Kind, const char*>, 10> kNames = {{{Kind::kNone, "none"},
                                                                  {Kind::kBusy, "busy"},
                                                                  {Kind::kError, "error"},
                                                                  {Kind::kDrop, "drop"},
                                                                  {Kind::kSlow, "slow"},
                                                                  {Kind::kLate, "late"},
                                                                  {Kind::kHold, "hold"},
                                                                  {Kind::kLoseAnswer, "lose_answer"},
                                                                  {Kind::kCut, "cut"},
                                                                  {Kind::kRival, "rival"}}};

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Refusal{422, "invalid_faults", "faults: " + where + " " + what, {{where, what}}};
}

int64_t whole(const json& spec, const std::string& field, const std::string& where, int64_t otherwise) {
  if (!spec.contains(field)) return otherwise;
  if (!spec[field].is_number_integer() || spec[field].get<int64_t>() < 0)
    refuse(where + "." + field, "must be a whole number from 0");
  return spec[field];
}

// Spreads a text over all numbers: FNV-1a with a last stir.
uint64_t spread(const std::string& text) {
  uint64_t hash = 14695981039346656037U;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211U;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdU;
  return hash ^ (hash >> 33);
}

}  // namespace

const char* name(Kind kind) {
  return std::find_if(kNames.begin(), kNames.end(), [kind](const auto& entry) { return entry.first == kind; })->second;
}

FaultPlan::FaultPlan(const json& plan, const std::vector<std::string>& routes) {
  if (!plan.is_object()) refuse("the plan", "must be a JSON object");
  seed_ = static_cast<uint64_t>(whole(plan, "seed", "the plan", 1));
  for (const auto& [route, specs] : plan.items()) {
    if (route == "seed") continue;
    if (route != "*" && std::find(routes.begin(), routes.end(), route) == routes.end()) {
      std::string all = "is no route; there are *";
      for (const std::string& known : routes) all += ", " + known;
      refuse(route, all);
    }
    for (const json& spec : specs.is_array() ? specs : json::array({specs})) rules_[route].push_back(rule(route, spec));
  }
}

FaultPlan::Rule FaultPlan::rule(const std::string& where, const json& spec) {
  if (!spec.is_object() || !spec.contains("fault") || !spec["fault"].is_string())
    refuse(where, R"(must be like {"fault": "busy"})");
  const std::string wanted = spec["fault"];
  const auto named =
      std::find_if(kNames.begin() + 1, kNames.end(), [&](const auto& entry) { return entry.second == wanted; });
  if (named == kNames.end()) refuse(where, "knows no fault " + wanted);
  constexpr std::array<const char*, 7> kFields = {"fault", "share", "times", "after", "ms", "status", "retry_after"};
  for (const auto& [field, value] : spec.items()) {
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) refuse(where + "." + field, "is not known");
  }
  Rule rule;
  rule.fault.kind = named->first;
  rule.fault.time = std::chrono::milliseconds(whole(spec, "ms", where, 100));
  rule.fault.status = static_cast<int>(whole(spec, "status", where, 503));
  rule.fault.retry_after = whole(spec, "retry_after", where, rule.fault.kind == Kind::kBusy ? 1 : -1);
  rule.times = whole(spec, "times", where, -1);
  rule.after = whole(spec, "after", where, 0);
  rule.share = spec.value("share", 1.0);
  if (rule.share < 0 || rule.share > 1) refuse(where + ".share", "must be from 0 to 1");
  if (rule.fault.kind == Kind::kError && (rule.fault.status < 400 || rule.fault.status > 599))
    refuse(where + ".status", "must be from 400 to 599");
  return rule;
}

bool FaultPlan::hits(Rule& rule, const std::string& route) {
  const int64_t call = rule.calls++;
  if (call < rule.after || (rule.times >= 0 && rule.hits >= rule.times)) return false;
  const uint64_t drawn = spread(std::to_string(seed_) + route + name(rule.fault.kind) + std::to_string(call)) % 1000000;
  if (static_cast<double>(drawn) >= rule.share * 1000000) return false;
  ++rule.hits;
  return true;
}

CallFault FaultPlan::next(const std::string& route) {
  for (const std::string& named : {route, std::string("*")}) {
    const auto rules = rules_.find(named);
    if (rules == rules_.end()) continue;
    for (Rule& rule : rules->second) {
      if (hits(rule, named)) return rule.fault;
    }
  }
  return {};
}

}  // namespace skald::erp

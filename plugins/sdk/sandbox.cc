#include "plugins/sdk/sandbox.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {
namespace {

using json = nlohmann::json;
using Kind = Fault::Kind;

struct Spec {
  Fault fault;
  int64_t times = std::numeric_limits<int64_t>::max();
  double share = 1;
};

[[noreturn]] void refuse(const std::string& activity, const std::string& what) {
  throw ActivityError("InvalidSandbox", "sandbox." + activity + ": " + what, true);
}

Kind kind_of(const std::string& activity, const std::string& name) {
  if (name == "fail") return Kind::kFail;
  if (name == "delay") return Kind::kDelay;
  if (name == "timeout") return Kind::kTimeout;
  if (name == "lose_answer") return Kind::kLoseAnswer;
  refuse(activity, "there is no fault '" + name + "': use fail, delay, timeout or lose_answer");
}

double number_in(const std::string& activity, const json& spec, const char* field, double missing, double most) {
  if (!spec.contains(field)) return missing;
  if (!spec[field].is_number() || spec[field] < 0 || spec[field] > most)
    refuse(activity, std::string(field) + " must be a number from 0 to " + std::to_string(static_cast<int64_t>(most)));
  return spec[field].get<double>();
}

std::string text_in(const std::string& activity, const json& spec, const char* field, const std::string& missing) {
  if (!spec.contains(field)) return missing;
  if (!spec[field].is_string()) refuse(activity, std::string(field) + " must be a text");
  return spec[field].get<std::string>();
}

Spec parse(const std::string& activity, const json& given) {
  const json spec = given.is_string() ? json{{"fault", given}} : given;
  if (!spec.is_object() || !spec.contains("fault")) refuse(activity, "give a fault's name, or an object with 'fault'");
  for (const auto& [field, value] : spec.items()) {
    if (field != "fault" && field != "times" && field != "ms" && field != "share" && field != "type" &&
        field != "message")
      refuse(activity, "there is no field '" + field + "': use fault, times, ms, share, type and message");
  }
  Spec out;
  out.fault.kind = kind_of(activity, text_in(activity, spec, "fault", ""));
  const bool counted = spec.contains("times");
  const bool once = out.fault.kind == Kind::kTimeout || out.fault.kind == Kind::kLoseAnswer;
  if (counted || once) out.times = static_cast<int64_t>(number_in(activity, spec, "times", 1, 1e9));
  out.share = number_in(activity, spec, "share", 1, 1);
  out.fault.non_retryable = !counted;
  out.fault.type = text_in(activity, spec, "type", counted ? "SandboxFailure" : "Rejected");
  out.fault.message = text_in(activity, spec, "message", "the sandbox was told to refuse " + activity);
  out.fault.delay = std::chrono::milliseconds(static_cast<int64_t>(number_in(activity, spec, "ms", 100, 3.6e6)));
  return out;
}

// The same for all attempts of one activity, and spread evenly over activities: FNV-1a.
double spread(const std::string& key) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<double>((hash ^ hash >> 29) % 10007) / 10007;
}

}  // namespace

Fault fault_for(const FaultQuery& query, const std::vector<const json*>& sources) {
  const std::string names[] = {query.plugin + "." + query.activity, query.activity, query.step};
  for (const json* source : sources) {
    if (source->is_null()) continue;
    if (!source->is_object()) refuse(query.activity, "the sandbox must be an object with activities' names");
    for (const std::string& name : names) {
      if (name.empty() || !source->contains(name)) continue;
      const Spec spec = parse(name, source->at(name));
      const bool hit = query.attempt <= spec.times && (spec.share >= 1 || spread(query.idempotency_key) < spec.share);
      return hit ? spec.fault : Fault{};
    }
  }
  return {};
}

void check_sandbox(const json& sandbox) {
  if (sandbox.is_null()) return;
  if (!sandbox.is_object())
    throw ActivityError("InvalidSandbox", "sandbox must be an object with activities' names", true);
  for (const auto& [activity, spec] : sandbox.items()) parse(activity, spec);
}

}  // namespace skald::plugin

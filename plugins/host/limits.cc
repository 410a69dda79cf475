#include "plugins/host/limits.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

constexpr absl::Duration kMadeUpFor = absl::Milliseconds(100);

absl::Status bad(const std::string& name, const char* rule) {
  return absl::InvalidArgumentError(absl::StrCat("limits.", name, " ", rule));
}

}  // namespace

absl::StatusOr<PluginLimits> parse_limits(const nlohmann::json& config) {
  PluginLimits limits;
  if (!config.is_object()) return absl::InvalidArgumentError("a plugin's configuration must be a JSON object");
  if (!config.contains("limits")) return limits;
  const nlohmann::json& given = config["limits"];
  if (!given.is_object()) return absl::InvalidArgumentError("\"limits\" must be a JSON object");
  for (const auto& [name, value] : given.items()) {
    if (name == "max_activities_per_second") {
      if (!value.is_number() || value < 0) return bad(name, "must be a number, 0 for no limit");
      limits.max_activities_per_second = value.get<double>();
      continue;
    }
    if (!value.is_number_integer() || value < 1 || value > int64_t{1} << 30)
      return bad(name, "must be a whole number above zero");
    if (name == "max_concurrent_activities") {
      limits.max_concurrent_activities = value.get<int>();
    } else if (name == "max_input_bytes") {
      limits.max_input_bytes = value.get<int64_t>();
    } else if (name == "max_output_bytes") {
      limits.max_output_bytes = value.get<int64_t>();
    } else {
      return bad(name,
                 "is not known: there are max_concurrent_activities, max_activities_per_second, max_input_bytes and "
                 "max_output_bytes");
    }
  }
  return limits;
}

RateGate::RateGate(double per_second)
    : interval_(per_second > 0 ? absl::Seconds(1 / per_second) : absl::ZeroDuration()) {}

bool RateGate::take(absl::Time now) {
  if (due_ > now) return false;
  if (interval_ > absl::ZeroDuration()) due_ = std::max(due_, now - kMadeUpFor) + interval_;
  return true;
}

}  // namespace skald::plugins

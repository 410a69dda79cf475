#include "plugins/host/limits.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

constexpr absl::Duration kMadeUpFor = absl::Milliseconds(100);

constexpr double kMostSeconds = 31e6;  // a year
constexpr int64_t kMostNumber = int64_t{1} << 30;

using nlohmann::json;

absl::Status bad(const std::string& name, const char* rule) {
  return absl::InvalidArgumentError(absl::StrCat(name, " ", rule));
}

absl::Status read_whole(const std::string& name, const json& value, int64_t& out) {
  if (!value.is_number_integer() || value < 1 || value > kMostNumber)
    return bad(name, "must be a whole number above zero");
  out = value.get<int64_t>();
  return absl::OkStatus();
}

absl::Status read_seconds(const std::string& name, const json& value, double least, absl::Duration& out) {
  if (!value.is_number() || value < least || value > kMostSeconds)
    return bad(name, least > 0 ? "must be a number of seconds above zero" : "must be a number of seconds");
  out = absl::Seconds(value.get<double>());
  return absl::OkStatus();
}

absl::Status read_limit(const std::string& key, const json& value, PluginLimits& limits) {
  const std::string name = "limits." + key;
  int64_t number = 0;
  if (key == "max_activities_per_second") {
    if (!value.is_number() || value < 0) return bad(name, "must be a number, 0 for no limit");
    limits.max_activities_per_second = value.get<double>();
    return absl::OkStatus();
  }
  if (key == "max_input_bytes") return read_whole(name, value, limits.max_input_bytes);
  if (key == "max_output_bytes") return read_whole(name, value, limits.max_output_bytes);
  if (key == "max_activity_seconds") return read_seconds(name, value, 0.001, limits.max_activity_time);
  if (key == "hang_seconds") return read_seconds(name, value, 0.001, limits.hang_time);
  if (key == "max_concurrent_activities") {
    if (auto status = read_whole(name, value, number); !status.ok()) return status;
    limits.max_concurrent_activities = static_cast<int>(number);
    return absl::OkStatus();
  }
  if (key == "max_memory_mb") {
    if (auto status = read_whole(name, value, number); !status.ok()) return status;
    limits.max_memory_bytes = number << 20;
    return absl::OkStatus();
  }
  if (key == "max_files") return read_whole(name, value, limits.max_files);
  if (key == "max_processes") return read_whole(name, value, limits.max_processes);
  return bad(name, "is not known");
}

}  // namespace

absl::StatusOr<PluginLimits> parse_limits(const json& config) {
  PluginLimits limits;
  if (!config.is_object()) return absl::InvalidArgumentError("a plugin's configuration must be a JSON object");
  if (config.contains("isolation")) {
    const json& isolation = config["isolation"];
    if (isolation != "process" && isolation != "none") return bad("isolation", "must be \"process\" or \"none\"");
    limits.isolated = isolation == "process";
  }
  if (config.contains("drain_seconds")) {
    if (auto status = read_seconds("drain_seconds", config["drain_seconds"], 0, limits.drain_time); !status.ok())
      return status;
  }
  const json given = config.value("limits", json::object());
  if (!given.is_object()) return absl::InvalidArgumentError("\"limits\" must be a JSON object");
  for (const auto& [key, value] : given.items()) {
    if (auto status = read_limit(key, value, limits); !status.ok()) return status;
    const bool of_process =
        key == "max_memory_mb" || key == "hang_seconds" || key == "max_files" || key == "max_processes";
    if (!limits.isolated && of_process)
      return bad("limits." + key, "needs \"isolation\": \"process\": it is for a plugin in a process of its own");
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

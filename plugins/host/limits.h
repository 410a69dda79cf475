#pragma once

#include <cstdint>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <nlohmann/json_fwd.hpp>

namespace skald::plugins {

// How one plugin is hosted, and what it may use. Names as in "limits" of its configuration, or beside it.
struct PluginLimits {
  int max_concurrent_activities = 1000;  // held by the plugin at a time, late ones too; more wait in the host
  double max_activities_per_second = 0;  // begun; more wait in the host; 0 = no limit
  int64_t max_input_bytes = 2 << 20;
  int64_t max_output_bytes = 2 << 20;                           // of a result
  absl::Duration max_activity_time = absl::InfiniteDuration();  // max_activity_seconds: of an attempt once it is begun
  absl::Duration hang_time = absl::Seconds(10);   // hang_seconds: a process that is stuck for so long is ended
  int64_t max_memory_bytes = 0;                   // max_memory_mb, of the plugin's own process; 0 = no limit
  int64_t max_files = 4096;                       // that process may have open
  int64_t max_processes = 512;                    // it and what it starts, and their threads
  bool isolated = false;                          // "isolation": "process"
  absl::Duration drain_time = absl::Seconds(30);  // "drain_seconds": what runs has so long to end before a reload
};

// From the host's own keys of a plugin's configuration (host_settings.h), each of which may be missing.
absl::StatusOr<PluginLimits> parse_limits(const nlohmann::json& config);

// Spaces events evenly; what was not used for a tenth of a second may be made up for. Not thread-safe.
class RateGate {
 public:
  explicit RateGate(double per_second);  // 0 = always open
  absl::Time opens() const { return due_; }
  bool take(absl::Time now);

 private:
  absl::Duration interval_;
  absl::Time due_ = absl::InfinitePast();
};

}  // namespace skald::plugins

#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace skald::bench {

struct LoadOptions {
  std::string address = "127.0.0.1:7233";
  std::string ns = "default";
  int workflows = 3000;
  int in_flight = 64;
  int pollers = 16;
  int channels = 2;
  int limit_seconds = 120;
};

struct LoadResult {
  int completed = 0;
  absl::Duration took;
  std::vector<absl::Duration> starts;       // from request to answer, sorted
  std::vector<absl::Duration> completions;  // from the request to the workflow's end, sorted
};

// A client and a worker of one-activity workflows at once, over raw gRPC, against any Temporal-compatible server.
// Blocks. Polls that are open at its end stay so until the server or the process ends.
absl::StatusOr<LoadResult> run_load(const LoadOptions& options);

}  // namespace skald::bench

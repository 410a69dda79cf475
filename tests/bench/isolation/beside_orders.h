#pragma once

#include <string>

#include <absl/status/status.h>

namespace skald::bench {

struct BesideOptions {
  int seconds = 20;            // of a round
  double orders = 100;         // ordinary order sagas a second
  double fragile_orders = 20;  // a second, through the plugin that crashes
  double share = 0.05;         // of its attempts that crash
  std::string folder;          // scratch
};

// Order sagas in a server of this process: alone, beside a plugin in a process of its own that works, and beside one
// that crashes. Prints their latencies and the process's memory, and fails if an order is lost or booked twice. To be
// called while the process has one thread.
absl::Status measure_beside_orders(const BesideOptions& options);

}  // namespace skald::bench

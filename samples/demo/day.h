#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include "samples/demo/intake.h"
#include "samples/demo/shop_client.h"

namespace skald::demo {

// How one order or return ended.
struct Ending {
  std::string workflow_id;
  std::string outcome;  // "confirmed", "rejected", "cancelled", "returned"; "failed" if the workflow did
  std::string reason;
  std::vector<std::string> compensations;
  absl::Duration latency;
};

// Something that happens during the day: called once, in run()'s thread, when this part of the orders has ended.
struct Moment {
  double part = 0;  // from 0 to 1
  absl::AnyInvocable<void()> act;
};

// A day of a shop: all its orders, then the returns of those, so many at a time.
class Day {
 public:
  struct Options {
    size_t in_flight = 64;
    std::set<std::string> regretted;                       // orders whose customers cancel at once
    std::vector<Moment> moments;                           // in the order of their parts
    absl::AnyInvocable<void(size_t, size_t)> on_progress;  // (ended, all), now and then, in run()'s thread
  };

  // `client` and `intake` outlive this.
  Day(ShopClient& client, const Intake& intake, Options options);

  // Returns when all has ended; an error if something did not, with what did in endings().
  absl::Status run();

  const std::vector<Ending>& endings() const { return endings_; }
  absl::Duration took() const { return took_; }

 private:
  void begin_order(const Order& order);
  void begin_return(const Return& gone);
  void await(const std::string& workflow_id, absl::Time began);
  void ended(Ending ending);
  void pump(std::unique_lock<std::mutex>& lock);

  ShopClient& client_;
  const Intake& intake_;
  Options options_;
  std::mutex mutex_;
  std::condition_variable change_;
  size_t next_order_ = 0;
  size_t next_return_ = 0;
  size_t open_ = 0;
  std::vector<Ending> endings_;
  absl::Duration took_;
};

// The input of the workflow of an order, JSON.
std::string order_input(const Order& order);
// What the result of a workflow of an order or a return says.
Ending ending_of(std::string workflow_id, const absl::StatusOr<std::string>& result, absl::Duration latency);

// The ids of the workflows of an order and of a return.
std::string workflow_of(const Order& order);
std::string workflow_of(const Return& gone);

}  // namespace skald::demo

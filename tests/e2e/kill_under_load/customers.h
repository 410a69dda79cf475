#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "samples/demo/day.h"
#include "samples/demo/intake.h"
#include "samples/demo/shop_client.h"

namespace skald::kills {

// What the engine said of one order, in the order in which it did.
struct Promise {
  demo::Order order;
  bool started = false;    // the start was acknowledged
  bool cancelled = false;  // a cancellation was acknowledged
  demo::Ending ending;
};

// Customers who order again and again, so many at a time, whatever becomes of the engine. Thread-safe.
class Customers {
 public:
  // They order what is in `samples`, over and over, under new ids; the customers of `regretted` orders cancel at once.
  // `client` outlives this.
  Customers(demo::ShopClient& client, demo::Intake samples, std::set<std::string> regretted);

  // The first `count` orders; as one ends, the next begins.
  void begin(size_t count);
  // Begins no more orders and waits until all have ended; DEADLINE_EXCEEDED if some have not within `limit`.
  absl::Status finish(absl::Duration limit);
  // Returns when `count` more orders have ended, or false after `limit`.
  bool await_progress(size_t count, absl::Duration limit);

  // To be read after finish().
  const std::deque<Promise>& promises() const { return promises_; }

 private:
  void order_next();
  void await(Promise& promise, absl::Time began);
  void ended(Promise& promise, demo::Ending ending);

  demo::ShopClient& client_;
  const demo::Intake samples_;
  const std::set<std::string> regretted_;
  std::mutex mutex_;
  std::condition_variable change_;
  std::deque<Promise> promises_;  // at places that stay
  size_t ended_ = 0;
  bool closing_ = false;
};

}  // namespace skald::kills

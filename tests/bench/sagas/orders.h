#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/server/server.h"

namespace skald::bench {

// Puts order sagas through a server of this process, without the wire, and takes their times. Thread-safe.
class Orders {
 public:
  // `server` outlives this. Ids of orders begin with `prefix`; `workflow` takes an order and returns "confirmed".
  Orders(server::Server& server, std::string prefix, std::string workflow = "order_fulfillment");

  // Fills the shelves for `count` orders. Blocks.
  absl::Status load_stock(int count);
  // Whether stock, money and shipments balance, and `count` orders' money was taken. Blocks.
  absl::Status check_books(int count);
  // Runs a workflow to its end and returns its result as JSON.
  absl::StatusOr<std::string> result_of(const std::string& type, const std::string& id, const std::string& input);

  // `count` orders, `in_flight` of them at a time. Blocks until the last has ended.
  absl::Status run_closed(int count, int in_flight);
  // `count` orders, one every `interval`, whatever became of those before: a latency is taken from when its order was
  // due.
  absl::Status run_open(int count, absl::Duration interval);

  // Of the last run, sorted.
  const std::vector<absl::Duration>& latencies() const { return latencies_; }
  const std::vector<absl::Duration>& starts() const { return starts_; }  // from when it was due to the engine's answer
  absl::Duration took() const { return took_; }

 private:
  void begin();
  void start(int number, absl::Time due);
  void await(const std::string& workflow_id, absl::Time due);
  void ended(absl::Status status, absl::Time due);
  absl::Status finish(int count);

  server::Server& server_;
  const std::string prefix_, workflow_;
  int next_number_ = 0;
  std::mutex mutex_;
  std::condition_variable change_;
  absl::Status problem_;
  int ended_ = 0;
  int started_ = 0;
  absl::Time began_;
  absl::Duration took_;
  std::vector<absl::Duration> latencies_, starts_;
};

}  // namespace skald::bench

#pragma once

#include <functional>
#include <string>

#include <absl/time/time.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/store/store.h"

namespace skald::shard {

// Looks through the store, page by page: for runs with work, for messages that were not answered, and for runs that will
// be due soon. A scan that cannot read begins anew a second later.
class Scans {
 public:
  struct Parts {
    const base::Clock& clock;
    base::Executor& executor;
    store::Store& store;
    store::Lease lease;
    size_t page = 0;           // rows read at once
    absl::Duration lookahead;  // how far ahead sleeping runs are looked up, twice in that time
    std::function<void(const store::RunKey&)> found_work;
    std::function<void(const store::OutboxRow&)> found_message;
    // The horizon is told before the runs that are due before it.
    std::function<void(absl::Time)> set_horizon;
    std::function<void(const store::RunKey&, absl::Time)> found_sleeping;
  };

  explicit Scans(Parts parts);

  // The first look at everything; sleeping runs are looked for again and again from then on.
  void start();
  // On the executor, each of them.
  void look_for_work();
  void look_for_messages();
  // No more scans begin.
  void stop() { stopped_ = true; }

 private:
  void scan_work(const std::string& after);
  void scan_messages(const std::string& after);
  void look_ahead();
  void scan_ahead(const std::string& after);
  void again(absl::Duration later, void (Scans::*look)());

  Parts parts_;
  absl::Time horizon_ = absl::InfinitePast();
  bool scanning_ahead_ = false;
  bool scanning_work_ = false;
  bool stopped_ = false;
};

}  // namespace skald::shard

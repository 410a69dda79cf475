#pragma once

#include <functional>
#include <string>

#include <absl/time/time.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/store/store.h"

namespace skald::shard {

// Looks through the store, page by page: for runs with work, for messages that were not answered, and for runs that will
// be due soon. A scan that cannot read begins anew a second later. The scan for work goes round: it begins at the page where
// the one before found the first run whose tasks did not fit into their queue, so that each has its turn.
class Scans {
 public:
  struct Parts {
    const base::Clock& clock;
    base::Executor& executor;
    store::Store& store;
    store::Lease lease;
    size_t page = 0;           // rows read at once
    absl::Duration lookahead;  // how far ahead sleeping runs are looked up, twice in that time
    // And on which page; `refused` is told if its tasks do not fit.
    std::function<void(const store::RunKey&, const std::string& page)> found_work;
    std::function<void(const store::OutboxRow&)> found_message;
    // The horizon is told before the runs that are due before it.
    std::function<void(absl::Time)> set_horizon;
    std::function<void(const store::RunKey&, absl::Time)> found_sleeping;
  };

  explicit Scans(Parts parts);

  // The first look at everything; sleeping runs are looked for again and again from then on.
  void start();
  // On the executor, each of them.
  void look_for_work();  // once more afterwards if it is under way
  void refused(const std::string& page);
  void look_for_messages();
  // No more scans begin.
  void stop() { stopped_ = true; }

 private:
  void scan_work(const std::string& after);
  void scan_messages(const std::string& after);
  void end_round();
  void look_ahead();
  void scan_ahead(const std::string& after);
  void again(absl::Duration later, void (Scans::*look)());

  Parts parts_;
  absl::Time horizon_ = absl::InfinitePast();
  bool scanning_ahead_ = false;
  bool scanning_work_ = false;
  bool work_wanted_ = false;
  std::string work_from_;     // the page where the round began or, once one was refused, where the next one begins
  std::string round_from_;
  bool round_wrapped_ = false;
  bool round_refused_ = false;
  bool stopped_ = false;
};

}  // namespace skald::shard

#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "tests/sim/auditor.h"
#include "tests/sim/forwarding_store.h"

namespace skald::sim {

// Stands between one life of the engine and its store, and tells the auditor what no fault explains: batches that are
// refused, rows that change nothing, runs that are read although they are in memory, and scans without a reason.
class WitnessStore final : public ForwardingStore {
 public:
  // All references outlive it.
  // `queues_are_small`: runs with work are looked for again whenever a queue has room.
  WitnessStore(store::Store& below, Auditor& auditor, bool queues_are_small)
      : ForwardingStore(below), auditor_(auditor), queues_are_small_(queues_are_small) {}

  // Its owner has let go of the run.
  void left_memory(const std::string& run_id) { in_memory_.erase(run_id); }

  void commit(store::Batch batch, store::CommitDone done) override;
  void read_run(const store::RunKey& key, store::Done<std::optional<store::RunRow>> done) override;
  void read_history(const store::RunKey& key, int64_t first, int64_t last, size_t bytes,
                    store::Done<std::vector<store::HistoryChunk>> done) override;
  void scan_wake(const store::Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 store::Done<store::Page<std::pair<store::RunKey, absl::Time>>> done) override;
  void scan_work(const store::Lease& lease, const std::string& after, size_t limit,
                 store::Done<store::Page<store::RunKey>> done) override;
  void scan_outbox(const store::Lease& lease, const std::string& after, size_t limit,
                   store::Done<store::Page<store::OutboxRow>> done) override;

 private:
  void look_at(const store::Batch& batch);
  // A scan from the beginning must have a reason: it is the first one, the last one was long enough ago, or a fault.
  void scanned(const char* what, const store::Lease& lease, const std::string& after, absl::Duration interval);

  Auditor& auditor_;
  const bool queues_are_small_;
  std::map<std::string, std::string> states_;  // by run id: what was handed over last
  std::set<std::string> in_memory_;
  std::map<std::pair<std::string, int>, absl::Time> scans_;  // the last one: what, and of which lease
};

}  // namespace skald::sim

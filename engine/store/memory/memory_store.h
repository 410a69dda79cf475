#pragma once

#include <functional>
#include <memory>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/base/random.h"
#include "engine/store/memory/memory_disk.h"
#include "engine/store/store.h"

namespace skald::store {

// What goes wrong, and how often. Probabilities are of one group of batches, or of one read; the first three add up to
// 1 at most.
struct FaultOptions {
  double fail_before_commit = 0;         // UNAVAILABLE or RESOURCE_EXHAUSTED, nothing written
  double unknown_outcome_committed = 0;  // UNKNOWN, all written
  double unknown_outcome_lost = 0;       // UNKNOWN, nothing written
  double read_failure = 0;               // UNAVAILABLE; of outcome_of and scans too, not of what blocks
  // Each step waits a random time up to these. A read may be answered before an earlier one.
  absl::Duration max_commit_delay = absl::ZeroDuration();
  absl::Duration max_read_delay = absl::ZeroDuration();
};

// A store whose data lives in memory, on a MemoryDisk that outlives it: for simulation and tests. All answers come from
// tasks of its executor, never from within the call. A commit takes three tasks, so that a crash may fall between any
// two: the batches that wait are taken together; they become durable; their callers are told. Deterministic: all
// follows from the order of the calls and the random generator, as long as executor and clock are those of a
// SimulatedWorld. Thread-safe with any executor.
//
// Holders count as dead: acquire never refuses, and a store on the same disk whose lease was taken over is told
// ABORTED.
class MemoryStore final : public Store {
 public:
  // `executor` and `clock` must outlive the store's use; the executor may go before the store does.
  MemoryStore(std::shared_ptr<MemoryDisk> disk, base::Executor& executor, const base::Clock& clock,
              std::unique_ptr<base::Random> random, const FaultOptions& faults = {});
  // An orderly stop: what is pending is done and answered here and now, without faults. Nothing is called afterwards.
  ~MemoryStore() override;

  // A kill: from now on nothing is answered and nothing is written. Of each lease's pending batches a random number,
  // the first ones, become durable; the others are lost. What blocks returns UNAVAILABLE. Idempotent; may be called
  // from within an answer.
  void crash();

  // From the next group and the next read on.
  void set_faults(const FaultOptions& faults);
  // Told of each fault as it is drawn, before whoever it hits: its status, whose text no other fault of this store has.
  // Must not call the store.
  using FaultWatcher = std::function<void(const absl::Status&)>;
  void on_fault(FaultWatcher watcher);

  absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder) override;
  void commit(Batch batch, CommitDone done) override;
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) override;
  void read_run(const RunKey& key, Done<std::optional<RunRow>> done) override;
  void read_current(const WorkflowKey& key, Done<std::optional<CurrentRow>> done) override;
  void read_history(const RunKey& key, int64_t first_event_id, int64_t last_event_id, size_t max_bytes,
                    Done<std::vector<HistoryChunk>> done) override;
  void read_history_reverse(const RunKey& key, int64_t last_event_id, size_t max_bytes,
                            Done<std::vector<HistoryChunk>> done) override;
  void scan_wake(const Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 Done<Page<std::pair<RunKey, absl::Time>>> done) override;
  void scan_work(const Lease& lease, const std::string& after, size_t limit, Done<Page<RunKey>> done) override;
  void scan_outbox(const Lease& lease, const std::string& after, size_t limit, Done<Page<OutboxRow>> done) override;
  void list(const VisibilityQuery& query, size_t page_size, const std::string& page_token,
            Done<Page<VisibilityRow>> done) override;
  void count(const VisibilityQuery& query, Done<std::vector<CountGroup>> done) override;
  absl::Status put_namespace(const NamespaceRow& row) override;
  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override;
  absl::StatusOr<std::optional<std::string>> get_setting(const std::string& name) override;
  absl::Status put_setting(const std::string& name, const std::string& value) override;
  absl::StatusOr<std::unique_ptr<Contents>> contents(const PageLimits& limits) override;

 private:
  class Process;

  template <typename T, typename F>
  void read(Done<T> done, F query);

  std::shared_ptr<Process> process_;
};

}  // namespace skald::store

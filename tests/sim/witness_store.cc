#include "tests/sim/witness_store.h"

#include <fmt/core.h>

namespace skald::sim {
namespace {

// A run whose history could not be read for its workflow task waits for the task's timeout.
constexpr absl::Duration kHeldUp = absl::Seconds(11);
constexpr absl::Duration kHorizonInterval = absl::Seconds(29);

}  // namespace

void WitnessStore::commit(store::Batch batch, store::CommitDone done) {
  look_at(batch);
  std::vector<std::string> written;
  for (const store::RunRow& row : batch.runs) written.push_back(row.key.run_id);
  below_.commit(std::move(batch), [this, written = std::move(written), done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      auditor_.refused("a batch", status);
      for (const std::string& run : written) states_.erase(run);
    }
    done(std::move(status));
  });
}

void WitnessStore::look_at(const store::Batch& batch) {
  if (batch.empty()) auditor_.blame("an empty batch was written");
  std::set<std::string> told;  // the runs of which the batch says more than their state
  for (const auto& row : batch.history) told.insert(row.key.run_id);
  for (const auto& row : batch.current) told.insert(row.run_id);
  for (const auto& row : batch.visibility) told.insert(row.key.run_id);
  for (const auto& row : batch.outbox) told.insert(row.source.run_id);
  for (const store::RunRow& row : batch.runs) {
    in_memory_.insert(row.key.run_id);
    std::string& known = states_[row.key.run_id];
    if (known == row.state && !told.contains(row.key.run_id) && batch.outbox_done.empty())
      auditor_.blame(fmt::format("{}: its row was written, and nothing in it is new", row.key.workflow_id));
    known = row.state;
  }
  for (const store::RunKey& key : batch.deleted_runs) {
    in_memory_.erase(key.run_id);
    states_.erase(key.run_id);
  }
}

void WitnessStore::read_run(const store::RunKey& key, store::Done<std::optional<store::RunRow>> done) {
  if (in_memory_.contains(key.run_id))
    auditor_.blame(fmt::format("{}: run {} was read, although it is in memory", key.workflow_id, key.run_id));
  below_.read_run(key, [this, key, done = std::move(done)](absl::StatusOr<std::optional<store::RunRow>> row) mutable {
    if (!row.ok()) auditor_.refused("reading a run", row.status());
    if (row.ok() && row->has_value()) {
      in_memory_.insert(key.run_id);
      states_[key.run_id] = (*row)->state;
    }
    done(std::move(row));
  });
}

void WitnessStore::read_history(const store::RunKey& key, int64_t first, int64_t last, size_t bytes,
                                store::Done<std::vector<store::HistoryChunk>> done) {
  below_.read_history(key, first, last, bytes, [this, done = std::move(done)](auto chunks) mutable {
    if (!chunks.ok()) {
      auditor_.refused("reading a history", chunks.status());
      auditor_.disturbed_until(auditor_.now() + kHeldUp);
    }
    done(std::move(chunks));
  });
}

void WitnessStore::scanned(const char* what, const store::Lease& lease, const std::string& after, absl::Duration interval) {
  if (!after.empty()) return;
  const auto [last, is_first] = scans_.try_emplace({what, lease.first_slot}, auditor_.now());
  if (is_first) return;
  if (auditor_.now() - last->second < interval) auditor_.again(fmt::format("the {} were scanned", what), last->second);
  last->second = auditor_.now();
}

void WitnessStore::scan_wake(const store::Lease& lease, absl::Time until, const std::string& after, size_t limit,
                             store::Done<store::Page<std::pair<store::RunKey, absl::Time>>> done) {
  scanned("runs that are due", lease, after, kHorizonInterval);
  below_.scan_wake(lease, until, after, limit, std::move(done));
}

void WitnessStore::scan_work(const store::Lease& lease, const std::string& after, size_t limit,
                             store::Done<store::Page<store::RunKey>> done) {
  if (!queues_are_small_) scanned("runs with work", lease, after, absl::InfiniteDuration());
  below_.scan_work(lease, after, limit, std::move(done));
}

void WitnessStore::scan_outbox(const store::Lease& lease, const std::string& after, size_t limit,
                               store::Done<store::Page<store::OutboxRow>> done) {
  scanned("messages", lease, after, absl::InfiniteDuration());
  below_.scan_outbox(lease, after, limit, std::move(done));
}

}  // namespace skald::sim

// How runs come into the owner's memory and leave it.
#include <utility>

#include "engine/shard/owner.h"

namespace skald::shard {
namespace {

// What a cached run costs besides its state and tail: the structures around it. An estimate.
constexpr size_t kRunOverheadBytes = 1024;

}  // namespace

void Owner::load_current(WorkflowEntry& entry) {
  entry.loading = true;
  parts_.store.read_current(entry.key, [this, key = entry.key](absl::StatusOr<std::optional<store::CurrentRow>> row) mutable {
    parts_.executor.post([this, key = std::move(key), row = std::move(row)]() mutable {
      WorkflowEntry& entry = entry_of(key);
      entry.loading = false;
      if (!row.ok()) return fail_waiting(entry, row.status());
      if (!entry.current_known) {
        entry.current = std::move(*row);
        entry.current_known = true;
      }
      pump(entry);
    });
  });
}

void Owner::load_run(WorkflowEntry& entry, const std::string& run_id) {
  entry.loading = true;
  store::RunKey key{entry.key.namespace_id, entry.key.workflow_id, run_id};
  parts_.store.read_run(key, [this, key](absl::StatusOr<std::optional<store::RunRow>> row) mutable {
    parts_.executor.post([this, key = std::move(key), row = std::move(row)]() mutable {
      WorkflowEntry& entry = entry_of(key.workflow());
      entry.loading = false;
      if (!row.ok()) return fail_waiting(entry, row.status());
      auto& slot = entry.runs[key.run_id];
      if (slot == nullptr && row->has_value()) {
        auto run = std::make_unique<CachedRun>();
        if (!run->state.ParseFromString((*row)->state)) {
          entry.runs.erase(key.run_id);
          return fail_waiting(entry, absl::DataLossError("the stored state of this run cannot be read"));
        }
        run->key = key;
        run->serial = next_serial_++;
        run->tail_first = run->state.next_event_id();
        run->saved_last_event_id = run->durable_last_event_id = run->last_event_id();
        run->durable_closed = run->state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING;
        slot = std::move(run);
        recount(*slot);
        update_wake(*slot);
        if (core::has_work(slot->state)) {
          // Its tasks may have been known to a process that is gone.
          dispatch_all(*slot);
          drive(entry, *slot);
        }
      }
      pump(entry);
    });
  });
}

void Owner::fail_waiting(WorkflowEntry& entry, const absl::Status& status) {
  auto waiting = std::exchange(entry.waiting, {});
  for (auto& next : waiting) next.failed(status);
  pump(entry);
}

void Owner::touch(WorkflowEntry& entry) { uses_.splice(uses_.begin(), uses_, entry.use); }

void Owner::recount(CachedRun& run) {
  if (run.tail.size() > parts_.owner_limits.tail_bytes && run.batch == 0 && run.saved_last_event_id == run.last_event_id()) {
    run.tail.clear();
    run.tail.shrink_to_fit();
    run.tail_first = run.state.next_event_id();
  }
  const size_t bytes = kRunOverheadBytes + run.state.SpaceUsedLong() + run.tail.capacity();
  cached_bytes_ += bytes - run.bytes;
  run.bytes = bytes;
}

bool Owner::evictable(const WorkflowEntry& entry) const {
  if (entry.busy || entry.loading || !entry.waiting.empty()) return false;
  for (const auto& [id, run] : entry.runs) {
    if (run == nullptr) continue;
    if (run->batch != 0 || run->has_volatile || !run->waiters.empty() || !run->queries.empty() || !run->task_queries.empty()) return false;
  }
  return true;
}

void Owner::shrink_cache() {
  // A few steps a call: the cost is spread, and a cache full of runs that cannot leave yet does not hold up the loop.
  constexpr int kMostSteps = 4;
  for (int step = 0; step < kMostSteps && cached_bytes_ > parts_.owner_limits.cache_bytes && uses_.size() > 1; ++step) {
    WorkflowEntry& oldest = *uses_.back();
    if (evictable(oldest)) {
      forget(oldest);
      continue;
    }
    // What only memory knows of the run is written down, so that it can go the next time.
    for (auto& [id, run] : oldest.runs) {
      if (run != nullptr && run->has_volatile && run->batch == 0 && !oldest.busy) mark_dirty(oldest, *run);
    }
    touch(oldest);
  }
}

void Owner::forget(WorkflowEntry& entry) {
  for (auto& [id, run] : entry.runs) {
    if (run == nullptr) continue;
    wakes_.erase({run->wake, run->serial});
    waited_for_.erase(run->serial);
    if (run->wake <= horizon_) distant_wakes_.insert({run->wake, run->key});
    if (parts_.embedded != nullptr) parts_.embedded->forget(run->key.run_id);
    cached_bytes_ -= run->bytes;
  }
  cached_bytes_ -= sizeof(WorkflowEntry) + 2 * entry.key.workflow_id.size();
  uses_.erase(entry.use);
  entries_.erase({entry.key.namespace_id, entry.key.workflow_id});
}

}  // namespace skald::shard

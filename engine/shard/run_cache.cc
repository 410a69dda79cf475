#include "engine/shard/run_cache.h"

namespace skald::shard {
namespace {

// What a cached run costs besides its state and tail: the structures around it. An estimate.
constexpr size_t kRunOverheadBytes = 1024;

// Closed runs of a workflow that stay in memory with the last one: whoever follows the chain finds them there.
constexpr size_t kRunsOfAChain = 4;

size_t entry_bytes(const store::WorkflowKey& key) { return sizeof(WorkflowEntry) + 2 * key.workflow_id.size(); }

bool can_leave(const CachedRun& run) {
  return run.batch == 0 && !run.has_volatile && run.waiters.empty() && run.queries.empty() && run.task_queries.empty();
}

bool can_leave(const WorkflowEntry& entry) {
  if (entry.busy || entry.loading || !entry.waiting.empty() || entry.parts_under_way > 0) return false;
  for (const auto& [id, run] : entry.runs) {
    if (run != nullptr && !can_leave(*run)) return false;
  }
  return true;
}

}  // namespace

RunCache::RunCache(Options options, Hooks hooks) : options_(options), hooks_(std::move(hooks)) {}

WorkflowEntry& RunCache::entry(const store::WorkflowKey& key) {
  auto& slot = entries_[{key.namespace_id, key.workflow_id}];
  if (slot) {
    uses_.splice(uses_.begin(), uses_, slot->use);
    return *slot;
  }
  slot = std::make_unique<WorkflowEntry>();
  slot->key = key;
  slot->use = uses_.insert(uses_.begin(), slot.get());
  bytes_ += entry_bytes(key);
  return *slot;
}

WorkflowEntry* RunCache::find(const store::WorkflowKey& key) {
  const auto found = entries_.find({key.namespace_id, key.workflow_id});
  return found == entries_.end() ? nullptr : found->second.get();
}

bool RunCache::holds(const store::RunKey& key) {
  const WorkflowEntry* entry = find(key.workflow());
  return entry != nullptr && entry->runs.contains(key.run_id);
}

CachedRun& RunCache::add(WorkflowEntry& entry, const std::string& run_id, core::state::RunState state) {
  remove(entry, run_id);
  auto run = std::make_unique<CachedRun>();
  run->key = {entry.key.namespace_id, entry.key.workflow_id, run_id};
  run->serial = next_serial_++;
  run->state = std::move(state);
  return *(entry.runs[run_id] = std::move(run));
}

void RunCache::remove(WorkflowEntry& entry, const std::string& run_id) {
  const auto found = entry.runs.find(run_id);
  if (found == entry.runs.end()) return;
  if (found->second != nullptr) bytes_ -= found->second->bytes;
  entry.runs.erase(found);
}

void RunCache::remove_all(WorkflowEntry& entry) {
  while (!entry.runs.empty()) remove(entry, std::string(entry.runs.begin()->first));
}

void RunCache::retire(CachedRun& run) {
  WorkflowEntry* entry = find(run.key.workflow());
  if (entry == nullptr || entry->runs.size() <= kRunsOfAChain || !run.durable_closed || !can_leave(run)) return;
  if (!entry->current || entry->current->run_id == run.key.run_id) return;
  hooks_.leaving(run);
  remove(*entry, std::string(run.key.run_id));
}

void RunCache::recount(CachedRun& run) {
  const bool stored = run.batch == 0 && run.saved_last_event_id == run.last_event_id();
  if (run.tail.size() > options_.tail_bytes && stored) {
    run.tail.clear();
    run.tail.shrink_to_fit();
    run.tail_first = run.state.next_event_id();
  }
  const size_t bytes = kRunOverheadBytes + run.state.SpaceUsedLong() + run.tail.capacity();
  bytes_ += bytes - run.bytes;
  run.bytes = bytes;
}

void RunCache::shrink() {
  // A few steps a call: the cost is spread, and a cache full of runs that cannot leave yet does not hold up the loop.
  constexpr int kMostSteps = 4;
  for (int step = 0; step < kMostSteps && bytes_ > options_.bytes && uses_.size() > 1; ++step) {
    WorkflowEntry& oldest = *uses_.back();
    if (can_leave(oldest)) {
      forget(oldest);
      continue;
    }
    // What only memory knows of the run is written down, so that it can go the next time.
    for (auto& [id, run] : oldest.runs) {
      if (run != nullptr && run->has_volatile && run->batch == 0 && !oldest.busy) hooks_.write_down(oldest, *run);
    }
    uses_.splice(uses_.begin(), uses_, oldest.use);
  }
}

void RunCache::forget(WorkflowEntry& entry) {
  for (auto& [id, run] : entry.runs) {
    if (run != nullptr) hooks_.leaving(*run);
  }
  remove_all(entry);
  bytes_ -= entry_bytes(entry.key);
  uses_.erase(entry.use);
  const std::pair<std::string, std::string> key(entry.key.namespace_id, entry.key.workflow_id);
  entries_.erase(key);
}

std::vector<WorkflowEntry::Waiting> RunCache::take_waiting() {
  std::vector<WorkflowEntry::Waiting> all;
  for (auto& [key, entry] : entries_) {
    for (WorkflowEntry::Waiting& next : entry->waiting) all.push_back(std::move(next));
    entry->waiting.clear();
  }
  return all;
}

}  // namespace skald::shard

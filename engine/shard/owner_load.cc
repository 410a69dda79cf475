// How runs come into the owner's memory and leave it.
#include <utility>

#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/shard/owner.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kReadBackDelay = absl::Milliseconds(500);
constexpr absl::Duration kReadBackRetryInterval = absl::Seconds(1);

}  // namespace

void Owner::load_current(WorkflowEntry& entry) {
  entry.loading = true;
  parts_.store.read_current(entry.key, [this, key = entry.key](absl::StatusOr<std::optional<store::CurrentRow>> row) mutable {
    parts_.executor.post([this, key = std::move(key), row = std::move(row)]() mutable {
      WorkflowEntry& entry = cache_.entry(key);
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
      WorkflowEntry& entry = cache_.entry(key.workflow());
      entry.loading = false;
      if (!row.ok()) return fail_waiting(entry, row.status());
      const auto known = entry.runs.find(key.run_id);
      if (known != entry.runs.end() && known->second != nullptr) return pump(entry);
      if (row->has_value()) return loaded(entry, key, **row);
      entry.runs[key.run_id] = nullptr;
      pump(entry);
    });
  });
}

void Owner::loaded(WorkflowEntry& entry, const store::RunKey& key, const store::RunRow& row) {
  core::state::RunState state;
  if (!state.ParseFromString(row.state)) {
    return fail_waiting(entry, absl::DataLossError("the stored state of this run cannot be read"));
  }
  CachedRun& run = cache_.add(entry, key.run_id, std::move(state));
  run.tail_first = run.state.next_event_id();
  run.saved_last_event_id = run.durable_last_event_id = run.last_event_id();
  run.durable_closed = run.state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING;
  cache_.recount(run);
  if (!quarantined(entry.key)) {
    const WorkNote note(parts_.quarantine, entry.key);
    forget_starts(entry, run);
    wakes_.set(run, core::next_wake(run.state));
    if (core::has_work(run.state)) {
      // Its tasks may have been known to a process that is gone.
      dispatch_all(run);
      drive(entry, run);
    }
  }
  pump(entry);
}

// What a worker within a process that is gone has begun, nobody works on: it is handed out again.
void Owner::forget_starts(WorkflowEntry& entry, CachedRun& run) {
  const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
  if (!ns) return;
  core::Transition transition = core::apply(run.state, core::ForgetStarts{parts_.process}, context(*ns));
  // Where they are told for the first time, with all other tasks of the run, follows.
  transition.effects.dispatch_workflow_task = false;
  transition.effects.dispatch_activities.clear();
  absorb(entry, run, transition.effects, transition.changed, transition.durable);
}

void Owner::fail_waiting(WorkflowEntry& entry, const absl::Status& status) {
  auto waiting = std::exchange(entry.waiting, {});
  for (auto& next : waiting) next.failed(status);
  pump(entry);
}

// Nothing that was touched since the commit that failed rests on durable state: all of it leaves memory, and the runs with
// work are read back.
void Owner::undone(const std::set<store::WorkflowKey>& workflows, const absl::Status& answer, const absl::Status& why) {
  std::vector<store::RunKey> dropped;
  for (const store::WorkflowKey& key : workflows) {
    WorkflowEntry* entry = cache_.find(key);
    if (entry == nullptr) continue;
    for (auto& [id, run] : entry->runs) {
      if (run == nullptr) continue;
      wakes_.erase(*run);
      leave(*run, absl::UnavailableError("the workflow's state is being read back; try again"));
      dropped.push_back(run->key);
    }
    cache_.remove_all(*entry);
    entry->current.reset();
    entry->current_known = false;
    entry->busy = false;
    ++entry->generation;
  }
  if (CommitPipeline::is_fatal(why)) {
    fatal_ = true;
    scans_.stop();
    for (WorkflowEntry::Waiting& next : cache_.take_waiting()) next.failed(answer);
    return parts_.on_fatal(why);
  }
  spdlog::warn("a commit failed, {} runs are read back: {}", dropped.size(), base::text(why));
  parts_.executor.post_at(now() + kReadBackDelay, [this, dropped = std::move(dropped)] {
    for (const store::RunKey& key : dropped) read_back(key);
    // Waiting requests of the dropped workflows go on too; and messages that were on their way are sent again.
    for (const store::RunKey& key : dropped) pump(cache_.entry(key.workflow()));
    scans_.look_for_messages();
  });
}

// Whoever waits with the run is told, and nobody keeps a pointer to it.
void Owner::leave(CachedRun& run, const absl::Status& why) {
  history_.end(run);
  queries_.end(run, why);
  late_.forget(run);
  if (parts_.embedded != nullptr) parts_.embedded->forget(run.key.run_id);
}

void Owner::read_back(const store::RunKey& key) {
  // A run that is loaded dispatches its tasks by itself.
  submit(key.workflow(), key.run_id, [](WorkflowEntry&, CachedRun*) {}, [this, key](const absl::Status&) { read_back_later(key); });
}

void Owner::read_back_later(const store::RunKey& key) {
  if (fatal_) return;
  parts_.executor.post_at(now() + kReadBackRetryInterval, [this, key] { read_back(key); });
}

}  // namespace skald::shard

// Group commit: transitions gather while the commit before is under way, and become durable together.
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "engine/base/text.h"
#include "engine/shard/owner.h"
#include "engine/shard/visibility_row.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kOutcomeRetryInterval = absl::Milliseconds(200);
constexpr absl::Duration kRedispatchDelay = absl::Milliseconds(500);
// Rows that a run can take in a batch: run, history, current, visibility.
constexpr size_t kRowsPerRun = 4;

bool is_fatal(const absl::Status& status) { return absl::IsAborted(status) || absl::IsDataLoss(status); }

}  // namespace

bool Owner::Gathering::empty() const { return runs.empty() && outbox.empty() && outbox_done.empty() && deleted.empty() && actions.empty(); }

Owner::Gathering& Owner::gathering() {
  const bool full = !gathering_.empty() && (gathering_.back()->runs.size() * kRowsPerRun + gathering_.back()->outbox.size() +
                                                    gathering_.back()->outbox_done.size() >= parts_.owner_limits.batch_rows ||
                                            gathering_.back()->bytes >= parts_.owner_limits.batch_bytes);
  if (gathering_.empty() || full) {
    gathering_.push_back(std::make_shared<Gathering>());
    gathering_.back()->sequence = next_sequence_++;
  }
  schedule_flush();
  return *gathering_.back();
}

// Runs are written as they are when their group is flushed. So whatever a change brings along, a message or another run
// of the workflow, belongs into the group that holds the workflow's runs already, even if that is full.
Owner::Gathering& Owner::group_of(WorkflowEntry& entry) {
  for (auto& group : gathering_) {
    if (group->sequence == entry.batch) return *group;
  }
  Gathering& group = gathering();
  entry.batch = group.sequence;
  return group;
}

Owner::Gathering& Owner::mark_dirty(WorkflowEntry& entry, CachedRun& run) {
  Gathering& group = group_of(entry);
  if (run.batch == group.sequence) return group;
  run.batch = group.sequence;
  run.has_volatile = false;
  group.runs.push_back(&run);
  group.bytes += run.bytes;
  return group;
}

void Owner::when_durable(CachedRun& run, absl::AnyInvocable<void(absl::Status)> action) {
  if (run.batch == 0) return action(absl::OkStatus());
  for (auto& group : gathering_) {
    if (group->sequence == run.batch) {
      group->actions.push_back(std::move(action));
      return;
    }
  }
  committing_group_->actions.push_back(std::move(action));
}

void Owner::message_done(std::string id) { gathering().outbox_done.push_back(std::move(id)); }

void Owner::schedule_flush() {
  if (flush_scheduled_ || committing_group_ != nullptr) return;
  flush_scheduled_ = true;
  // Behind all that is queued already: it joins the batch.
  parts_.executor.post([this] {
    flush_scheduled_ = false;
    flush();
  });
}

void Owner::flush() {
  if (committing_group_ != nullptr || gathering_.empty() || fatal_) return;
  committing_group_ = std::move(gathering_.front());
  gathering_.pop_front();
  store::Batch batch = build(*committing_group_);
  commits_ += 1;
  run_rows_ += batch.runs.size();
  rows_ += batch.rows();
  bytes_ += batch.bytes();
  parts_.store.commit(std::move(batch), [this, group = committing_group_](absl::Status status) {
    parts_.executor.post([this, group, status = std::move(status)]() mutable { committed(group, std::move(status)); });
  });
}

Statistics Owner::statistics() const { return {commits_, run_rows_, rows_, bytes_}; }

store::Batch Owner::build(Gathering& group) {
  store::Batch batch;
  batch.id = absl::StrCat(batch_prefix_, group.sequence);
  batch.lease = parts_.lease;
  batch.runs.reserve(group.runs.size());
  batch.history.reserve(group.runs.size());
  for (CachedRun* run : group.runs) {
    run->has_volatile = false;
    batch.runs.push_back({run->key, run->state.status(), core::next_wake(run->state), core::has_work(run->state), core::encode(run->state)});
    const int64_t last = run->last_event_id();
    if (last > run->saved_last_event_id) {
      const int64_t first = run->saved_last_event_id + 1;
      batch.history.push_back({run->key, {first, last, std::string(slice_events(run->tail, run->tail_first, first, last))}});
      run->saved_last_event_id = last;
    }
    if (std::exchange(run->write_visibility, false)) batch.visibility.push_back(make_visibility_row(*run));
    if (std::exchange(run->write_current, false)) {
      batch.current.push_back({run->key.workflow(), run->key.run_id, run->state.status(), run->state.start_request_id()});
    }
  }
  batch.outbox = std::move(group.outbox);
  batch.outbox_done = std::move(group.outbox_done);
  batch.deleted_runs = std::move(group.deleted);
  return batch;
}

void Owner::committed(const std::shared_ptr<Gathering>& group, absl::Status status) {
  if (group != committing_group_) return;
  if (absl::IsUnknown(status)) return resolve_outcome(group, absl::StrCat(batch_prefix_, group->sequence));
  if (status.ok()) {
    acknowledge(*group);
  } else {
    drop_uncommitted(status);
  }
  committing_group_ = nullptr;
  if (!gathering_.empty()) flush();
}

void Owner::acknowledge(Gathering& group) {
  for (CachedRun* run : group.runs) {
    run->durable_last_event_id = run->saved_last_event_id;
    if (run->batch == group.sequence) run->batch = 0;
    run->durable_closed = run->state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING && run->batch == 0;
  }
  // Actions may add to the next group, and to this one no more.
  auto actions = std::move(group.actions);
  for (auto& action : actions) action(absl::OkStatus());
  for (CachedRun* run : group.runs) wake_waiters(*run, false);
}

void Owner::resolve_outcome(const std::shared_ptr<Gathering>& group, std::string batch_id) {
  parts_.store.outcome_of(parts_.lease, batch_id, [this, group, batch_id](absl::StatusOr<bool> durable) mutable {
    parts_.executor.post([this, group, batch_id = std::move(batch_id), durable = std::move(durable)]() mutable {
      if (durable.ok()) {
        return committed(group, *durable ? absl::OkStatus() : absl::UnavailableError("the commit did not become durable; try again"));
      }
      if (absl::IsAborted(durable.status())) return committed(group, durable.status());
      parts_.executor.post_at(now() + kOutcomeRetryInterval, [this, group, batch_id = std::move(batch_id)]() mutable {
        resolve_outcome(group, std::move(batch_id));
      });
    });
  });
}

// Nothing that was touched since the commit that failed rests on durable state: all of it leaves memory, its callers are told, and the
// runs with work are read back.
void Owner::drop_uncommitted(const absl::Status& why) {
  const absl::StatusCode code = absl::IsResourceExhausted(why) ? why.code() : absl::StatusCode::kUnavailable;
  const absl::Status answer(code, absl::StrCat("the change could not be made durable and was undone; try again: ", why.message()));
  std::deque<std::shared_ptr<Gathering>> groups = std::exchange(gathering_, {});
  groups.push_front(committing_group_);
  std::vector<store::RunKey> dropped;
  std::set<store::WorkflowKey> workflows;
  for (const auto& group : groups) {
    for (CachedRun* run : group->runs) workflows.insert(run->key.workflow());
    // Messages that were applied elsewhere, and runs to be deleted, are not lost with the group: they are said again.
    auto actions = std::move(group->actions);
    for (auto& action : actions) action(answer);
  }
  for (const auto& key : workflows) {
    const auto found = entries_.find({key.namespace_id, key.workflow_id});
    if (found == entries_.end()) continue;
    WorkflowEntry& entry = *found->second;
    for (auto& [id, run] : entry.runs) {
      if (run != nullptr) drop_run(*run, dropped);
    }
    entry.runs.clear();
    entry.current.reset();
    entry.current_known = false;
    entry.busy = false;
    ++entry.generation;
  }
  if (is_fatal(why)) {
    fatal_ = true;
    for (auto& [key, entry] : entries_) {
      auto waiting = std::exchange(entry->waiting, {});
      for (auto& next : waiting) next.failed(answer);
    }
    return parts_.on_fatal(why);
  }
  spdlog::warn("a commit failed, {} runs are read back: {}", dropped.size(), base::text(why));
  parts_.executor.post_at(now() + kRedispatchDelay, [this, dropped = std::move(dropped)] {
    for (const store::RunKey& key : dropped) read_back(key);
    // Waiting requests of the dropped workflows go on too; and messages that were on their way are sent again.
    for (const store::RunKey& key : dropped) pump(entry_of(key.workflow()));
    scan_outbox("");
  });
}

void Owner::drop_run(CachedRun& run, std::vector<store::RunKey>& dropped) {
  wake_waiters(run, true);
  end_queries(run, absl::UnavailableError("the workflow's state is being read back; try again"));
  if (run.wake != absl::InfiniteFuture()) wakes_.erase({run.wake, run.serial});
  waited_for_.erase(run.serial);
  if (parts_.embedded != nullptr) parts_.embedded->forget(run.key.run_id);
  cached_bytes_ -= run.bytes;
  dropped.push_back(run.key);
}

store::VisibilityRow Owner::make_visibility_row(const CachedRun& run) const {
  std::map<std::string, store::AttributeValue> attributes;
  if (run.state.search_attributes().indexed_fields_size() > 0) {
    const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
    if (ns) attributes = parts_.decode_attributes(run.state.search_attributes(), *ns);
  }
  return visibility_row(run.state, std::move(attributes));
}

}  // namespace skald::shard

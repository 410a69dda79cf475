#include "engine/shard/commit_pipeline.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/core/core.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kOutcomeRetryInterval = absl::Milliseconds(200);
// Rows that a run can take in a batch: run, history, current, visibility.
constexpr size_t kRowsPerRun = 4;

}  // namespace

bool CommitPipeline::is_fatal(const absl::Status& status) { return absl::IsAborted(status) || absl::IsDataLoss(status); }

CommitPipeline::CommitPipeline(Parts parts) : parts_(std::move(parts)) {}

bool CommitPipeline::is_full(const Group& group) const {
  const size_t rows = group.runs.size() * kRowsPerRun + group.outbox.size() + group.outbox_done.size();
  return rows >= parts_.batch_rows || group.bytes >= parts_.batch_bytes;
}

CommitPipeline::Group& CommitPipeline::open_group() {
  if (gathering_.empty() || is_full(*gathering_.back())) {
    gathering_.push_back(std::make_shared<Group>());
    gathering_.back()->sequence = next_sequence_++;
  }
  schedule_flush();
  return *gathering_.back();
}

// Runs are written as they are when their group is flushed. So whatever a change brings along, a message or another run
// of the workflow, belongs into the group that holds the workflow's runs already, even if that is full.
CommitPipeline::Group& CommitPipeline::group_of(WorkflowEntry& entry) {
  for (auto& group : gathering_) {
    if (group->sequence == entry.batch) return *group;
  }
  Group& group = open_group();
  entry.batch = group.sequence;
  return group;
}

void CommitPipeline::write(WorkflowEntry& entry, CachedRun& run) {
  Group& group = group_of(entry);
  if (run.batch == group.sequence) return;
  run.batch = group.sequence;
  run.has_volatile = false;
  group.runs.push_back(&run);
  group.bytes += run.bytes;
}

void CommitPipeline::write_message(WorkflowEntry& entry, store::OutboxRow message, Action send) {
  Group& group = group_of(entry);
  group.outbox.push_back(std::move(message));
  group.actions.push_back(std::move(send));
}

void CommitPipeline::message_done(WorkflowEntry& entry, std::string id) {
  group_of(entry).outbox_done.push_back(std::move(id));
}

void CommitPipeline::message_done(std::string id) { open_group().outbox_done.push_back(std::move(id)); }

void CommitPipeline::erase(store::RunKey key) { open_group().deleted.push_back(std::move(key)); }

void CommitPipeline::when_durable(CachedRun& run, Action action) {
  if (run.batch == 0) return action(absl::OkStatus());
  for (auto& group : gathering_) {
    if (group->sequence == run.batch) {
      group->actions.push_back(std::move(action));
      return;
    }
  }
  committing_->actions.push_back(std::move(action));
}

void CommitPipeline::schedule_flush() {
  if (flush_scheduled_ || committing_ != nullptr) return;
  flush_scheduled_ = true;
  // Behind all that is queued already: it joins the batch.
  parts_.executor.post([this] {
    flush_scheduled_ = false;
    flush();
  });
}

void CommitPipeline::flush() {
  if (committing_ != nullptr || gathering_.empty() || ended_) return;
  committing_ = std::move(gathering_.front());
  gathering_.pop_front();
  store::Batch batch = build(*committing_);
  commits_ += 1;
  run_rows_ += batch.runs.size();
  rows_ += batch.rows();
  bytes_ += batch.bytes();
  parts_.store.commit(std::move(batch), [this, group = committing_](absl::Status status) {
    parts_.executor.post([this, group, status = std::move(status)] { committed(group, status); });
  });
}

Statistics CommitPipeline::statistics() const { return {commits_, run_rows_, rows_, bytes_}; }

store::Batch CommitPipeline::build(Group& group) {
  store::Batch batch;
  batch.id = absl::StrCat(parts_.batch_prefix, group.sequence);
  batch.lease = parts_.lease;
  batch.runs.reserve(group.runs.size());
  batch.history.reserve(group.runs.size());
  for (CachedRun* run : group.runs) {
    run->has_volatile = false;
    batch.runs.push_back({run->key, run->state.status(), core::next_wake(run->state), core::has_work(run->state),
                          core::encode(run->state)});
    const int64_t last = run->last_event_id();
    if (last > run->saved_last_event_id) {
      const int64_t first = run->saved_last_event_id + 1;
      batch.history.push_back(
          {run->key, {first, last, std::string(slice_events(run->tail, run->tail_first, first, last))}});
      run->saved_last_event_id = last;
    }
    if (std::exchange(run->write_visibility, false)) batch.visibility.push_back(parts_.visibility_row(*run));
    if (std::exchange(run->write_current, false)) {
      batch.current.push_back(
          {run->key.workflow(), run->key.run_id, run->state.status(), run->state.start_request_id()});
    }
  }
  batch.outbox = std::move(group.outbox);
  batch.outbox_done = std::move(group.outbox_done);
  batch.deleted_runs = std::move(group.deleted);
  return batch;
}

void CommitPipeline::committed(const std::shared_ptr<Group>& group, const absl::Status& status) {
  if (group != committing_) return;
  if (absl::IsUnknown(status)) return resolve_outcome(group);
  if (status.ok()) {
    acknowledge(*group);
  } else {
    undo(status);
  }
  committing_ = nullptr;
  if (!gathering_.empty()) flush();
}

void CommitPipeline::acknowledge(Group& group) {
  for (CachedRun* run : group.runs) {
    run->durable_last_event_id = run->saved_last_event_id;
    if (run->batch == group.sequence) run->batch = 0;
    run->durable_closed =
        run->state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING && run->batch == 0;
  }
  // Actions may add to the next group, and to this one no more.
  auto actions = std::move(group.actions);
  for (auto& action : actions) action(absl::OkStatus());
  parts_.durable(group.runs);
}

void CommitPipeline::resolve_outcome(const std::shared_ptr<Group>& group) {
  const std::string batch_id = absl::StrCat(parts_.batch_prefix, group->sequence);
  parts_.store.outcome_of(parts_.lease, batch_id, [this, group](absl::StatusOr<bool> durable) {
    parts_.executor.post([this, group, durable = std::move(durable)] {
      if (durable.ok()) {
        return committed(group, *durable ? absl::OkStatus()
                                         : absl::UnavailableError("the commit did not become durable; try again"));
      }
      if (absl::IsAborted(durable.status())) return committed(group, durable.status());
      parts_.executor.post_at(parts_.clock.now() + kOutcomeRetryInterval, [this, group] { resolve_outcome(group); });
    });
  });
}

void CommitPipeline::undo(const absl::Status& why) {
  const absl::StatusCode code = absl::IsResourceExhausted(why) ? why.code() : absl::StatusCode::kUnavailable;
  const absl::Status answer(
      code, absl::StrCat("the change could not be made durable and was undone; try again: ", why.message()));
  ended_ = is_fatal(why);
  std::deque<std::shared_ptr<Group>> groups = std::exchange(gathering_, {});
  groups.push_front(committing_);
  std::set<store::WorkflowKey> workflows;
  for (const auto& group : groups) {
    for (CachedRun* run : group->runs) workflows.insert(run->key.workflow());
    // Messages that were applied elsewhere, and runs to be deleted, are not lost with the group: they are said again.
    auto actions = std::move(group->actions);
    for (auto& action : actions) action(answer);
  }
  parts_.undone(workflows, answer, why);
}

}  // namespace skald::shard

#include "engine/shard/commit_pipeline.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/core/core.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kOutcomeRetryInterval = absl::Milliseconds(200);
// Rows that a run can take in a batch: run, history, current, visibility.
constexpr size_t kRowsPerRun = 4;
// A run that is deleted takes its whole history along, whose rows are not counted anywhere: few of them make a batch.
constexpr size_t kRowsPerDeletion = 100;
// One workflow that the store will not take is found by halving in fewer commits. More of them: the store takes none.
constexpr int kMostFailuresInARow = 16;

// Whether the store may have refused the batch for what is in it.
bool may_be_the_content(const absl::Status& status) {
  return !absl::IsUnavailable(status) && !CommitPipeline::is_fatal(status);
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
  from.clear();
}

}  // namespace

bool CommitPipeline::is_fatal(const absl::Status& status) { return absl::IsAborted(status) || absl::IsDataLoss(status); }

CommitPipeline::CommitPipeline(Parts parts) : parts_(std::move(parts)) {}

bool CommitPipeline::is_void(const Group& group) {
  return std::all_of(group.parts.begin(), group.parts.end(), [](const Part& part) {
    return part.entry == nullptr && part.outbox_done.empty() && part.deleted.empty() && part.actions.empty();
  });
}

CommitPipeline::Group& CommitPipeline::add_group(std::deque<std::shared_ptr<Group>>::iterator before) {
  Group& group = **gathering_.insert(before, std::make_shared<Group>());
  group.sequence = next_sequence_++;
  return group;
}

CommitPipeline::Group& CommitPipeline::open_group() {
  const bool open = !gathering_.empty() && gathering_.back()->rows < parts_.batch_rows &&
                    gathering_.back()->bytes < parts_.batch_bytes;
  schedule_flush();
  return open ? *gathering_.back() : add_group(gathering_.end());
}

// Runs are written as they are when their group is flushed. So whatever a change brings along, a message or another run
// of the workflow, belongs into the group that holds the workflow's runs already, even if that is full.
std::pair<CommitPipeline::Group&, CommitPipeline::Part&> CommitPipeline::part_of(WorkflowEntry& entry) {
  for (auto& group : gathering_) {
    if (group->sequence == entry.batch) return {*group, group->parts[entry.part]};
  }
  Group& group = open_group();
  entry.batch = group.sequence;
  entry.part = group.parts.size();
  ++entry.parts_under_way;
  return {group, group.parts.emplace_back(Part{.entry = &entry})};
}

CommitPipeline::Part& CommitPipeline::free_part(size_t rows) {
  Group& group = open_group();
  group.rows += rows;
  return group.parts.emplace_back();
}

void CommitPipeline::write(WorkflowEntry& entry, CachedRun& run) {
  auto [group, part] = part_of(entry);
  if (run.batch == group.sequence) return;
  run.batch = group.sequence;
  run.part = entry.part;
  run.has_volatile = false;
  part.runs.push_back({&run});
  group.rows += kRowsPerRun;
  group.bytes += run.bytes;
}

void CommitPipeline::write_message(WorkflowEntry& entry, store::OutboxRow message, Action send) {
  auto [group, part] = part_of(entry);
  group.rows += 1;
  group.bytes += message.message.size();
  part.outbox.push_back(std::move(message));
  part.actions.push_back(std::move(send));
}

void CommitPipeline::message_done(WorkflowEntry& entry, std::string id) {
  auto [group, part] = part_of(entry);
  group.rows += 1;
  part.outbox_done.push_back(std::move(id));
}

void CommitPipeline::message_done(std::string id) { free_part(1).outbox_done.push_back(std::move(id)); }

void CommitPipeline::erase(store::RunKey key) { free_part(kRowsPerDeletion).deleted.push_back(std::move(key)); }

void CommitPipeline::when_durable(CachedRun& run, Action action) {
  if (run.batch == 0) return action(absl::OkStatus());
  const auto is_its = [&](const std::shared_ptr<Group>& group) { return group->sequence == run.batch; };
  const auto found = std::find_if(gathering_.begin(), gathering_.end(), is_its);
  const std::shared_ptr<Group>& group = found != gathering_.end() ? *found : committing_;
  if (group != nullptr && is_its(group)) {
    group->parts[run.part].actions.push_back(std::move(action));
  } else {
    action(absl::UnavailableError("the change was undone; try again"));
  }
}

void CommitPipeline::when_settled(Action action) {
  const std::shared_ptr<Group>& last = gathering_.empty() ? committing_ : gathering_.back();
  if (last == nullptr || ended_) return action(absl::OkStatus());
  last->parts.emplace_back().actions.push_back(std::move(action));
}

bool CommitPipeline::will_write(const CachedRun& run) const {
  return run.batch != 0 && (committing_ == nullptr || committing_->sequence != run.batch);
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
  // Parts that were tried again with what they rest on have left a gap.
  while (!gathering_.empty() && is_void(*gathering_.front())) gathering_.pop_front();
  if (committing_ != nullptr || gathering_.empty() || ended_) return;
  committing_ = std::move(gathering_.front());
  gathering_.pop_front();
  store::Batch batch = build(*committing_);
  const auto settle = [this, group = committing_](absl::Status status) {
    parts_.executor.post([this, group, status = std::move(status)] { committed(group, status); });
  };
  // Only waits are left of it, for what lies before it: that is durable.
  if (batch.empty()) return settle(absl::OkStatus());
  commits_ += 1;
  run_rows_ += batch.runs.size();
  rows_ += batch.rows();
  bytes_ += batch.bytes();
  parts_.store.commit(std::move(batch), settle);
}

Statistics CommitPipeline::statistics() const { return {commits_, run_rows_, rows_, bytes_}; }

store::Batch CommitPipeline::build(Group& group) {
  store::Batch batch;
  batch.id = absl::StrCat(parts_.batch_prefix, group.sequence);
  batch.lease = parts_.lease;
  batch.runs.reserve(group.parts.size());
  batch.history.reserve(group.parts.size());
  for (Part& part : group.parts) {
    for (Written& written : part.runs) write_run(part.entry, written, batch);
    // Kept: the part may have to be written once more.
    batch.outbox.insert(batch.outbox.end(), part.outbox.begin(), part.outbox.end());
    batch.outbox_done.insert(batch.outbox_done.end(), part.outbox_done.begin(), part.outbox_done.end());
    batch.deleted_runs.insert(batch.deleted_runs.end(), part.deleted.begin(), part.deleted.end());
  }
  return batch;
}

void CommitPipeline::write_run(WorkflowEntry* entry, Written& written, store::Batch& batch) {
  CachedRun& run = *written.run;
  run.has_volatile = false;
  batch.runs.push_back({run.key, run.state.status(), core::next_wake(run.state), core::has_work(run.state),
                        core::encode(run.state)});
  const int64_t last = run.last_event_id();
  if (last > run.saved_last_event_id) {
    const int64_t first = run.saved_last_event_id + 1;
    batch.history.push_back({run.key, {first, last, std::string(slice_events(run.tail, run.tail_first, first, last))}});
    run.saved_last_event_id = last;
  }
  written.visibility = std::exchange(run.write_visibility, false);
  if (written.visibility) batch.visibility.push_back(parts_.visibility_row(run));
  written.current = std::exchange(run.write_current, false);
  if (written.current) {
    batch.current.push_back({entry->key, run.key.run_id, run.state.status(), run.state.start_request_id()});
  }
}

void CommitPipeline::committed(const std::shared_ptr<Group>& group, const absl::Status& status) {
  if (group != committing_) return;
  if (absl::IsUnknown(status)) return resolve_outcome(group);
  if (status.ok()) {
    failures_in_a_row_ = 0;
    acknowledge(*group);
    committing_ = nullptr;
  } else {
    ++failures_in_a_row_;
    committing_ = nullptr;
    refused(std::move(group->parts), status);
  }
  flush();
}

void CommitPipeline::acknowledge(Group& group) {
  std::vector<CachedRun*> runs;
  std::vector<Action> actions;
  for (Part& part : group.parts) {
    for (const Written& written : part.runs) {
      CachedRun& run = *written.run;
      run.durable_last_event_id = run.saved_last_event_id;
      if (run.batch == group.sequence) run.batch = 0;
      run.durable_closed =
          run.state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING && run.batch == 0;
      runs.push_back(&run);
    }
    if (part.entry != nullptr) --part.entry->parts_under_way;
    append(actions, part.actions);
  }
  // Actions may add to the next group, and to this one no more.
  for (Action& action : actions) action(absl::OkStatus());
  parts_.durable(runs);
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

void CommitPipeline::refused(std::vector<Part> parts, const absl::Status& why) {
  if (may_be_the_content(why) && (parts.size() == 1 || failures_in_a_row_ < kMostFailuresInARow)) {
    for (Part& part : parts) rejoin(part);
    if (parts.size() > 1) return halve(std::move(parts));
    return undo(std::move(parts), why);
  }
  ended_ = is_fatal(why);
  failures_in_a_row_ = 0;
  for (const auto& group : std::exchange(gathering_, {})) append(parts, group->parts);
  undo(std::move(parts), why);
}

// The part was not written: what its workflow did meanwhile is one change with it, and what was marked as written is not.
void CommitPipeline::rejoin(Part& part) {
  if (part.entry == nullptr) return;
  for (Written& written : part.runs) {
    CachedRun& run = *written.run;
    run.saved_last_event_id = run.durable_last_event_id;
    run.write_visibility |= std::exchange(written.visibility, false);
    const bool is_current = part.entry->current && part.entry->current->run_id == run.key.run_id;
    run.write_current |= std::exchange(written.current, false) && is_current;
  }
  const auto later = std::find_if(gathering_.begin(), gathering_.end(), [&](const std::shared_ptr<Group>& group) {
    return group->sequence == part.entry->batch;
  });
  if (later == gathering_.end()) return;
  Part more = std::exchange((*later)->parts[part.entry->part], Part());
  --part.entry->parts_under_way;
  for (const Written& written : more.runs) {
    const bool known = std::any_of(part.runs.begin(), part.runs.end(),
                                   [&](const Written& mine) { return mine.run == written.run; });
    if (!known) part.runs.push_back(written);
  }
  append(part.outbox, more.outbox);
  append(part.outbox_done, more.outbox_done);
  append(part.actions, more.actions);
}

// Two groups of them, before all others.
void CommitPipeline::halve(std::vector<Part> parts) {
  for (int half = 0; half < 2; ++half) {
    const size_t from = half == 0 ? parts.size() / 2 : 0;  // the second one first: each goes to the front
    Group& group = add_group(gathering_.begin());
    group.parts.assign(std::make_move_iterator(parts.begin() + static_cast<ptrdiff_t>(from)),
                       std::make_move_iterator(parts.end()));
    parts.resize(from);
    group.rows = parts_.batch_rows;  // full: nothing else joins
    for (size_t i = 0; i < group.parts.size(); ++i) {
      Part& part = group.parts[i];
      if (part.entry != nullptr) part.entry->batch = group.sequence, part.entry->part = i;
      for (Written& written : part.runs) written.run->batch = group.sequence, written.run->part = i;
    }
  }
}

void CommitPipeline::undo(std::vector<Part> parts, const absl::Status& why) {
  const absl::StatusCode code = absl::IsResourceExhausted(why) ? why.code() : absl::StatusCode::kUnavailable;
  const absl::Status answer(
      code, absl::StrCat("the change could not be made durable and was undone; try again: ", why.message()));
  std::set<store::WorkflowKey> workflows;
  // Messages that were applied elsewhere, and runs to be deleted, are not lost with the batch: they are said again.
  for (Part& part : parts) {
    if (part.entry != nullptr) {
      workflows.insert(part.entry->key);
      --part.entry->parts_under_way;
    }
    for (Action& action : std::exchange(part.actions, {})) action(answer);
  }
  parts_.undone(workflows, answer, why);
}

}  // namespace skald::shard

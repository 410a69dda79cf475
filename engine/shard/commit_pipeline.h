#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/shard/cached_run.h"
#include "engine/shard/engine.h"
#include "engine/store/store.h"

namespace skald::shard {

// Group commit: transitions gather while the commit before is under way, and become durable together. One batch at a time
// is with the store. A batch that the store refuses is halved and tried again until the workflow that it will not take is
// alone: that one is undone, its neighbours do not notice.
class CommitPipeline {
 public:
  // Told whether what an action rests on became durable.
  using Action = absl::AnyInvocable<void(absl::Status)>;

  struct Parts {
    const base::Clock& clock;
    base::Executor& executor;
    store::Store& store;
    store::Lease lease;
    std::string batch_prefix;  // unique to this owner's life
    size_t batch_rows = 0;
    size_t batch_bytes = 0;
    // What list and count are to see of the run.
    std::function<store::VisibilityRow(const CachedRun&)> visibility_row;
    // These runs' batch is durable, and its actions were called.
    std::function<void(const std::vector<CachedRun*>&)> durable;
    // Nothing that these workflows were touched with since their batch before is durable, and the actions were told
    // `answer`: the workflows leave memory. `why` is what the store said.
    std::function<void(const std::set<store::WorkflowKey>&, const absl::Status& answer, const absl::Status& why)> undone;
  };

  explicit CommitPipeline(Parts parts);

  // The run as it is when its batch is built will be written. What else belongs to the change goes into the same batch.
  void write(WorkflowEntry& entry, CachedRun& run);
  // The messages leave with the run's change: `send` once it is durable.
  void write_message(WorkflowEntry& entry, store::OutboxRow message, Action send);
  // A message needs no more answer: its row can go, with the workflow's change or by itself.
  void message_done(WorkflowEntry& entry, std::string id);
  void message_done(std::string id);
  // The run's rows go. It has left memory.
  void erase(store::RunKey key);

  // Runs `action` once all that the run's state rests on is durable (at once if it is); with an error if it did not become so.
  void when_durable(CachedRun& run, Action action);
  // Runs `action` once nothing is on its way any more of what is on its way now.
  void when_settled(Action action);
  // Whether the run as it is now will be written by a batch that is not built yet.
  bool will_write(const CachedRun& run) const;

  // What the store could not be told ends the owner: the lease is lost, or the data is damaged.
  static bool is_fatal(const absl::Status& status);

  // From any thread.
  Statistics statistics() const;

 private:
  struct Written {
    CachedRun* run = nullptr;
    bool visibility = false;  // what the batch wrote of it besides its row
    bool current = false;
  };
  // What one workflow brings into a batch; never split over two.
  struct Part {
    WorkflowEntry* entry = nullptr;  // null: it is no workflow's
    std::vector<Written> runs;
    std::vector<store::OutboxRow> outbox;
    std::vector<std::string> outbox_done;
    std::vector<store::RunKey> deleted;
    std::vector<Action> actions;
  };
  // Parts on their way to the store.
  struct Group {
    uint64_t sequence = 0;
    std::vector<Part> parts;
    size_t rows = 0;
    size_t bytes = 0;
  };

  static bool is_void(const Group& group);
  Group& open_group();
  Group& add_group(std::deque<std::shared_ptr<Group>>::iterator before);
  std::pair<Group&, Part&> part_of(WorkflowEntry& entry);
  Part& free_part(size_t rows);
  void schedule_flush();
  void flush();
  store::Batch build(Group& group);
  void write_run(WorkflowEntry* entry, Written& written, store::Batch& batch);
  void committed(const std::shared_ptr<Group>& group, const absl::Status& status);
  void acknowledge(Group& group);
  void resolve_outcome(const std::shared_ptr<Group>& group);
  void refused(std::vector<Part> parts, const absl::Status& why);
  void rejoin(Part& part);
  void halve(std::vector<Part> parts);
  void undo(std::vector<Part> parts, const absl::Status& why);

  Parts parts_;
  uint64_t next_sequence_ = 1;
  std::deque<std::shared_ptr<Group>> gathering_;  // the last one is open
  std::shared_ptr<Group> committing_;             // handed to the store; null = none
  bool flush_scheduled_ = false;
  int failures_in_a_row_ = 0;
  bool ended_ = false;

  // Written by the loop, read by any thread.
  std::atomic<uint64_t> commits_ = 0;
  std::atomic<uint64_t> run_rows_ = 0;
  std::atomic<uint64_t> rows_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace skald::shard

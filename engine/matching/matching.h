#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/store/rows.h"

namespace skald::matching {

enum class TaskKind { kWorkflow, kActivity };

struct QueueKey {
  std::string namespace_id;
  TaskKind kind = TaskKind::kWorkflow;
  std::string name;

  bool operator==(const QueueKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const QueueKey& key) {
    return H::combine(std::move(hash), key.namespace_id, static_cast<int>(key.kind), key.name);
  }
};

// Which task of which run waits. The run's owner decides whether it still does; a stale reference costs one look-up.
struct TaskRef {
  store::RunKey run;
  int64_t scheduled_event_id = 0;
  int32_t attempt = 0;
  std::string query_id;  // a query-only task: the query that waits for an answer
};

struct Poller {
  std::string identity;
  absl::Time deadline;  // answered with nothing then
};

struct PollerInfo {
  std::string identity;
  absl::Time last_access;
};

struct MatchingOptions {
  size_t backlog_per_queue = 10'000;    // tasks held in memory; the rest stays in the store under its has-work flag
  size_t pollers_per_queue = 10'000;
  absl::Duration sweep_interval = absl::Milliseconds(250);
  absl::Duration idle_queue_life = absl::Minutes(5);
};

// Task queues: pollers on one side, tasks on the other, both first in, first out. In memory only; rebuilt from the runs. Thread-safe.
// Callbacks run in the thread that made the match (or in the sweep's), without a lock held.
class Matching {
 public:
  using PollDone = absl::AnyInvocable<void(std::optional<TaskRef>)>;  // nullopt: nothing came, or the poll was ended
  using PollId = uint64_t;
  enum class Added { kMatched, kQueued, kFull };

  // `executor` runs the sweep that ends overdue polls; both must outlive this object, and stop() comes before destruction.
  Matching(const base::Clock& clock, base::Executor& executor, MatchingOptions options = {});

  // Matches at once, or parks the poller. Too many pollers: ended at once.
  PollId poll(const QueueKey& key, Poller poller, PollDone done);
  // Ends a parked poll with nullopt; does nothing if it was answered.
  void end_poll(const QueueKey& key, PollId id);
  // Ends all parked polls of a worker on the queue (identity empty = of everyone) and forgets when it was last polled.
  void end_polls(const QueueKey& key, std::string_view identity);

  Added add(const QueueKey& key, TaskRef task);

  // Whether somebody polls the queue, or did after `since`.
  bool polled_since(const QueueKey& key, absl::Time since) const;
  std::vector<PollerInfo> pollers(const QueueKey& key) const;
  size_t backlog(const QueueKey& key) const;

  // Called when a queue that had refused tasks has room again: the owners scan their runs for work.
  void on_room(absl::AnyInvocable<void()> callback);

  // Ends all polls, now and from now on.
  void stop();

 private:
  struct Parked {
    PollId id;
    Poller poller;
    PollDone done;
  };
  struct Queue {
    std::deque<TaskRef> tasks;
    std::list<Parked> parked;
    bool refused = false;
    absl::Time last_poll = absl::InfinitePast();
    absl::Time last_use = absl::InfinitePast();
    absl::flat_hash_map<std::string, absl::Time> identities;
  };
  struct Shard {
    mutable std::mutex mutex;
    absl::flat_hash_map<QueueKey, Queue> queues;
  };

  Shard& shard_of(const QueueKey& key) const;
  void sweep();
  void schedule_sweep();

  const base::Clock& clock_;
  base::Executor& executor_;
  const MatchingOptions options_;
  mutable std::array<Shard, 16> shards_;
  std::atomic<PollId> next_id_{1};
  std::atomic<bool> stopped_{false};
  std::mutex room_mutex_;
  std::vector<absl::AnyInvocable<void()>> room_callbacks_;
  std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace skald::matching

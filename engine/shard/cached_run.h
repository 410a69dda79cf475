#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/executor.h"
#include "engine/core/core.h"
#include "engine/store/rows.h"

namespace skald::shard {

// A reader that waits for events it has not seen.
struct HistoryWaiter {
  int64_t next_event_id = 0;     // wakes when this event is durable
  bool until_closed = false;     // wakes only when the run is closed
  absl::Time deadline;
  base::Task wake;               // called once: events came, the run was dropped, or the time is up
};

// A query on its way: it waits with its run for a task that takes it along, or for a task of its own.
struct PendingQuery {
  std::string id;
  temporal::api::query::v1::WorkflowQuery query;
  absl::Time deadline;
  absl::AnyInvocable<void(absl::StatusOr<core::wire::QueryWorkflowResponse>)> done;
  enum class Stage { kWaiting, kQueued, kWithWorker } stage = Stage::kWaiting;
};

// One run in its owner's memory.
struct CachedRun {
  store::RunKey key;
  core::state::RunState state;

  // The wire form of events tail_first .. state.next_event_id - 1; what lies before is in the store.
  std::string tail;
  int64_t tail_first = 1;
  int64_t saved_last_event_id = 0;    // handed to a batch
  int64_t durable_last_event_id = 0;  // that batch was acknowledged
  bool durable_closed = false;

  uint64_t batch = 0;            // the newest batch the run is part of that is not durable yet; 0 = none
  size_t part = 0;               // its place in that batch
  bool has_volatile = false;     // changes that no batch holds yet
  absl::Time volatile_since;     // when it began to have them
  bool refused = false;          // matching had no room for one of its tasks
  bool write_visibility = false;
  bool write_current = false;

  absl::Time wake = absl::InfiniteFuture();  // its entry in the owner's wake order
  size_t bytes = 0;                          // estimated, counted in the owner's cache
  std::list<HistoryWaiter> waiters;
  std::list<PendingQuery> queries;
  std::list<PendingQuery> task_queries;  // went out with the started workflow task
  uint64_t serial = 0;                   // orders runs by when they came into memory: the same in every simulation of a seed

  int64_t last_event_id() const { return state.next_event_id() - 1; }
};

// All runs of one workflow id that are in memory, and the requests that wait for them. One writer: its owner.
struct WorkflowEntry {
  // Called with the run, or null if there is none.
  using Operation = absl::AnyInvocable<void(WorkflowEntry&, CachedRun*)>;
  struct Waiting {
    std::string run_id;  // empty = the current run
    Operation operation;
    absl::AnyInvocable<void(absl::Status)> failed;
  };

  store::WorkflowKey key;
  bool current_known = false;
  std::optional<store::CurrentRow> current;
  std::map<std::string, std::unique_ptr<CachedRun>> runs;
  std::deque<Waiting> waiting;
  bool loading = false;
  bool busy = false;        // a script or a read of history holds the runs; requests wait
  uint64_t batch = 0;       // the newest batch that one of its runs is part of, durable or not; 0 = none yet
  size_t part = 0;          // its place in that batch
  int parts_under_way = 0;  // of it, in batches that are not durable
  uint64_t generation = 0;  // raised when runs were dropped: answers to older questions are void
  std::list<WorkflowEntry*>::iterator use;
};

}  // namespace skald::shard

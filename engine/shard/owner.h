#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/base/random.h"
#include "engine/core/core.h"
#include "engine/matching/matching.h"
#include "engine/shard/cached_run.h"
#include "engine/shard/commit_pipeline.h"
#include "engine/shard/embedded_worker.h"
#include "engine/shard/engine.h"
#include "engine/shard/history_reader.h"
#include "engine/shard/late_writes.h"
#include "engine/shard/namespace_source.h"
#include "engine/shard/quarantine.h"
#include "engine/shard/query_desk.h"
#include "engine/shard/run_cache.h"
#include "engine/shard/scans.h"
#include "engine/shard/wake_index.h"
#include "engine/store/store.h"

namespace skald::shard {

struct OwnerLimits {
  size_t cache_bytes = 32 << 20;
  size_t tail_bytes = 128 << 10;         // history kept in memory per run
  size_t waiting_per_workflow = 10'000;  // requests; more are refused
  size_t batch_rows = 4'000;
  size_t batch_bytes = 4 << 20;
  size_t scan_page = 500;
  absl::Duration wake_horizon = absl::Seconds(60);  // sleeping runs are looked up this far ahead
};

// What an owner works with. All references outlive it.
struct OwnerParts {
  const base::Clock& clock;
  base::Executor& executor;
  store::Store& store;
  matching::Matching& matching;
  NamespaceSource& namespaces;
  const core::Limits& limits;
  // Tells this process's life from others: what its own workers began has ended with it. Not 0.
  uint64_t process = 1;
  std::unique_ptr<base::Random> random;
  EmbeddedWorker* embedded = nullptr;  // null: none
  Quarantine* quarantine = nullptr;    // null: none
  store::Lease lease;
  OwnerLimits owner_limits;
  // The custom search attributes of a run, decoded for filtering.
  std::function<std::map<std::string, store::AttributeValue>(const temporal::api::common::v1::SearchAttributes&,
                                                             const core::NamespaceSettings&)>
      decode_attributes;
  // Whether a search attribute's value is of this type (IndexedValueType).
  std::function<bool(const temporal::api::common::v1::Payload&, int type)> is_of_type;
  // Hands a durable message to the owner of its target. Called on this owner's executor.
  std::function<void(const core::state::OutboxMessage&)> deliver;
  // The lease was lost, or the store is damaged: the process must end. Called once.
  std::function<void(const absl::Status&)> on_fatal;
};

// The single writer of a range of slots: one loop, no locks. It conducts: a request becomes an operation on a run, the core
// computes its transition, and what that does to memory is said here; the work is done in rooms of their own, which know
// nothing of the owner: the cache, the commit pipeline, the wake index, the scans, the history reader and the query desk.
// All methods but submit, start, work_scan, end_waits and statistics must be called on the owner's executor.
class Owner {
 public:
  using Reply = absl::AnyInvocable<void(const absl::Status&, core::Output&)>;
  using StartReply = absl::AnyInvocable<void(core::StartResult&, CachedRun*)>;

  explicit Owner(OwnerParts parts);
  ~Owner();

  // Begins: looks up what is due, what has work, and what messages are to be delivered. From any thread.
  void start();
  // Looks through the store for runs with work: a queue that had refused tasks has room again. From any thread.
  void work_scan();
  // Wakes all who wait for history and ends all queries. From any thread.
  void end_waits();
  // Makes durable what only memory knows, then calls `done`: all that was on its way is durable, or could not become so. From any thread.
  void settle(CommitPipeline::Action done);

  // Runs `operation` on the run (run_id empty = the current one) once it is in memory and free; `failed` instead if it cannot be read or
  // too many wait. From any thread.
  void submit(store::WorkflowKey key, std::string run_id, WorkflowEntry::Operation operation,
              absl::AnyInvocable<void(absl::Status)> failed);

  // Applies an input; `reply` is called when its outcome is durable. Returns what the core says to it.
  absl::StatusCode apply(WorkflowEntry& entry, CachedRun& run, const core::Input& input, Reply reply);
  // Lets a workflow out of quarantine and goes on with the run.
  void retry(WorkflowEntry& entry, CachedRun& run);
  // Creates a run in the entry, by the policies of the request.
  void create(WorkflowEntry& entry, const core::StartRequest& request, const core::NamespaceSettings& ns, StartReply reply);

  CommitPipeline& commits() { return commits_; }
  HistoryReader& history() { return history_; }
  QueryDesk& queries() { return queries_; }
  // A task could not be handed to the worker that polled it, for its run cannot be read at the moment: it goes back into the
  // queue after a while.
  void hand_out_again(const matching::QueueKey& queue, const matching::TaskRef& task);

  // The lease is lost, or the data damaged: nothing is taken on any more.
  bool has_ended() const { return fatal_; }
  base::Executor& executor() { return parts_.executor; }
  std::string new_query_id() { return parts_.random->uuid(); }
  size_t cached_bytes() const { return cache_.bytes(); }
  // From any thread.
  Statistics statistics() const { return commits_.statistics(); }

 private:
  // The workflow took the process with it: it may be looked at and terminated, and nothing else is done to it.
  bool quarantined(const store::WorkflowKey& key) const { return parts_.quarantine != nullptr && parts_.quarantine->holds(key); }
  core::Context context(const core::NamespaceSettings& ns) const;
  absl::Time now() const { return parts_.clock.now(); }

  // owner.cc: operations, and what transitions do to memory
  void pump(WorkflowEntry& entry);
  void absorb(WorkflowEntry& entry, CachedRun& run, core::Effects& effects, bool changed, bool durable);
  CachedRun& adopt(WorkflowEntry& entry, core::NewRun& created);
  void absorb_transition(WorkflowEntry& entry, CachedRun& run, core::Transition& transition);
  void keep_within_limit(WorkflowEntry& entry, CachedRun& run);
  store::VisibilityRow make_visibility_row(const CachedRun& run) const;

  // owner_dispatch.cc: tasks on their way to their workers
  void dispatch_after_commit(CachedRun& run, const core::Effects& effects);
  void dispatch_workflow_task(CachedRun& run);
  void dispatch_activity(CachedRun& run, int64_t scheduled_event_id);
  void dispatch_all(CachedRun& run);
  void hand_out(CachedRun& run, const matching::QueueKey& queue, matching::TaskRef task);

  // owner_load.cc: how runs come into memory and leave it
  void load_current(WorkflowEntry& entry);
  void load_run(WorkflowEntry& entry, const std::string& run_id);
  void loaded(WorkflowEntry& entry, const store::RunKey& key, const store::RunRow& row);
  void forget_starts(WorkflowEntry& entry, CachedRun& run);
  void fail_waiting(WorkflowEntry& entry, const absl::Status& status);
  void undone(const std::set<store::WorkflowKey>& workflows, const absl::Status& answer, const absl::Status& why);
  void leave(CachedRun& run, const absl::Status& why);
  // Loads a run that may have work, and tries again until that succeeds.
  void read_back(const store::RunKey& key);
  void read_back_later(const store::RunKey& key);

  // owner_due.cc: what time and scans bring up
  void tick(const store::RunKey& key);
  void remove(WorkflowEntry& entry, CachedRun& run);
  void found_work(const store::RunKey& key, const std::string& page);
  void found_message(const store::OutboxRow& row);

  // owner_embedded.cc
  bool serves(const CachedRun& run) const;
  void drive(WorkflowEntry& entry, CachedRun& run);
  // When it is the workflow's turn again.
  void drive_later(const store::RunKey& key);
  void activate(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, bool whole_history);
  void activate_with(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, const std::string& history,
                     bool whole_history);
  void answered(WorkflowEntry& entry, CachedRun& run, const core::wire::PollWorkflowTaskQueueResponse& task, WorkflowTaskAnswer answer);
  void hold(WorkflowEntry& entry);
  void resume(const store::RunKey& key, uint64_t generation, absl::AnyInvocable<void(WorkflowEntry&, CachedRun&)> go_on);

  OwnerParts parts_;
  std::function<std::optional<std::string>(std::string_view)> find_namespace_;
  RunCache cache_;
  WakeIndex wakes_;
  CommitPipeline commits_;
  HistoryReader history_;
  QueryDesk queries_;
  LateWrites late_;
  Scans scans_;
  bool fatal_ = false;
};

}  // namespace skald::shard

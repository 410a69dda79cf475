#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/base/random.h"
#include "engine/core/core.h"
#include "engine/matching/matching.h"
#include "engine/shard/cached_run.h"
#include "engine/shard/embedded_worker.h"
#include "engine/shard/engine.h"
#include "engine/shard/namespace_source.h"
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
  std::unique_ptr<base::Random> random;
  EmbeddedWorker* embedded = nullptr;  // null: none
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

// The single writer of a range of slots: one loop, no locks. A request becomes an operation on a run; the core computes its transition;
// transitions gather while the commit before is under way; after a commit, replies leave and tasks are dispatched.
// All methods but submit and start must be called on the owner's executor.
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

  // Runs `operation` on the run (run_id empty = the current one) once it is in memory and free; `failed` instead if it cannot be read or
  // too many wait. From any thread.
  void submit(store::WorkflowKey key, std::string run_id, WorkflowEntry::Operation operation,
              absl::AnyInvocable<void(absl::Status)> failed);

  // Applies an input; `reply` is called when its outcome is durable.
  void apply(WorkflowEntry& entry, CachedRun& run, const core::Input& input, Reply reply);
  // Creates a run in the entry, by the policies of the request.
  void create(WorkflowEntry& entry, const core::StartRequest& request, const core::NamespaceSettings& ns, StartReply reply);

  // Runs `action` once all that the run's state rests on is durable (at once if it is); with an error if it did not become so.
  void when_durable(CachedRun& run, absl::AnyInvocable<void(absl::Status)> action);
  // A message needs no more answer: its row can go.
  void message_done(std::string id);

  // Wakes the waiter when its events are durable, or its deadline has passed.
  void wait_for_events(CachedRun& run, HistoryWaiter waiter);
  // Wakes all waiters and ends all queries. From any thread.
  void end_waits();
  // The wire form of events from..to, from memory or the store. `done` may be called at once, or later on the executor.
  void read_events(CachedRun& run, int64_t from, int64_t to, absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);

  // The same if all of it is in memory.
  std::optional<std::string> events_in_memory(const CachedRun& run, int64_t from, int64_t to) const;

  // Queries (queries.cc). A query waits with its run; its `done` is called once, by an answer, its deadline, or the run's being dropped.
  void query(WorkflowEntry& entry, CachedRun& run, PendingQuery query);
  void pump_queries(WorkflowEntry& entry, CachedRun& run);
  // The query-only task for a worker that polled it; nullopt if the query is gone or taken.
  std::optional<core::wire::PollWorkflowTaskQueueResponse> take_query_task(CachedRun& run, const std::string& id);
  std::optional<PendingQuery> take_query(CachedRun& run, const std::string& id);
  void answer_query(CachedRun& run, PendingQuery query, const core::wire::RespondQueryTaskCompletedRequest& answer);
  // Puts the queries that wait into a workflow task that a worker got; takes their answers from its completion, to be released after the
  // completion was applied; or lets them wait for another task.
  void attach_queries(CachedRun& run, core::wire::PollWorkflowTaskQueueResponse& task);
  void answer_task_queries(CachedRun& run, core::wire::RespondWorkflowTaskCompletedRequest& request);
  void release_query_answers(CachedRun& run);
  void requeue_task_queries(CachedRun& run);

  core::Context context(const core::NamespaceSettings& ns) const;
  base::Executor& executor() { return parts_.executor; }
  absl::Time now() const { return parts_.clock.now(); }
  std::string new_query_id() { return parts_.random->uuid(); }
  size_t cached_bytes() const { return cached_bytes_; }
  // From any thread.
  Statistics statistics() const;

 private:
  // A group of transitions on its way to the store.
  struct Gathering {
    uint64_t sequence = 0;
    std::vector<CachedRun*> runs;
    std::vector<store::OutboxRow> outbox;
    std::vector<std::string> outbox_done;
    std::vector<store::RunKey> deleted;
    std::vector<absl::AnyInvocable<void(absl::Status)>> actions;
    size_t bytes = 0;
    bool empty() const;
  };

  // owner.cc: operations, and what transitions do to memory
  WorkflowEntry& entry_of(const store::WorkflowKey& key);
  void pump(WorkflowEntry& entry);
  void absorb(WorkflowEntry& entry, CachedRun& run, core::Effects& effects, bool changed, bool durable);
  CachedRun& adopt(WorkflowEntry& entry, core::NewRun& created);
  void absorb_transition(WorkflowEntry& entry, CachedRun& run, core::Transition& transition);
  void dispatch_after_commit(CachedRun& run, const core::Effects& effects);
  void dispatch_workflow_task(CachedRun& run);
  void dispatch_activity(CachedRun& run, int64_t scheduled_event_id);
  void dispatch_all(CachedRun& run);

  // owner_load.cc
  void load_current(WorkflowEntry& entry);
  void load_run(WorkflowEntry& entry, const std::string& run_id);
  void fail_waiting(WorkflowEntry& entry, const absl::Status& status);
  void touch(WorkflowEntry& entry);
  void recount(CachedRun& run);
  void shrink_cache();
  bool evictable(const WorkflowEntry& entry) const;
  void forget(WorkflowEntry& entry);

  // owner_commit.cc
  Gathering& gathering();
  Gathering& group_of(WorkflowEntry& entry);
  Gathering& mark_dirty(WorkflowEntry& entry, CachedRun& run);
  void schedule_flush();
  void flush();
  store::Batch build(Gathering& group);
  void committed(const std::shared_ptr<Gathering>& group, absl::Status status);
  void acknowledge(Gathering& group);
  void resolve_outcome(const std::shared_ptr<Gathering>& group, std::string batch_id);
  void drop_uncommitted(const absl::Status& why);
  void drop_run(CachedRun& run, std::vector<store::RunKey>& dropped);
  store::VisibilityRow make_visibility_row(const CachedRun& run) const;

  // owner_embedded.cc
  bool serves(const CachedRun& run) const;
  void drive(WorkflowEntry& entry, CachedRun& run);
  void activate(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, bool whole_history);
  void activate_with(WorkflowEntry& entry, CachedRun& run, core::wire::PollWorkflowTaskQueueResponse task, const std::string& history,
                     bool whole_history);
  void answered(WorkflowEntry& entry, CachedRun& run, const core::wire::PollWorkflowTaskQueueResponse& task, WorkflowTaskAnswer answer);
  void hold(WorkflowEntry& entry);
  void pump_later(WorkflowEntry& entry);
  void resume(const store::RunKey& key, uint64_t generation, absl::AnyInvocable<void(WorkflowEntry&, CachedRun&)> go_on);

  // owner_wake.cc
  void update_wake(CachedRun& run);
  void arm();
  void on_wake();
  void tick(const store::RunKey& key);
  void scan_horizon(const std::string& after);
  void scan_work(const std::string& after);
  // Loads a run that may have work, and tries again until that succeeds.
  void read_back(const store::RunKey& key);
  void read_back_later(const store::RunKey& key);
  void scan_outbox(const std::string& after);
  void remove(WorkflowEntry& entry, CachedRun& run);
  void read_stored(const store::RunKey& key, int64_t from, int64_t last, std::string before, std::string rest,
                   absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);
  void wake_waiters(CachedRun& run, bool all);
  void sweep_waiters();

  // queries.cc
  bool keeps_failing(const CachedRun& run) const;
  void query_embedded(WorkflowEntry& entry, CachedRun& run);
  void dispatch_query(CachedRun& run, const std::string& id);
  core::wire::PollWorkflowTaskQueueResponse query_task(const CachedRun& run, const PendingQuery& query) const;
  void sweep_queries(CachedRun& run);
  void end_queries(CachedRun& run, const absl::Status& why);

  OwnerParts parts_;
  std::function<std::optional<std::string>(std::string_view)> find_namespace_;
  absl::flat_hash_map<std::pair<std::string, std::string>, std::unique_ptr<WorkflowEntry>> entries_;
  std::list<WorkflowEntry*> uses_;  // most recently used first
  size_t cached_bytes_ = 0;

  uint64_t next_sequence_ = 1;
  std::deque<std::shared_ptr<Gathering>> gathering_;  // the last one is open
  std::shared_ptr<Gathering> committing_group_;  // handed to the store; null = none
  bool flush_scheduled_ = false;
  std::string batch_prefix_;

  std::map<std::pair<absl::Time, uint64_t>, CachedRun*> wakes_;  // by wake time and serial
  std::set<std::pair<absl::Time, store::RunKey>> distant_wakes_;  // runs that are not in memory
  absl::Time armed_ = absl::InfiniteFuture();
  absl::Time horizon_ = absl::InfinitePast();
  bool scanning_horizon_ = false;
  bool scanning_work_ = false;
  std::map<uint64_t, CachedRun*> waited_for_;  // runs with waiters or queries, by serial
  uint64_t next_serial_ = 1;
  bool sweeping_ = false;
  std::vector<std::pair<absl::AnyInvocable<void(absl::StatusOr<core::wire::QueryWorkflowResponse>)>,
                        absl::StatusOr<core::wire::QueryWorkflowResponse>>>
      query_answers_;  // of the task completion that is being applied
  bool fatal_ = false;

  // Written by the loop, read by any thread.
  std::atomic<uint64_t> commits_ = 0;
  std::atomic<uint64_t> run_rows_ = 0;
  std::atomic<uint64_t> rows_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace skald::shard

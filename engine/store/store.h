#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/rows.h"
#include "engine/store/visibility_query.h"

namespace skald::store {

// Called exactly once, on any thread, possibly before the method that took it returns. Must not block.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;
using CommitDone = absl::AnyInvocable<void(absl::Status)>;

// Slots [first, last) leased by one owner. An owner's batches are refused once somebody else took the lease.
struct Lease {
  int first_slot = 0;
  int last_slot = kSlots;
  int64_t epoch = 0;
};

// All that one commit changes, applied atomically and in this order: deletes, then writes.
struct Batch {
  std::string id;  // unique: an unknown outcome is resolved by asking for it
  Lease lease;     // asserted in the same transaction
  std::vector<RunRow> runs;              // insert or replace
  std::vector<CurrentRow> current;       // insert or replace
  std::vector<HistoryRow> history;       // insert; an existing first_event_id is an error (INTERNAL)
  std::vector<OutboxRow> outbox;         // insert; an existing id is left alone
  std::vector<std::string> outbox_done;  // delete by id; unknown ids are no error
  std::vector<VisibilityRow> visibility; // insert or replace
  std::vector<RunKey> deleted_runs;      // run, its history and visibility; current too if it points at this run

  bool empty() const;
  // Rows touched, and bytes of blobs: what bounds a batch.
  size_t rows() const;
  size_t bytes() const;
};

// Told what changes with a store, by a thread of the store, one change after the other: UNAVAILABLE and why when it
// cannot be reached, OK when it can be again, ABORTED when a lease is lost. Must not block.
using Watcher = std::function<void(const absl::Status&)>;

// A page of a scan; `next` is the key to go on after, empty at the end. A full page has one even if nothing comes after it.
template <typename Row>
struct Page {
  std::vector<Row> rows;
  std::string next;
};

class Contents;
struct PageLimits;

// ABORTED, in a sentence that names who took the lease, if known.
absl::Status lease_lost(const std::string& holder);

// Durable state. Thread-safe. Reads see every commit that was acknowledged before they were called. Limits and page sizes are above 0.
// The destructor answers all that is pending.
//
// commit's outcomes: OK = durable. ABORTED = the lease is lost, nothing written. UNAVAILABLE or RESOURCE_EXHAUSTED (disk full) =
// certainly nothing written. UNKNOWN = the outcome is not known; outcome_of(batch id) tells later. INTERNAL, DATA_LOSS = a defect or
// damage, nothing written.
class Store {
 public:
  virtual ~Store() = default;

  // Takes the slots [first, last) for `holder` (host:pid, for messages) and returns the lease with an epoch higher than any before.
  // FAILED_PRECONDITION, with a sentence that names the holder, if a live process holds them. All leases of any of these slots end.
  virtual absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder) = 0;

  // Sets who is told, before the first acquire. A store that is never away has nothing to tell.
  virtual void watch(Watcher /*watcher*/) {}

  // Batches of one lease are committed in the order given. Several leases' batches may share one transaction of the database.
  virtual void commit(Batch batch, CommitDone done) = 0;
  // Asked after UNKNOWN: true if the batch is durable, false if it is not and never will be. Each lease's last durable batch is
  // remembered, so an owner that may have to ask has one batch under way at a time. ABORTED if the lease is lost, and the memory with it.
  virtual void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) = 0;

  virtual void read_run(const RunKey& key, Done<std::optional<RunRow>> done) = 0;
  virtual void read_current(const WorkflowKey& key, Done<std::optional<CurrentRow>> done) = 0;
  // The chunks that hold events first..last (both included; last may lie beyond the end), in order, but no more after max_bytes are
  // reached (at least one chunk).
  virtual void read_history(const RunKey& key, int64_t first_event_id, int64_t last_event_id, size_t max_bytes,
                            Done<std::vector<HistoryChunk>> done) = 0;
  // The same from the end: the chunks that hold events up to last_event_id, newest first.
  virtual void read_history_reverse(const RunKey& key, int64_t last_event_id, size_t max_bytes,
                                    Done<std::vector<HistoryChunk>> done) = 0;

  // Runs of the lease's slots whose wake time is at or before `until`, in the order (wake time, key).
  virtual void scan_wake(const Lease& lease, absl::Time until, const std::string& after, size_t limit,
                         Done<Page<std::pair<RunKey, absl::Time>>> done) = 0;
  virtual void scan_work(const Lease& lease, const std::string& after, size_t limit, Done<Page<RunKey>> done) = 0;
  virtual void scan_outbox(const Lease& lease, const std::string& after, size_t limit, Done<Page<OutboxRow>> done) = 0;

  // Newest first: (start time descending, run id). The page token is opaque. INVALID_ARGUMENT for a token that is not one of ours
  // and for a filter beyond the store's limits.
  virtual void list(const VisibilityQuery& query, size_t page_size, const std::string& page_token,
                    Done<Page<VisibilityRow>> done) = 0;
  virtual void count(const VisibilityQuery& query, Done<std::vector<CountGroup>> done) = 0;

  // Namespaces are few and rarely written: these block.
  virtual absl::Status put_namespace(const NamespaceRow& row) = 0;  // insert, or replace by id; ALREADY_EXISTS if another id has the name
  virtual absl::StatusOr<std::vector<NamespaceRow>> namespaces() = 0;

  // A small value kept with the data (cluster id, ...). Blocks.
  virtual absl::StatusOr<std::optional<std::string>> get_setting(const std::string& name) = 0;
  virtual absl::Status put_setting(const std::string& name, const std::string& value) = 0;

  // All rows of all tables, page by page (engine/store/contents.h). UNIMPLEMENTED unless the store overrides it.
  virtual absl::StatusOr<std::unique_ptr<Contents>> contents(const PageLimits& limits);
};

}  // namespace skald::store

#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/store/store.h"

namespace skald::store {

// All rows of a memory store and what can be done with them. A copy is an independent data base. Not thread-safe.
class Tables {
 public:
  Lease acquire(int first_slot, int last_slot, const std::string& holder);
  // The whole batch or, after an error, nothing of it: ABORTED, INTERNAL as Store::commit says.
  absl::Status apply(const Batch& batch);
  absl::StatusOr<bool> outcome_of(const Lease& lease, const std::string& batch_id) const;

  std::optional<RunRow> run(const RunKey& key) const;
  std::optional<CurrentRow> current(const WorkflowKey& key) const;
  std::vector<HistoryChunk> history(const RunKey& key, int64_t first, int64_t last, size_t max_bytes) const;
  std::vector<HistoryChunk> history_reverse(const RunKey& key, int64_t last, size_t max_bytes) const;
  absl::StatusOr<Page<std::pair<RunKey, absl::Time>>> wake(const Lease& lease, absl::Time until,
                                                           const std::string& after, size_t limit) const;
  absl::StatusOr<Page<RunKey>> work(const Lease& lease, const std::string& after, size_t limit) const;
  Page<OutboxRow> outbox(const Lease& lease, const std::string& after, size_t limit) const;
  absl::StatusOr<Page<VisibilityRow>> list(const VisibilityQuery& query, size_t page_size,
                                           const std::string& token) const;
  std::vector<CountGroup> count(const VisibilityQuery& query) const;

  absl::Status put_namespace(const NamespaceRow& row);
  std::vector<NamespaceRow> namespaces() const;
  std::optional<std::string> setting(const std::string& name) const;
  void put_setting(const std::string& name, const std::string& value) { settings_[name] = value; }

  // For checks of the whole.
  const std::map<RunKey, RunRow>& runs() const { return runs_; }
  const std::map<WorkflowKey, CurrentRow>& current_runs() const { return current_; }
  const std::map<std::string, std::map<int64_t, HistoryChunk>>& histories() const { return history_; }  // by run id
  const std::map<std::string, OutboxRow>& messages() const { return outbox_; }
  // By namespace id and run id.
  const std::map<std::pair<std::string, std::string>, VisibilityRow>& visibility() const { return visibility_; }
  const std::map<std::string, NamespaceRow>& namespaces_by_id() const { return namespaces_; }
  const std::map<std::string, std::string>& settings() const { return settings_; }

 private:
  struct Ownership {
    int last_slot = 0;
    int64_t epoch = 0;
    std::string holder;
    std::string last_batch;
  };
  using Nanos = int64_t;
  // Of one namespace, newest first: (minus the start time, run id).
  using StartOrder = std::set<std::pair<Nanos, std::string>>;

  absl::Status check_lease(const Lease& lease) const;
  absl::Status check_rows(const Batch& batch) const;
  void delete_run(const RunKey& key);
  void forget_run_row(const RunKey& key);
  void write_run(const RunRow& row);
  void forget_visibility(const std::string& namespace_id, const std::string& run_id);
  void write_visibility(const VisibilityRow& row);

  int64_t highest_epoch_ = 0;
  std::map<int, Ownership> ownership_;  // by first slot
  std::map<RunKey, RunRow> runs_;
  std::set<std::pair<Nanos, RunKey>> wake_;
  std::set<std::pair<int, RunKey>> work_;  // by slot
  std::map<WorkflowKey, CurrentRow> current_;
  std::map<std::string, std::map<int64_t, HistoryChunk>> history_;  // run id, first event id
  std::map<std::string, OutboxRow> outbox_;
  std::map<std::pair<std::string, std::string>, VisibilityRow> visibility_;  // namespace id, run id
  std::map<std::string, StartOrder> start_order_;
  std::map<std::string, NamespaceRow> namespaces_;
  std::map<std::string, std::string> settings_;
};

}  // namespace skald::store

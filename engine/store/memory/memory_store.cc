#include "engine/store/memory/memory_store.h"

#include <utility>

#include "engine/store/memory/contents.h"
#include "engine/store/memory/process.h"

namespace skald::store {

MemoryStore::MemoryStore(std::shared_ptr<MemoryDisk> disk, base::Executor& executor, const base::Clock& clock,
                         std::unique_ptr<base::Random> random, const FaultOptions& faults)
    : process_(std::make_shared<Process>(std::move(disk), executor, clock, std::move(random), faults)) {}

MemoryStore::~MemoryStore() { process_->stop(); }

void MemoryStore::crash() { process_->crash(); }

void MemoryStore::set_faults(const FaultOptions& faults) { process_->set_faults(faults); }

void MemoryStore::on_fault(FaultWatcher watcher) { process_->on_fault(std::move(watcher)); }

template <typename T, typename F>
void MemoryStore::read(Done<T> done, F query) {
  process_->ask([done = std::move(done), query = std::move(query)](const Tables& tables,
                                                                   absl::Status fault) mutable -> Process::Answer {
    absl::StatusOr<T> result = fault.ok() ? absl::StatusOr<T>(query(tables)) : absl::StatusOr<T>(std::move(fault));
    return [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); };
  });
}

void MemoryStore::commit(Batch batch, CommitDone done) { process_->commit(std::move(batch), std::move(done)); }

void MemoryStore::outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) {
  read<bool>(std::move(done), [=](const Tables& tables) { return tables.outcome_of(lease, batch_id); });
}

void MemoryStore::read_run(const RunKey& key, Done<std::optional<RunRow>> done) {
  read<std::optional<RunRow>>(std::move(done), [=](const Tables& tables) { return tables.run(key); });
}

void MemoryStore::read_current(const WorkflowKey& key, Done<std::optional<CurrentRow>> done) {
  read<std::optional<CurrentRow>>(std::move(done), [=](const Tables& tables) { return tables.current(key); });
}

void MemoryStore::read_history(const RunKey& key, int64_t first_event_id, int64_t last_event_id, size_t max_bytes,
                               Done<std::vector<HistoryChunk>> done) {
  read<std::vector<HistoryChunk>>(std::move(done), [=](const Tables& tables) {
    return tables.history(key, first_event_id, last_event_id, max_bytes);
  });
}

void MemoryStore::read_history_reverse(const RunKey& key, int64_t last_event_id, size_t max_bytes,
                                       Done<std::vector<HistoryChunk>> done) {
  read<std::vector<HistoryChunk>>(
      std::move(done), [=](const Tables& tables) { return tables.history_reverse(key, last_event_id, max_bytes); });
}

void MemoryStore::scan_wake(const Lease& lease, absl::Time until, const std::string& after, size_t limit,
                            Done<Page<std::pair<RunKey, absl::Time>>> done) {
  read<Page<std::pair<RunKey, absl::Time>>>(
      std::move(done), [=](const Tables& tables) { return tables.wake(lease, until, after, limit); });
}

void MemoryStore::scan_work(const Lease& lease, const std::string& after, size_t limit, Done<Page<RunKey>> done) {
  read<Page<RunKey>>(std::move(done), [=](const Tables& tables) { return tables.work(lease, after, limit); });
}

void MemoryStore::scan_outbox(const Lease& lease, const std::string& after, size_t limit, Done<Page<OutboxRow>> done) {
  read<Page<OutboxRow>>(std::move(done), [=](const Tables& tables) { return tables.outbox(lease, after, limit); });
}

void MemoryStore::list(const VisibilityQuery& query, size_t page_size, const std::string& page_token,
                       Done<Page<VisibilityRow>> done) {
  read<Page<VisibilityRow>>(std::move(done),
                            [=](const Tables& tables) { return tables.list(query, page_size, page_token); });
}

void MemoryStore::count(const VisibilityQuery& query, Done<std::vector<CountGroup>> done) {
  read<std::vector<CountGroup>>(std::move(done), [=](const Tables& tables) { return tables.count(query); });
}

absl::StatusOr<Lease> MemoryStore::acquire(int first_slot, int last_slot, const std::string& holder) {
  if (auto status = process_->alive(); !status.ok()) return status;
  return process_->disk().with([&](Tables& tables) { return tables.acquire(first_slot, last_slot, holder); });
}

absl::Status MemoryStore::put_namespace(const NamespaceRow& row) {
  if (auto status = process_->alive(); !status.ok()) return status;
  return process_->disk().with([&](Tables& tables) { return tables.put_namespace(row); });
}

absl::StatusOr<std::vector<NamespaceRow>> MemoryStore::namespaces() {
  if (auto status = process_->alive(); !status.ok()) return status;
  return process_->disk().with([](const Tables& tables) { return tables.namespaces(); });
}

absl::StatusOr<std::optional<std::string>> MemoryStore::get_setting(const std::string& name) {
  if (auto status = process_->alive(); !status.ok()) return status;
  return process_->disk().with([&](const Tables& tables) { return tables.setting(name); });
}

absl::Status MemoryStore::put_setting(const std::string& name, const std::string& value) {
  if (auto status = process_->alive(); !status.ok()) return status;
  process_->disk().with([&](Tables& tables) { tables.put_setting(name, value); });
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Contents>> MemoryStore::contents(const PageLimits& limits) {
  if (auto status = process_->alive(); !status.ok()) return status;
  return contents_of(process_->disk(), limits);
}

}  // namespace skald::store

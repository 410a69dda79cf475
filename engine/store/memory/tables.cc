#include "engine/store/memory/tables.h"

#include <algorithm>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "engine/store/memory/filter_match.h"
#include "engine/store/scan_position.h"
#include "engine/store/visibility_token.h"

namespace skald::store {
namespace {

bool covers(const Lease& lease, int slot) { return slot >= lease.first_slot && slot < lease.last_slot; }

bool is_set(absl::Time time) { return time != absl::InfinitePast() && time != absl::InfiniteFuture(); }

template <typename T>
std::optional<T> find_in(const auto& rows, const auto& key) {
  const auto found = rows.find(key);
  if (found == rows.end()) return std::nullopt;
  return found->second;
}

absl::Status malformed_position() { return absl::InvalidArgumentError("malformed scan position"); }

}  // namespace

Lease Tables::acquire(int first_slot, int last_slot, const std::string& holder) {
  std::erase_if(ownership_,
                [&](const auto& entry) { return entry.first < last_slot && entry.second.last_slot > first_slot; });
  ownership_[first_slot] = {last_slot, ++highest_epoch_, holder, ""};
  return {first_slot, last_slot, highest_epoch_};
}

absl::Status Tables::check_lease(const Lease& lease) const {
  const auto found = ownership_.find(lease.first_slot);
  if (found != ownership_.end() && found->second.epoch == lease.epoch) return absl::OkStatus();
  return lease_lost(found == ownership_.end() ? "" : found->second.holder);
}

absl::Status Tables::check_rows(const Batch& batch) const {
  std::set<std::string> deleted;
  for (const RunKey& key : batch.deleted_runs) deleted.insert(key.run_id);
  std::set<std::pair<std::string, int64_t>> written;
  for (const HistoryRow& row : batch.history) {
    const auto stored = history_.find(row.key.run_id);
    const bool exists = stored != history_.end() && !deleted.contains(row.key.run_id) &&
                        stored->second.contains(row.chunk.first_event_id);
    if (exists || !written.emplace(row.key.run_id, row.chunk.first_event_id).second) {
      return absl::InternalError(absl::StrCat("writing history: run ", row.key.run_id, " has a chunk at event ",
                                              row.chunk.first_event_id, " already"));
    }
  }
  for (const VisibilityRow& row : batch.visibility) {
    if (is_set(row.start_time) && is_set(row.execution_time)) continue;
    return absl::InternalError(absl::StrCat("writing visibility: run ", row.key.run_id, " has no start time"));
  }
  return absl::OkStatus();
}

absl::Status Tables::apply(const Batch& batch) {
  if (auto status = check_lease(batch.lease); !status.ok()) return status;
  if (auto status = check_rows(batch); !status.ok()) return status;
  for (const RunKey& key : batch.deleted_runs) delete_run(key);
  for (const std::string& id : batch.outbox_done) outbox_.erase(id);
  for (const RunRow& row : batch.runs) write_run(row);
  for (const CurrentRow& row : batch.current) current_[row.key] = row;
  for (const HistoryRow& row : batch.history) history_[row.key.run_id][row.chunk.first_event_id] = row.chunk;
  for (const OutboxRow& row : batch.outbox) outbox_.emplace(row.id, row);
  for (const VisibilityRow& row : batch.visibility) write_visibility(row);
  ownership_[batch.lease.first_slot].last_batch = batch.id;
  return absl::OkStatus();
}

absl::StatusOr<bool> Tables::outcome_of(const Lease& lease, const std::string& batch_id) const {
  if (auto status = check_lease(lease); !status.ok()) return status;
  return ownership_.at(lease.first_slot).last_batch == batch_id;
}

void Tables::delete_run(const RunKey& key) {
  forget_run_row(key);
  history_.erase(key.run_id);
  forget_visibility(key.namespace_id, key.run_id);
  const auto current = current_.find(key.workflow());
  if (current != current_.end() && current->second.run_id == key.run_id) current_.erase(current);
}

void Tables::forget_run_row(const RunKey& key) {
  const auto old = runs_.find(key);
  if (old == runs_.end()) return;
  if (is_set(old->second.wake_time)) wake_.erase({absl::ToUnixNanos(old->second.wake_time), key});
  if (old->second.has_work) work_.erase({slot_of(key), key});
  runs_.erase(old);
}

void Tables::write_run(const RunRow& row) {
  forget_run_row(row.key);
  RunRow& kept = runs_[row.key] = row;
  if (!is_set(row.wake_time)) kept.wake_time = absl::InfiniteFuture();
  if (is_set(row.wake_time)) wake_.emplace(absl::ToUnixNanos(row.wake_time), row.key);
  if (row.has_work) work_.emplace(slot_of(row.key), row.key);
}

void Tables::forget_visibility(const std::string& namespace_id, const std::string& run_id) {
  const auto old = visibility_.find({namespace_id, run_id});
  if (old == visibility_.end()) return;
  start_order_[namespace_id].erase({-absl::ToUnixNanos(old->second.start_time), run_id});
  visibility_.erase(old);
}

void Tables::write_visibility(const VisibilityRow& row) {
  forget_visibility(row.key.namespace_id, row.key.run_id);
  visibility_[{row.key.namespace_id, row.key.run_id}] = row;
  start_order_[row.key.namespace_id].emplace(-absl::ToUnixNanos(row.start_time), row.key.run_id);
}

std::optional<RunRow> Tables::run(const RunKey& key) const { return find_in<RunRow>(runs_, key); }

std::optional<CurrentRow> Tables::current(const WorkflowKey& key) const { return find_in<CurrentRow>(current_, key); }

std::vector<HistoryChunk> Tables::history(const RunKey& key, int64_t first, int64_t last, size_t max_bytes) const {
  std::vector<HistoryChunk> result;
  const auto chunks = history_.find(key.run_id);
  if (chunks == history_.end()) return result;
  size_t bytes = 0;
  for (const auto& [start, chunk] : chunks->second) {
    if (start > last || bytes >= max_bytes) break;
    if (chunk.last_event_id < first) continue;
    result.push_back(chunk);
    bytes += chunk.bytes.size();
  }
  return result;
}

std::vector<HistoryChunk> Tables::history_reverse(const RunKey& key, int64_t last, size_t max_bytes) const {
  std::vector<HistoryChunk> result;
  const auto chunks = history_.find(key.run_id);
  if (chunks == history_.end()) return result;
  size_t bytes = 0;
  for (auto next = std::make_reverse_iterator(chunks->second.upper_bound(last));
       next != chunks->second.rend() && bytes < max_bytes; ++next) {
    result.push_back(next->second);
    bytes += next->second.bytes.size();
  }
  return result;
}

absl::StatusOr<Page<std::pair<RunKey, absl::Time>>> Tables::wake(const Lease& lease, absl::Time until,
                                                                 const std::string& after, size_t limit) const {
  auto next = wake_.begin();
  if (!after.empty()) {
    const auto position = decode_position(after, 4);
    Nanos from = 0;
    if (!position || !absl::SimpleAtoi((*position)[0], &from)) return malformed_position();
    next = wake_.upper_bound({from, {(*position)[1], (*position)[2], (*position)[3]}});
  }
  const Nanos end = absl::ToUnixNanos(until);
  Page<std::pair<RunKey, absl::Time>> page;
  for (; next != wake_.end() && next->first <= end && page.rows.size() < limit; ++next) {
    if (covers(lease, slot_of(next->second))) page.rows.emplace_back(next->second, absl::FromUnixNanos(next->first));
  }
  if (limit > 0 && page.rows.size() == limit) {
    const auto& [key, time] = page.rows.back();
    page.next = encode_position({absl::StrCat(absl::ToUnixNanos(time)), key.namespace_id, key.workflow_id, key.run_id});
  }
  return page;
}

absl::StatusOr<Page<RunKey>> Tables::work(const Lease& lease, const std::string& after, size_t limit) const {
  auto next = work_.lower_bound({lease.first_slot, {}});
  if (!after.empty()) {
    const auto position = decode_position(after, 4);
    int from = 0;
    if (!position || !absl::SimpleAtoi((*position)[0], &from)) return malformed_position();
    next = work_.upper_bound({from, {(*position)[1], (*position)[2], (*position)[3]}});
  }
  Page<RunKey> page;
  for (; next != work_.end() && next->first < lease.last_slot && page.rows.size() < limit; ++next) {
    page.rows.push_back(next->second);
  }
  if (limit > 0 && page.rows.size() == limit) {
    const RunKey& key = page.rows.back();
    page.next = encode_position({absl::StrCat(slot_of(key)), key.namespace_id, key.workflow_id, key.run_id});
  }
  return page;
}

Page<OutboxRow> Tables::outbox(const Lease& lease, const std::string& after, size_t limit) const {
  Page<OutboxRow> page;
  for (auto next = outbox_.upper_bound(after); next != outbox_.end() && page.rows.size() < limit; ++next) {
    if (covers(lease, slot_of(next->second.source))) page.rows.push_back(next->second);
  }
  if (limit > 0 && page.rows.size() == limit) page.next = page.rows.back().id;
  return page;
}

absl::StatusOr<Page<VisibilityRow>> Tables::list(const VisibilityQuery& query, size_t page_size,
                                                 const std::string& token) const {
  std::pair<Nanos, std::string> from = {INT64_MIN, ""};
  if (!token.empty()) {
    auto decoded = decode_token(token);
    if (!decoded.ok()) return decoded.status();
    from = {-std::max(decoded->start_time_nanos, -INT64_MAX), decoded->run_id};
  }
  Page<VisibilityRow> page;
  const auto order = start_order_.find(query.namespace_id);
  if (order == start_order_.end()) return page;
  for (auto next = order->second.upper_bound(from); next != order->second.end() && page.rows.size() < page_size;
       ++next) {
    const VisibilityRow& row = visibility_.at({query.namespace_id, next->second});
    if (!matches(query.filter, row)) continue;
    page.rows.push_back(row);
    page.rows.back().attributes.clear();
  }
  if (page_size > 0 && page.rows.size() == page_size) {
    page.next = encode_token({absl::ToUnixNanos(page.rows.back().start_time), page.rows.back().key.run_id});
  }
  return page;
}

std::vector<CountGroup> Tables::count(const VisibilityQuery& query) const {
  std::map<int, int64_t> counts;
  if (!query.group_by_status) counts[0] = 0;
  for (auto next = visibility_.lower_bound({query.namespace_id, ""});
       next != visibility_.end() && next->first.first == query.namespace_id; ++next) {
    if (matches(query.filter, next->second)) ++counts[query.group_by_status ? next->second.status : 0];
  }
  std::vector<CountGroup> groups;
  for (const auto& [status, number] : counts) groups.push_back({status, number});
  return groups;
}

absl::Status Tables::put_namespace(const NamespaceRow& row) {
  for (const auto& [id, other] : namespaces_) {
    if (other.name == row.name && id != row.id) return absl::AlreadyExistsError("Namespace already exists.");
  }
  namespaces_[row.id] = row;
  return absl::OkStatus();
}

std::vector<NamespaceRow> Tables::namespaces() const {
  std::vector<NamespaceRow> rows;
  for (const auto& [id, row] : namespaces_) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return rows;
}

std::optional<std::string> Tables::setting(const std::string& name) const {
  return find_in<std::string>(settings_, name);
}

}  // namespace skald::store

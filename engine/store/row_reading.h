#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/contents.h"
#include "engine/store/rows.h"
#include "engine/store/scan_position.h"

// How a row that SQL gave becomes a row of the contract, and where a scan goes on: the same in both stores. `Sql` is one row of a result:
// text(column), number(column), time(column, none).
namespace skald::store {

inline constexpr char kStoredRunColumns[] = "namespace_id, workflow_id, run_id, status, wake_time, has_work, state, slot";
inline constexpr char kStoredMessageColumns[] = "id, namespace_id, workflow_id, run_id, message, slot";
inline constexpr char kHistoryColumns[] = "run_id, first_event_id, last_event_id, events";

template <typename Sql>
RunKey run_key_of(const Sql& row) {
  return {row.text(0), row.text(1), row.text(2)};
}

// Of kStoredRunColumns.
template <typename Sql>
StoredRun stored_run_of(const Sql& row) {
  return {{run_key_of(row), static_cast<int>(row.number(3)), row.time(4, absl::InfiniteFuture()), row.number(5) != 0, row.text(6)},
          static_cast<int>(row.number(7))};
}

// Of kStoredMessageColumns.
template <typename Sql>
StoredMessage stored_message_of(const Sql& row) {
  return {{row.text(0), {row.text(1), row.text(2), row.text(3)}, row.text(4)}, static_cast<int>(row.number(5))};
}

// Of kHistoryColumns.
template <typename Sql>
HistoryRow history_row_of(const Sql& row) {
  return {{"", "", row.text(0)}, {row.number(1), row.number(2), row.text(3)}};
}

// Of kVisibilityColumns.
template <typename Sql>
VisibilityRow visibility_row_of(const Sql& row) {
  VisibilityRow result;
  result.key = {row.text(0), row.text(2), row.text(1)};
  result.workflow_type = row.text(3);
  result.task_queue = row.text(4);
  result.status = static_cast<int>(row.number(5));
  result.start_time = row.time(6, absl::UnixEpoch());
  result.execution_time = row.time(7, absl::UnixEpoch());
  result.close_time = row.time(8, absl::InfinitePast());
  result.history_length = row.number(9);
  result.history_size_bytes = row.number(10);
  result.state_transition_count = row.number(11);
  result.parent_workflow_id = row.text(12);
  result.parent_run_id = row.text(13);
  result.root_workflow_id = row.text(14);
  result.root_run_id = row.text(15);
  result.memo = row.text(16);
  result.search_attributes = row.text(17);
  return result;
}

// The key that a walk through a table begins after, one text a column; before everything if `after` is empty.
inline absl::StatusOr<std::vector<std::string>> key_after(const std::string& after, size_t columns) {
  if (after.empty()) return std::vector<std::string>(columns);
  auto parts = decode_position(after, columns);
  if (!parts) return absl::InvalidArgumentError("malformed position");
  return *std::move(parts);
}

// Where a walk through history goes on: behind this chunk.
struct HistoryPosition {
  std::string run_id;
  int64_t event_id = INT64_MIN;
};

inline absl::StatusOr<HistoryPosition> history_after(const std::string& after) {
  HistoryPosition from;
  if (after.empty()) return from;
  auto parts = decode_position(after, 2);
  if (!parts || !absl::SimpleAtoi((*parts)[1], &from.event_id)) return absl::InvalidArgumentError("malformed position");
  from.run_id = std::move((*parts)[0]);
  return from;
}

inline std::string position_of(const HistoryRow& row) { return encode_position({row.key.run_id, absl::StrCat(row.chunk.first_event_id)}); }

// Where a scan of the runs in the order of a number (a time, a slot) and their keys goes on.
struct ScanPosition {
  int64_t number = INT64_MIN;
  RunKey key;
};

inline absl::StatusOr<ScanPosition> scan_after(const std::string& after) {
  ScanPosition from;
  if (after.empty()) return from;
  auto parts = decode_position(after, 4);
  if (!parts || !absl::SimpleAtoi((*parts)[0], &from.number)) return absl::InvalidArgumentError("malformed scan position");
  from.key = {std::move((*parts)[1]), std::move((*parts)[2]), std::move((*parts)[3])};
  return from;
}

inline std::string position_of(int64_t number, const RunKey& key) {
  return encode_position({absl::StrCat(number), key.namespace_id, key.workflow_id, key.run_id});
}

}  // namespace skald::store

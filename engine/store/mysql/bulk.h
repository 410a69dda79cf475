#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "engine/store/mysql/session.h"

namespace skald::store {

// A statement that takes any number of rows: its text is `before`, `row` as often as there are rows with commas
// between, `after`.
struct BulkStatement {
  std::string_view before;
  std::string_view row;
  std::string_view between;
  std::string_view after;
  std::string_view doing;  // for messages

  std::string sql(size_t rows) const {
    std::string text(before);
    for (size_t i = 0; i < rows; ++i)
      absl::StrAppend(&text, std::string(i == 0 ? std::string_view() : between), std::string(row));
    return absl::StrCat(text, std::string(after));
  }
};

inline constexpr size_t kMostBulkRows = 64;
inline constexpr size_t kRowOverheadBytes = 256;  // what a row's numbers and lengths take in a packet, at most

// Runs the statement over all rows: few statements, each of a power of two of rows, so that few texts stay prepared,
// and of at most a quarter of the largest packet. `bytes` tells a row's size, `bind` gives its parameters. A row that
// no packet can take is RESOURCE_EXHAUSTED before anything is sent.
template <typename Row, typename Bytes, typename Bind>
absl::Status run_bulk(Session& session, const BulkStatement& statement, const std::vector<Row>& rows,
                      const Bytes& bytes, const Bind& bind) {
  if (rows.empty()) return absl::OkStatus();
  if (auto status = session.open(); !status.ok()) return status;
  const size_t budget = session.max_packet() / 4;
  for (size_t next = 0; next < rows.size();) {
    size_t count = std::bit_floor(std::min(rows.size() - next, kMostBulkRows));
    size_t size = 0;
    for (size_t fitting = 0; fitting < count; ++fitting) {
      size += bytes(rows[next + fitting]) + kRowOverheadBytes;
      if (size > budget && fitting > 0) count = std::bit_floor(fitting);
    }
    if (bytes(rows[next]) + kRowOverheadBytes > session.max_packet()) {
      return absl::ResourceExhaustedError(absl::StrCat(std::string(statement.doing), ": a row of ", bytes(rows[next]),
                                                       " bytes is larger than the database takes (",
                                                       session.max_packet(), "); raise its max_allowed_packet"));
    }
    const auto done = session.update(
        statement.sql(count),
        [&](Parameters& values) {
          for (size_t i = next; i < next + count; ++i) bind(values, rows[i]);
        },
        statement.doing);
    if (!done.ok()) return done.status();
    next += count;
  }
  return absl::OkStatus();
}

}  // namespace skald::store

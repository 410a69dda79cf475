#pragma once

#include <algorithm>
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

// How many of `rows` one statement takes: few texts, so that few stay prepared.
inline size_t bulk_rows(size_t rows) {
  constexpr size_t kStep = 16;
  constexpr size_t kMost = 64;
  return rows <= kStep ? rows : std::min(rows, kMost) / kStep * kStep;
}

inline constexpr size_t kRowOverheadBytes = 256;  // what a row's numbers and lengths take in a packet, at most

// Runs the statement over all rows: few statements, each of at most a quarter of the largest packet. `bytes` tells a
// row's size, `bind` gives its parameters. A row that no packet can take is RESOURCE_EXHAUSTED before anything is sent.
template <typename Row, typename Bytes, typename Bind>
absl::Status run_bulk(Session& session, const BulkStatement& statement, const std::vector<Row>& rows,
                      const Bytes& bytes, const Bind& bind) {
  if (rows.empty()) return absl::OkStatus();
  if (auto status = session.open(); !status.ok()) return status;
  const size_t budget = session.max_packet() / 4;
  for (size_t next = 0; next < rows.size();) {
    size_t count = bulk_rows(rows.size() - next);
    size_t size = 0;
    for (size_t fitting = 0; fitting < count; ++fitting) {
      size += bytes(rows[next + fitting]) + kRowOverheadBytes;
      if (size > budget && fitting > 0) count = bulk_rows(fitting);
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

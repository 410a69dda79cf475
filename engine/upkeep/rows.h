#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/store/store.h"

namespace skald::upkeep {

// Reads pages one after the other, and gives their rows one by one.
template <typename Row>
class Rows {
 public:
  using Read = std::function<absl::StatusOr<store::Page<Row>>(const std::string& after)>;
  explicit Rows(Read read) : read_(std::move(read)) {}

  // The row that is next; null at the end. It stays the same until pop().
  absl::StatusOr<Row*> peek() {
    while (next_ == page_.rows.size()) {
      if (begun_ && page_.next.empty()) return nullptr;
      auto page = read_(page_.next);
      if (!page.ok()) return page.status();
      page_ = *std::move(page);
      next_ = 0;
      begun_ = true;
    }
    return &page_.rows[next_];
  }
  void pop() { ++next_; }

 private:
  Read read_;
  store::Page<Row> page_;
  size_t next_ = 0;
  bool begun_ = false;
};

// Calls `use(page.rows)` for each page.
template <typename Row, typename Read, typename Use>
absl::Status each_page(Read read, Use use) {
  std::string after;
  do {
    absl::StatusOr<store::Page<Row>> page = read(after);
    if (!page.ok()) return page.status();
    if (absl::Status status = use(page->rows); !status.ok()) return status;
    after = std::move(page->next);
  } while (!after.empty());
  return absl::OkStatus();
}

}  // namespace skald::upkeep

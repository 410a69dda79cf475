#include "tests/unit/store/agreement.h"

namespace skald::store {

TEST_P(Agreement, OnOutcomesRowsScansListsAndCounts) {
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    const Batch next = batch();
    std::vector<absl::StatusCode> codes;
    for (auto& store : stores_) codes.push_back(commit(*store, next).code());
    EXPECT_EQ(codes[0], codes[1]);
    expect_same_rows(key());
    const Lease slots{static_cast<int>(below(kSlots)), static_cast<int>(below(kSlots)), lease_.epoch};
    const auto limit = static_cast<size_t>(1 + below(4));
    const absl::Time until = at(below(6));
    expect_same_scan<std::pair<RunKey, absl::Time>>(
        [&](Store& store, const std::string& after, auto done) {
          store.scan_wake(slots, until, after, limit, std::move(done));
        },
        [](const auto& due) { return due.first.run_id + absl::FormatTime(due.second); });
    expect_same_scan<RunKey>([&](Store& store, const std::string& after,
                                 auto done) { store.scan_work(slots, after, limit, std::move(done)); },
                             [](const RunKey& run) { return run.run_id; });
    expect_same_scan<OutboxRow>([&](Store& store, const std::string& after,
                                    auto done) { store.scan_outbox(slots, after, limit, std::move(done)); },
                                [](const OutboxRow& row) { return row.id + row.source.run_id + row.message; });
    for (int question = 0; question < 20 && !HasFailure(); ++question) {
      SCOPED_TRACE("round " + std::to_string(round) + ", question " + std::to_string(question));
      VisibilityQuery query{below(10) == 0 ? "other" : "ns", filter(3), false};
      expect_same_list(query, static_cast<size_t>(1 + below(20)));
      query.group_by_status = below(2) == 0;
      expect_same_count(query);
    }
  }
}

}  // namespace skald::store

#include <deque>
#include <future>
#include <memory>
#include <string>

#include "engine/store/sqlite/sqlite_store.h"
#include "tests/unit/store/agreement.h"
#include "tests/unit/store/store_contract.h"
#include "tests/unit/store/throwaway_file.h"

namespace skald::store {
namespace {

std::unique_ptr<Store> temporary_store() {
  static std::deque<ThrowawayFile> files;  // they go when the process ends
  SqliteOptions options;
  options.path = files.emplace_back().path();
  auto store = open_sqlite(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(StoreFactory{"in a file", temporary_store}));
INSTANTIATE_TEST_SUITE_P(Sqlite, Agreement,
                         testing::Combine(testing::Range<uint64_t>(0, 20),
                                          testing::Values(StoreFactory{"in a file", temporary_store})));

SqliteOptions options_for(const ThrowawayFile& file) {
  SqliteOptions options;
  options.path = file.path();
  return options;
}

TEST(SqliteStore, DataAndEpochsOutliveTheProcess) {
  const ThrowawayFile file;
  int64_t epoch = 0;
  {
    auto store = open_sqlite(options_for(file));
    ASSERT_TRUE(store.ok()) << store.status();
    Batch batch;
    batch.id = "b";
    batch.lease = *(*store)->acquire(0, kSlots, "first");
    epoch = batch.lease.epoch;
    batch.runs.push_back({run_key("a"), 1, at(1), true, "state"});
    ASSERT_TRUE(commit(**store, batch).ok());
  }
  auto store = open_sqlite(options_for(file));
  ASSERT_TRUE(store.ok()) << store.status();
  const auto row =
      wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key("a"), std::move(done)); });
  ASSERT_TRUE(row.ok() && row->has_value());
  EXPECT_EQ((*row)->state, "state");
  EXPECT_GT((*store)->acquire(0, kSlots, "second")->epoch, epoch);
}

TEST(SqliteStore, AFullDiskRefusesABatchAndTakesTheNextSmallOne) {
  const ThrowawayFile file;
  SqliteOptions options = options_for(file);
  options.max_pages = 200;
  auto store = open_sqlite(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const Lease lease = *(*store)->acquire(0, kSlots, "test");
  Batch large;
  large.id = "large";
  large.lease = lease;
  large.runs.push_back({run_key("large"), 1, at(0), false, std::string(4 << 20, 'x')});
  const absl::Status full = commit(**store, large);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  const auto run = [&](const char* name) {
    return *wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key(name), std::move(done)); });
  };
  EXPECT_FALSE(run("large").has_value());
  Batch small;
  small.id = "small";
  small.lease = lease;
  small.runs.push_back({run_key("small"), 1, at(0), false, "x"});
  EXPECT_TRUE(commit(**store, small).ok());
  EXPECT_TRUE(run("small").has_value());
}

TEST(SqliteStore, AFilterBeyondTheDatabasesLimitsIsTheCallersMistake) {
  const ThrowawayFile file;
  auto store = open_sqlite(options_for(file));
  ASSERT_TRUE(store.ok()) << store.status();
  Filter filter = compare(Column::kStatus, Comparison::kEqual, {int64_t{1}});
  for (int i = 0; i < 2'000; ++i) filter = combine(Filter::Kind::kNot, {std::move(filter)});
  const VisibilityQuery query{"ns", filter, false};
  const auto page = wait_for<Page<VisibilityRow>>([&](auto done) { (*store)->list(query, 10, "", std::move(done)); });
  EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument) << page.status();
  const auto count = wait_for<std::vector<CountGroup>>([&](auto done) { (*store)->count(query, std::move(done)); });
  EXPECT_EQ(count.status().code(), absl::StatusCode::kInvalidArgument) << count.status();
}

TEST(SqliteStore, GroupsWithinAnyLimitsKeepTheOrderOfBatches) {
  for (const GroupLimits limits : {GroupLimits{1, 100, 1'000}, GroupLimits{64, 3, 1'000}, GroupLimits{64, 100, 10}}) {
    const ThrowawayFile file;
    SqliteOptions options = options_for(file);
    options.group = limits;
    auto store = open_sqlite(options);
    ASSERT_TRUE(store.ok()) << store.status();
    const Lease lease = *(*store)->acquire(0, kSlots, "test");
    std::vector<std::future<absl::Status>> answers;
    for (int i = 0; i < 20; ++i) {
      Batch next;
      next.id = std::to_string(i);
      next.lease = lease;
      next.runs.push_back({run_key("a"), 1, at(0), false, "state " + std::to_string(i)});
      next.runs.push_back({run_key("b"), 1, at(0), false, std::string(static_cast<size_t>(i), 'x')});
      auto promise = std::make_shared<std::promise<absl::Status>>();
      answers.push_back(promise->get_future());
      (*store)->commit(std::move(next), [promise](absl::Status status) { promise->set_value(std::move(status)); });
    }
    for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
    const auto row =
        wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key("a"), std::move(done)); });
    EXPECT_EQ((*row)->state, "state 19");
  }
}

}  // namespace
}  // namespace skald::store

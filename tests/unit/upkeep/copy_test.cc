#include "engine/upkeep/copy.h"

#include "engine/base/simulated.h"
#include "engine/base/thread_executor.h"
#include "engine/store/memory/memory_store.h"
#include "engine/upkeep/compare.h"
#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

class Copy : public SampleStore {
 protected:
  static std::unique_ptr<store::Store> open(const store::ThrowawayFile& file, int64_t max_pages = 0) {
    auto opened = store::open_sqlite({.path = file.path(), .max_pages = max_pages});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  absl::StatusOr<RowCounts> copy_to(store::Store& to, const CopyOptions& options = {}) {
    const auto from = open(file_);
    return copy(*from, to, clock_, options);
  }

  Report compare_with(store::Store& other) {
    const auto from = open(file_);
    auto one = from->contents({.rows = 2});
    auto two = other.contents({.rows = 3});
    auto report = compare(**one, **two, kCopyMark, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  }

  const base::SystemClock clock_;
  const store::ThrowawayFile target_;
};

TEST_F(Copy, EveryRowArrives) {
  const auto to = open(target_);
  const auto rows = copy_to(*to);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, (RowCounts{1, 1, 2, 2, 4, 2, 2}));
  EXPECT_EQ(compare_with(*to).violations(), 0u);
  auto contents = to->contents({});
  EXPECT_EQ(upkeep::check(**contents, {})->violations(), 0u);
  EXPECT_TRUE(check_whole(*to).ok());
}

TEST_F(Copy, TheKindOfStoreMakesNoDifference) {
  base::ThreadExecutor executor("copy-test", clock_);
  const auto first = open(target_);
  store::MemoryStore second(std::make_shared<store::MemoryDisk>(), executor, clock_, base::make_seeded_random(1));
  ASSERT_TRUE(copy_to(*first).ok());
  const auto rows = copy(*first, second, clock_, {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(compare_with(second).violations(), 0u);
  const store::ThrowawayFile back;
  const auto third = open(back);
  ASSERT_TRUE(copy(second, *third, clock_, {}).ok());
  EXPECT_EQ(compare_with(*third).violations(), 0u);
}

TEST_F(Copy, BatchesMayBeAsSmallAsOneRow) {
  const auto to = open(target_);
  ASSERT_TRUE(copy_to(*to, {.batch_rows = 1}).ok());
  EXPECT_EQ(compare_with(*to).violations(), 0u);
}

TEST_F(Copy, ARowLargerThanABatchHasOneOfItsOwn) {
  const auto to = open(target_);
  ASSERT_TRUE(copy_to(*to, {.batch_bytes = 1}).ok());
  EXPECT_EQ(compare_with(*to).violations(), 0u);
}

TEST_F(Copy, IsRefusedByAStoreThatHasRows) {
  const auto to = open(target_);
  ASSERT_TRUE(copy_to(*to).ok());
  const auto again = copy_to(*to);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("name one that is empty"));
}

TEST_F(Copy, IsRefusedByAStoreWithASingleSetting) {
  const auto to = open(target_);
  ASSERT_TRUE(to->put_setting("some", "value").ok());
  EXPECT_THAT(std::string(copy_to(*to).status().message()), HasSubstr("has rows in settings"));
}

TEST_F(Copy, ThatIsInterruptedIsUsedByNobody) {
  {
    // A disk that is full after a while.
    sql("UPDATE outbox SET message = zeroblob(3000000)");
    const auto to = open(target_, 200);
    const auto interrupted = copy_to(*to);
    EXPECT_EQ(interrupted.status().code(), absl::StatusCode::kResourceExhausted) << interrupted.status();
    EXPECT_THAT(std::string(interrupted.status().message()), HasSubstr("empty the store that was copied to"));
  }
  const auto to = open(target_);
  const absl::Status whole = check_whole(*to);
  EXPECT_EQ(whole.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(whole.message()), HasSubstr("a copy that was interrupted (incomplete, begun 20"));
  EXPECT_THAT(std::string(copy_to(*to).status().message()), HasSubstr("a copy that was interrupted"));
  const store::ThrowawayFile other;
  const auto further = open(other);
  EXPECT_THAT(std::string(copy(*to, *further, clock_, {}).status().message()),
              HasSubstr("a copy that was interrupted"));
}

TEST_F(Copy, IsComparedRowByRow) {
  {
    const auto to = open(target_);
    ASSERT_TRUE(copy_to(*to).ok());
  }
  sql("UPDATE runs SET status = 3 WHERE workflow_id = 'order-2'; DELETE FROM outbox WHERE id = (SELECT min(id) FROM "
      "outbox);"
      "INSERT INTO history VALUES ('ghost', 1, 1, X''); UPDATE search_attributes SET number = 41;"
      "UPDATE settings SET value = 'other'");
  const auto to = open(target_);
  const Report report = compare_with(*to);
  EXPECT_THAT(report.of(Table::kRuns).sentences, testing::ElementsAre(HasSubstr("order-2, run")));
  EXPECT_THAT(report.of(Table::kOutbox).sentences, testing::ElementsAre(HasSubstr("only the copy has this row")));
  EXPECT_THAT(report.of(Table::kHistory).sentences,
              testing::ElementsAre("run ghost, event 1: the row is missing in the copy"));
  EXPECT_THAT(report.of(Table::kVisibility).sentences, testing::ElementsAre(HasSubstr("the copy's row differs")));
  EXPECT_THAT(report.of(Table::kSettings).sentences, testing::ElementsAre("cluster_id: the copy's row differs"));
}

TEST_F(Copy, TellsHowFarItIs) {
  const auto to = open(target_);
  std::vector<Table> tables;
  CopyOptions options;
  options.progress = [&tables](Table table, uint64_t) { tables.push_back(table); };
  ASSERT_TRUE(copy_to(*to, options).ok());
  EXPECT_THAT(tables, testing::IsSupersetOf({Table::kRuns, Table::kHistory, Table::kVisibility, Table::kOutbox}));
}

}  // namespace
}  // namespace skald::upkeep

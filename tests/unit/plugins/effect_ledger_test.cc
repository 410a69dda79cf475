#include "plugins/sdk/effect_ledger.h"

#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {
namespace {

class EffectLedgerTest : public testing::Test {
 protected:
  EffectLedgerTest()
      : path_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".sqlite") {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
    reopen();
    ask({}, [](EffectStore& db) { return db.run("CREATE TABLE t (n BIGINT)"), std::string(); }).get();
  }

  void reopen() {
    ledger_.reset();
    ledger_ = std::make_unique<EffectLedger>(open_sqlite_store(path_));
  }

  std::future<std::string> ask(EffectKey key, EffectLedger::Body body) {
    auto promise = std::make_shared<std::promise<std::string>>();
    ledger_->apply(std::move(key), std::move(body), [promise](std::string outcome, std::exception_ptr error) {
      error ? promise->set_exception(error) : promise->set_value(std::move(outcome));
    });
    return promise->get_future();
  }

  static std::string add(EffectStore& db) { return db.run("INSERT INTO t VALUES (1)"), "added"; }
  int64_t count() {
    return std::stoll(
        ask({}, [](EffectStore& db) { return std::to_string(number(db.run("SELECT COUNT(*) FROM t")[0][0])); }).get());
  }

  std::string path_;
  std::unique_ptr<EffectLedger> ledger_;
};

TEST_F(EffectLedgerTest, RepeatedEffectHappensOnceAndAnswersTheSame) {
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(ask({"reserve/1", ""}, add));
  for (auto& answer : answers) EXPECT_EQ(answer.get(), "added");
  EXPECT_EQ(count(), 1);
}

TEST_F(EffectLedgerTest, OutcomeSurvivesReopening) {
  ask({"reserve/1", ""}, add).get();
  reopen();
  EXPECT_EQ(ask({"reserve/1", ""}, add).get(), "added");
  EXPECT_EQ(count(), 1);
}

TEST_F(EffectLedgerTest, FailingEffectLeavesItsNeighboursAlone) {
  auto before = ask({"a", ""}, add);
  auto wrong = ask({"b", ""}, [](EffectStore& db) -> std::string {
    add(db);
    throw std::runtime_error("no");
  });
  auto after = ask({"c", ""}, add);
  before.get();
  EXPECT_THROW(wrong.get(), std::runtime_error);
  after.get();
  EXPECT_EQ(count(), 2);
}

TEST_F(EffectLedgerTest, CompensationBeforeItsActionRefusesTheAction) {
  EXPECT_EQ(ask({"release/1", "reserve/1"}, add).get(), R"({"undone":false})");
  auto late = ask({"reserve/1", ""}, add);
  EXPECT_THROW(late.get(), ActivityError);
  EXPECT_EQ(count(), 0);
}

TEST_F(EffectLedgerTest, ActionAfterItsCompensationIsRefused) {
  ask({"reserve/1", ""}, add).get();
  ask({"release/1", "reserve/1"}, add).get();
  auto again = ask({"reserve/1", ""}, add);
  EXPECT_THROW(again.get(), ActivityError);
  EXPECT_EQ(count(), 2);
}

}  // namespace
}  // namespace skald::plugin

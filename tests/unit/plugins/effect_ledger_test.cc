#include "plugins/sdk/effect_ledger.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plugins/test_store.h"

namespace skald::plugin {
namespace {

class EffectLedgerTest : public testing::Test {
 protected:
  EffectLedgerTest()
      : data_path_(plugins::TestStore::data_path(
            testing::TempDir() + "skald-effects",
            std::string("ledger-") + testing::UnitTest::GetInstance()->current_test_info()->name())) {
    reopen();
    ask({.run = [](EffectStore& db) {
      return db.run("CREATE TABLE ours (n BIGINT)"), db.run("CREATE TABLE theirs (n BIGINT)"), std::string();
    }}).get();
  }

  void reopen() {
    ledger_.reset();
    ledger_ = std::make_unique<EffectLedger>(plugins::TestStore::open(data_path_));
  }

  // The outcome, or the failure's type.
  std::future<std::string> ask(EffectRequest request) {
    auto promise = std::make_shared<std::promise<std::string>>();
    ledger_->apply(std::move(request), [promise](std::string outcome, std::optional<ActivityFailure> failure) {
      promise->set_value(failure ? failure->type : std::move(outcome));
    });
    return promise->get_future();
  }
  std::string outcome(EffectRequest request) { return ask(std::move(request)).get(); }

  static std::string add(EffectStore& db) { return db.run("INSERT INTO ours VALUES (1)"), "added"; }
  static void add_theirs(EffectStore& db) { db.run("INSERT INTO theirs VALUES (1)"); }
  int64_t count(const std::string& table = "ours") {
    return std::stoll(ask({.run = [table](EffectStore& db) {
                        return std::to_string(number(db.run("SELECT COUNT(*) FROM " + table)[0][0]));
                      }}).get());
  }

  const std::string data_path_;
  std::unique_ptr<EffectLedger> ledger_;
};

TEST_F(EffectLedgerTest, RepeatedEffectHappensOnceAndAnswersTheSame) {
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(ask({.key = "reserve/1", .run = add}));
  for (auto& answer : answers) EXPECT_EQ(answer.get(), "added");
  EXPECT_EQ(count(), 1);
}

TEST_F(EffectLedgerTest, OutcomeSurvivesReopening) {
  ask({.key = "reserve/1", .run = add}).get();
  reopen();
  EXPECT_EQ(ask({.key = "reserve/1", .run = add}).get(), "added");
  EXPECT_EQ(count(), 1);
}

TEST_F(EffectLedgerTest, FailingEffectLeavesItsNeighboursAlone) {
  auto before = ask({.key = "a", .run = add});
  auto wrong = ask({.key = "b", .run = [](EffectStore& db) -> std::string {
                      add(db);
                      throw std::runtime_error("no");
                    }});
  auto after = ask({.key = "c", .run = add});
  before.get();
  EXPECT_EQ(wrong.get(), "std::runtime_error");
  after.get();
  EXPECT_EQ(count(), 2);
}

TEST_F(EffectLedgerTest, FailedEffectIsTriedAgain) {
  EXPECT_EQ(outcome({.key = "a", .run = [](EffectStore&) -> std::string { throw ActivityError("No", "no"); }}), "No");
  EXPECT_EQ(outcome({.key = "a", .run = add}), "added");
}

TEST_F(EffectLedgerTest, CompensationBeforeItsActionRefusesTheAction) {
  EXPECT_EQ(outcome({.key = "release/1", .undoes = "reserve/1", .run = add}), R"({"undone":false})");
  EXPECT_EQ(outcome({.key = "reserve/1", .run = add}), "AlreadyCompensated");
  EXPECT_EQ(count(), 0);
}

TEST_F(EffectLedgerTest, ActionAfterItsCompensationIsRefused) {
  outcome({.key = "reserve/1", .run = add});
  EXPECT_EQ(outcome({.key = "release/1", .undoes = "reserve/1", .run = add}), "added");
  EXPECT_EQ(outcome({.key = "reserve/1", .run = add}), "AlreadyCompensated");
  EXPECT_EQ(count(), 2);
}

TEST_F(EffectLedgerTest, FailedCompensationLeavesTheDoorOpen) {
  const auto fail = [](EffectStore&) -> std::string { throw ActivityError("No", "no"); };
  outcome({.key = "reserve/1", .run = add});
  EXPECT_EQ(outcome({.key = "release/1", .undoes = "reserve/1", .run = fail}), "No");
  EXPECT_EQ(outcome({.key = "reserve/1", .run = add}), "added");
  EXPECT_EQ(outcome({.key = "release/1", .undoes = "reserve/1", .run = add}), "added");
}

TEST_F(EffectLedgerTest, OtherContentUnderTheSameKeyIsRefused) {
  outcome({.key = "pay/1", .binding = "100", .run = add});
  EXPECT_EQ(outcome({.key = "pay/1", .binding = "100", .run = add}), "added");
  EXPECT_EQ(outcome({.key = "pay/1", .binding = "200", .run = add}), "IdempotencyConflict");
  EXPECT_EQ(count(), 1);
}

TEST_F(EffectLedgerTest, WhatThePartnerDidStaysWhenItsAnswerIsLost) {
  EXPECT_EQ(outcome({.key = "pay/1", .partner = add_theirs, .run = add, .lose_answer = true}), "AnswerLost");
  EXPECT_EQ(count("theirs"), 1);
  EXPECT_EQ(count("ours"), 0);
}

TEST_F(EffectLedgerTest, WhatThePartnerDidStaysWhenOurBooksFail) {
  EXPECT_EQ(outcome({.key = "pay/1",
                     .partner = add_theirs,
                     .run = [](EffectStore& db) -> std::string {
                       add(db);
                       throw ActivityError("No", "no");
                     }}),
            "No");
  EXPECT_EQ(count("theirs"), 1);
  EXPECT_EQ(count("ours"), 0);
}

TEST_F(EffectLedgerTest, PartnersRefusalLeavesNothing) {
  EXPECT_EQ(outcome({.key = "pay/1",
                     .partner =
                         [](EffectStore& db) {
                           add_theirs(db);
                           throw ActivityError("Declined", "no");
                         },
                     .run = add}),
            "Declined");
  EXPECT_EQ(count("theirs") + count("ours"), 0);
}

TEST_F(EffectLedgerTest, CompensationAsksThePartnerEvenWhenItsActionIsUnknown) {
  outcome({.key = "pay/1", .partner = add_theirs, .run = add, .lose_answer = true});
  EXPECT_EQ(outcome({.key = "cancel/1", .undoes = "pay/1", .partner = add_theirs, .run = add}), "added");
  EXPECT_EQ(outcome({.key = "pay/1", .partner = add_theirs, .run = add}), "AlreadyCompensated");
  EXPECT_EQ(count("theirs"), 2);
}

TEST_F(EffectLedgerTest, CompensationWhoseAnswerWasLostKeepsTheDoorClosed) {
  outcome({.key = "cancel/1", .undoes = "pay/1", .partner = add_theirs, .run = add, .lose_answer = true});
  EXPECT_EQ(outcome({.key = "pay/1", .partner = add_theirs, .run = add}), "AlreadyCompensated");
  EXPECT_EQ(outcome({.key = "cancel/1", .undoes = "pay/1", .partner = add_theirs, .run = add}), "added");
}

TEST_F(EffectLedgerTest, KeysOfDifferentPartsDiffer) {
  EXPECT_NE(effect_key({"a/b", "c"}), effect_key({"a", "b/c"}));
  EXPECT_NE(effect_key({"a%2Fb"}), effect_key({"a/b"}));
  EXPECT_NE(effect_key({"a", ""}), effect_key({"a"}));
  EXPECT_NE(effect_key({"", "a"}), effect_key({"a", ""}));
}

TEST_F(EffectLedgerTest, TablesOfAnotherVersionAreRefusedUntouched) {
  ledger_.reset();
  try {
    plugins::TestStore::open(data_path_, 2);
    FAIL() << "it was opened";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("version 1, this plugin needs 2"));
  }
}

TEST_F(EffectLedgerTest, WrongNumberOfParametersIsAnError) {
  auto wrong = ask({.run = [](EffectStore& db) { return db.run("INSERT INTO ours VALUES (?)"), std::string(); }});
  EXPECT_EQ(wrong.get(), "std::runtime_error");
}

}  // namespace
}  // namespace skald::plugin

#include "plugins/sdk/effect_ledger.h"

#include <future>
#include <set>

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

TEST_F(EffectLedgerTest, ReadsGoOnBesideTheWriters) {
  outcome({.key = "a", .run = add});
  const auto count_beside = [this] {
    return ask(
        {.run = [](EffectStore& db) { return std::to_string(number(db.run("SELECT COUNT(*) FROM ours")[0][0])); },
         .reads = true});
  };
  std::promise<void> begun, go;
  auto writing = ask({.key = "b", .run = [&](EffectStore& db) {
                        add(db);
                        begun.set_value();
                        go.get_future().wait();
                        return std::string("added");
                      }});
  begun.get_future().wait();
  EXPECT_EQ(count_beside().get(), "1") << "it waits for no writer, and sees what was committed";
  std::promise<void> reading, end;
  auto audit = ask({.run =
                        [&](EffectStore& db) {
                          const auto rows = [&db] { return number(db.run("SELECT COUNT(*) FROM ours")[0][0]); };
                          const int64_t before = rows();
                          reading.set_value();
                          end.get_future().wait();
                          return std::to_string(rows() - before);
                        },
                    .reads = true});
  reading.get_future().wait();
  go.set_value();
  EXPECT_EQ(writing.get(), "added") << "no writer waits for a read";
  EXPECT_EQ(outcome({.key = "c", .run = add}), "added");
  end.set_value();
  EXPECT_EQ(audit.get(), "0") << "the tables stand still for a read";
  EXPECT_EQ(count_beside().get(), "3") << "what was answered before is seen";
}

TEST_F(EffectLedgerTest, ReadThatWritesIsAnErrorAndWritesNothing) {
  EXPECT_EQ(outcome({.run = add, .reads = true}), "std::runtime_error");
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(outcome({.run = [](EffectStore& db) { return db.run("SELECT 1"), std::string("read"); }, .reads = true}),
            "read")
      << "the connection goes on";
}

TEST_F(EffectLedgerTest, FieldsOfAnIdDoNotMeet) {
  using Parts = std::vector<std::string>;
  const std::vector<Parts> ids = {EffectId("a/b").parts(),         EffectId({{"a", "b"}}).parts(),
                                  EffectId({{"", "a=b"}}).parts(), EffectId({{"a", ""}, {"b", ""}}).parts(),
                                  EffectId({{"a", ""}}).parts(),   EffectId({{"a", "/b="}}).parts(),
                                  EffectId("a=b").parts()};
  std::set<std::string> keys;
  for (const Parts& id : ids) keys.insert(effect_key(id));
  EXPECT_EQ(keys.size(), ids.size() - 1) << "a field without a name is a plain text";
}

TEST_F(EffectLedgerTest, BothContentsAreNamedWhenTheyDiffer) {
  std::promise<std::string> told;
  outcome({.key = "pay/1", .binding = "100 EUR", .run = add});
  ledger_->apply({.key = "pay/1", .binding = "200 EUR", .run = add},
                 [&told](const std::string&, auto failure) { told.set_value(failure->message); });
  EXPECT_THAT(told.get_future().get(), testing::AllOf(testing::HasSubstr("100 EUR"), testing::HasSubstr("200 EUR"),
                                                      testing::HasSubstr("pay/1")));
}

TEST_F(EffectLedgerTest, WhatWasDecidedStandsForLaterAttempts) {
  std::string decided;
  const auto request = [&](const std::string& decision, bool lost) {
    return EffectRequest{.key = "refund/1",
                         .decide = [decision](EffectStore&) { return decision; },
                         .partner = add_theirs,
                         .run = add,
                         .lose_answer = lost,
                         .named = [&decided](const EffectNames& names) { decided = names.decision; }};
  };
  EXPECT_EQ(outcome(request("the first payment", true)), "AnswerLost");
  reopen();
  EXPECT_EQ(outcome(request("another payment", false)), "added");
  EXPECT_EQ(decided, "the first payment");
}

TEST_F(EffectLedgerTest, WhatOurBooksRefuseAfterThePartnerActedKeepsItsDecision) {
  std::string decided;
  const auto request = [&](const std::string& decision, bool fail) {
    return EffectRequest{.key = "refund/1",
                         .decide = [decision](EffectStore&) { return decision; },
                         .partner = add_theirs,
                         .run = [fail](EffectStore& db) -> std::string {
                           add(db);
                           if (fail) throw ActivityError("No", "no");
                           return "added";
                         },
                         .named = [&decided](const EffectNames& names) { decided = names.decision; }};
  };
  EXPECT_EQ(outcome(request("the first payment", true)), "No");
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(outcome(request("another payment", false)), "added");
  EXPECT_EQ(decided, "the first payment");
  EXPECT_EQ(count(), 1);
}

// The ledger's table as its first version made it, with an effect of an open workflow in each state.
class FormerLedgerTest : public EffectLedgerTest {
 protected:
  FormerLedgerTest() {
    ask({.run = [](EffectStore& db) {
      db.run(plugins::TestStore::is_mysql ? "UPDATE plugin_schema SET version = 1" : "PRAGMA user_version=1");
      db.run("DROP TABLE effects");
      db.run("DROP TABLE effect_claims");
      db.run(
          "CREATE TABLE effects (effect_key VARCHAR(2048) NOT NULL PRIMARY KEY, state INTEGER NOT NULL, "
          "binding TEXT NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID");
      db.run("INSERT INTO effects VALUES ('default/w/pay/1', 1, '100', 'paid before')");
      db.run("INSERT INTO effects VALUES ('default/w/pay/2', 2, '100', 'paid before')");
      db.run("INSERT INTO effects VALUES ('default/w/cancel/2', 1, '', 'cancelled before')");
      return std::string();
    }}).get();
    reopen();
  }
  EffectRequest pay(const std::string& id, const std::string& workflow = "w") {
    return {.key = "/default/pay/=" + id,
            .binding = "100",
            .run = add,
            .asker = {workflow, "run of " + workflow, "run of " + workflow, 1},
            .former_key = "default/" + workflow + "/pay/" + id,
            .named = [this](const EffectNames& names) { names_ = names; }};
  }
  EffectRequest cancel(const std::string& id) {
    EffectRequest request = pay(id);
    request.key = "/default/cancel/=" + id;
    request.undoes = "/default/pay/=" + id;
    request.binding = "";
    request.former_key = "default/w/cancel/" + id;
    request.former_undoes = "default/w/pay/" + id;
    return request;
  }
  EffectNames names_;
};

TEST_F(FormerLedgerTest, RetryOfAnOpenWorkflowFindsWhatItDid) {
  EXPECT_EQ(outcome(pay("1")), "paid before");
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(outcome(pay("1")), "paid before");
}

TEST_F(FormerLedgerTest, CompensationUndoesUnderTheNameThatTheTablesHave) {
  EXPECT_EQ(outcome(cancel("1")), "added");
  EXPECT_EQ(names_.undoes, "default/w/pay/1");
  EXPECT_EQ(outcome(pay("1")), "AlreadyCompensated");
  EXPECT_EQ(outcome(cancel("1")), "added");
  EXPECT_EQ(count(), 1);
}

TEST_F(FormerLedgerTest, WhatWasCompensatedStaysSo) {
  EXPECT_EQ(outcome(pay("2")), "AlreadyCompensated");
  EXPECT_EQ(outcome(cancel("2")), "cancelled before");
  EXPECT_EQ(count(), 0);
}

TEST_F(FormerLedgerTest, OlderProgramIsRefusedAfterwards) {
  const char* const version =
      plugins::TestStore::is_mysql ? "SELECT version FROM plugin_schema" : "PRAGMA user_version";
  EXPECT_NE(outcome({.run = [version](EffectStore& db) { return std::to_string(number(db.run(version)[0][0])); }}), "1")
      << "it knows this one alone, and would not find what is done from here on";
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

#include <barrier>
#include <filesystem>

#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"
#include "tests/unit/plugins/ledger_fixture.h"

namespace skald::plugin {
namespace {

// Two ledgers on one database, as a server and a worker beside it have.
class RivalLedgersTest : public MysqlLedgerTest {
 protected:
  std::unique_ptr<EffectLedger> rival_ = open();
};

TEST_F(RivalLedgersTest, SameEffectOnBothHappensOnce) {
  std::vector<std::future<Answer>> answers;
  for (int64_t n = 0; n < 500; ++n) {
    for (EffectLedger* ledger : {ledger_.get(), rival_.get()}) answers.push_back(ask(*ledger, add(n)));
  }
  for (auto& answer : answers) EXPECT_EQ(outcome(answer.get()), "added");
  EXPECT_EQ(rows(), 500);
}

TEST_F(RivalLedgersTest, ActionAndCompensationOnBothAgree) {
  std::vector<std::future<Answer>> actions, compensations;
  for (int64_t n = 0; n < 200; ++n) {
    actions.push_back(ask(*ledger_, add(n)));
    compensations.push_back(
        ask(*rival_,
            {.key = "remove/" + std::to_string(n), .undoes = "add/" + std::to_string(n), .run = [n](EffectStore& db) {
               return db.run("DELETE FROM ours WHERE n = ?", {n}), std::string("removed");
             }}));
  }
  for (size_t n = 0; n < actions.size(); ++n) {
    const std::string action = outcome(actions[n].get()), compensation = outcome(compensations[n].get());
    if (compensation == "removed") {
      EXPECT_EQ(action, "added");
    } else {
      EXPECT_EQ(compensation, R"({"undone":false})");
      EXPECT_EQ(action, "AlreadyCompensated");
    }
  }
  EXPECT_EQ(rows(), 0);
}

TEST_F(RivalLedgersTest, DeadlockHasOneOfThemApplyItsBatchAgain) {
  outcome(add(1));
  outcome(add(2));
  std::barrier both(2);
  std::atomic<int> calls = 0;
  const auto touch = [&](const std::string& key, int64_t first, int64_t second) -> EffectRequest {
    auto met = std::make_shared<bool>(false);
    return {.key = key, .run = [&, met, first, second](EffectStore& db) {
              ++calls;
              db.run("SELECT note FROM ours WHERE n = ? FOR UPDATE", {first});
              if (!*met) *met = true, both.arrive_and_wait();
              db.run("SELECT note FROM ours WHERE n = ? FOR UPDATE", {second});
              return std::string("done");
            }};
  };
  auto one = ask(*ledger_, touch("x", 1, 2)), other = ask(*rival_, touch("y", 2, 1));
  EXPECT_EQ(outcome(one.get()), "done");
  EXPECT_EQ(outcome(other.get()), "done");
  EXPECT_EQ(calls, 3);
}

TEST_F(RivalLedgersTest, BatchCostsFewStatements) {
  const auto questions = [] {
    return std::stoll(text(plugins::TestMysql::run("SHOW GLOBAL STATUS LIKE 'Questions'").rows[0][1]));
  };
  const int64_t at_first = questions();
  const int64_t alone = questions() - at_first;  // what asking costs
  std::vector<EffectRequest> requests;
  for (int64_t n = 0; n < 200; ++n) requests.push_back(add(n));
  std::vector<std::future<Answer>> answers;
  const int64_t before = questions();
  for (auto& answer : together(std::move(requests))) answer.get();
  // The batch before it: nothing. This one: its keys, the rows, the records, COMMIT.
  EXPECT_LE(questions() - before - alone, 4);
}

TEST_F(RivalLedgersTest, CountOfAnUpdateIsItsOwn) {
  for (int64_t n = 0; n < 3; ++n) outcome(add(n));
  std::vector<EffectRequest> requests;
  for (int64_t n = 0; n < 5; ++n) {
    requests.push_back({.key = "count/" + std::to_string(n), .run = [n](EffectStore& db) {
                          db.run("UPDATE ours SET note = 'a' WHERE n = ?", {n});
                          db.run("UPDATE ours SET note = 'b' WHERE n = ?", {n});
                          return std::to_string(db.changed());
                        }});
  }
  std::string counts;
  for (auto& answer : together(std::move(requests))) counts += outcome(answer.get());
  EXPECT_EQ(counts, "11100");
  EXPECT_EQ(plugins::TestMysql::number("SELECT COUNT(*) FROM " + login_.database + ".ours WHERE note = 'b'"), 3);
}

TEST_F(RivalLedgersTest, StatementsOfOneEffectKeepTheirOrder) {
  auto answers = together({{.key = "order", .run = [](EffectStore& db) {
                              db.run("UPDATE ours SET note = 'early' WHERE n = ?", {int64_t{1}});
                              db.run("INSERT INTO ours (n, note) VALUES (1, 'made')");
                              db.run("INSERT INTO ours (n, note) VALUES (2, 'made')");
                              db.run("UPDATE ours SET note = 'late' WHERE n = ?", {int64_t{2}});
                              const auto rows = db.run("SELECT note FROM ours WHERE n < 3 ORDER BY n");
                              return text(rows[0][0]) + " " + text(rows[1][0]);
                            }}});
  EXPECT_EQ(outcome(answers[0].get()), "made late");
}

}  // namespace
}  // namespace skald::plugin

namespace skald::plugins {
namespace {

// Two hosts with copies of one plugin, on one database.
class RivalHostsTest : public HostTest {
 protected:
  void load_both(const std::string& plugin) {
    load_product(plugin);
    const std::string other = folder_ + "/other";
    std::filesystem::create_directories(other);
    std::filesystem::copy_file(folder_ + "/" + plugin + ".so", other + "/" + plugin + ".so");
    auto given = options();
    given.folder = other;
    rival_ = *PluginHost::load(std::move(given));
  }
  ~RivalHostsTest() override { rival_.reset(); }

  // On either host, in turns.
  std::future<Outcome> start_somewhere(const Task& task) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    (++turn_ % 2 == 0 ? host_ : rival_)
        ->execute(
            poll_response(task), [](auto, auto) {},
            [promise](auto outcome) { promise->set_value(std::move(outcome)); });
    return promise->get_future();
  }

  std::unique_ptr<PluginHost> rival_;
  int turn_ = 0;
};

TEST_F(RivalHostsTest, StockIsNeverSoldTwice) {
  load_both("inventory");
  run({"inventory.load_stock", {{"items", {{{"sku", "A"}, {"quantity", 60}}, {{"sku", "B"}, {"quantity", 50}}}}}});
  const json a = {{"sku", "A"}, {"quantity", 1}}, b = {{"sku", "B"}, {"quantity", 1}};
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < 200; ++i) {
    const json items = i % 4 < 2 ? json{a, b} : json{b, a};
    answers.push_back(start_somewhere({.type = "inventory.reserve",
                                       .input = {{"order_id", std::to_string(i)}, {"items", items}},
                                       .workflow = std::to_string(i)}));
  }
  int sold = 0;
  for (auto& answer : answers) {
    const std::string problem = error(answer.get());
    sold += problem.empty() ? 1 : 0;
    EXPECT_TRUE(problem.empty() || problem == "OutOfStock") << problem;
  }
  EXPECT_EQ(sold, 50);
  std::vector<std::future<Outcome>> ends;
  for (int i = 0; i < 200; ++i) {
    ends.push_back(start_somewhere({.type = i % 3 == 0 ? "inventory.release" : "inventory.confirm",
                                    .input = {{"order_id", std::to_string(i)}},
                                    .workflow = std::to_string(i)}));
  }
  for (auto& end : ends) end.get();
  const json books = result({"inventory.audit"});
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_EQ(books["reserved"], 0);
}

TEST_F(RivalHostsTest, MoreIsNeverCapturedThanWasAuthorised) {
  load_both("payment");
  run({"payment.authorize", {{"order_id", "1"}, {"amount", 100}, {"currency", "GBP"}}});
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < 60; ++i) {
    answers.push_back(
        start_somewhere({"payment.capture", {{"order_id", "1"}, {"amount", 3}, {"capture_id", std::to_string(i)}}}));
  }
  int captured = 0;
  for (auto& answer : answers) {
    const std::string problem = error(answer.get());
    captured += problem.empty() ? 3 : 0;
    EXPECT_TRUE(problem.empty() || problem == "CaptureRefused") << problem;
  }
  EXPECT_EQ(captured, 99);
  const json books = result({"payment.audit"});
  EXPECT_EQ(pounds(books, "captured"), 99);
  EXPECT_EQ(books["balanced"], true) << books;
}

// The partner's answer to the charge is lost while another process already undoes it.
TEST_F(RivalHostsTest, MoneyTakenUnheardIsGivenBackByTheOther) {
  load_both("payment");
  std::vector<std::future<Outcome>> answers;
  const auto task = [](const std::string& type, int i, bool lost) -> Task {
    const std::string id = std::to_string(i);
    json input = {{"order_id", id}, {"amount", 10}, {"currency", "GBP"}};
    if (lost) input["sandbox"] = {{"pay", "lose_answer"}};
    return {.type = type, .input = input, .attempt = lost ? 1 : 2, .workflow = id};
  };
  for (int i = 0; i < 150; ++i) {
    answers.push_back(start_somewhere(task("payment.charge", i, true)));
    answers.push_back(start_somewhere(task("payment.cancel", i, false)));
  }
  for (auto& answer : answers) answer.get();
  for (int i = 0; i < 150; ++i) {
    run(task("payment.charge", i, false));
    EXPECT_EQ(error(task("payment.cancel", i, false)), "");
  }
  const json books = result({"payment.audit"});
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_EQ(pounds(books, "captured"), pounds(books, "refunded")) << books;
}

}  // namespace
}  // namespace skald::plugins

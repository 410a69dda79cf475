#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "plugins/sdk/effect_ledger.h"
#include "tests/unit/plugins/mysql_test_store.h"
#include "tests/unit/plugins/test_store.h"

namespace skald::plugin {

// A ledger over a database of the test's own, and effects that each leave a row.
class MysqlLedgerTest : public testing::Test {
 protected:
  using Answer = std::pair<std::string, std::optional<ActivityFailure>>;

  MysqlLedgerTest()
      : data_path_(plugins::TestStore::data_path("", testing::UnitTest::GetInstance()->current_test_info()->name())) {
    const auto json = nlohmann::json::parse(data_path_.substr(data_path_.find(':') + 1));
    login_ = plugins::TestMysql::login(json["database"].get<std::string>() + "_test");
    ledger_ = open();
    outcome({.run = [](EffectStore& db) {
      return db.run("CREATE TABLE ours (n BIGINT PRIMARY KEY, note VARCHAR(2000))"), std::string();
    }});
  }

  std::unique_ptr<EffectLedger> open() const { return std::make_unique<EffectLedger>(open_mysql_store(login_)); }

  static std::future<Answer> ask(EffectLedger& ledger, EffectRequest request) {
    auto promise = std::make_shared<std::promise<Answer>>();
    ledger.apply(std::move(request), [promise](std::string outcome, std::optional<ActivityFailure> failure) {
      promise->set_value({std::move(outcome), std::move(failure)});
    });
    return promise->get_future();
  }
  Answer answer(EffectRequest request) { return ask(*ledger_, std::move(request)).get(); }
  // The outcome, or the failure's type.
  static std::string outcome(const Answer& answer) { return answer.second ? answer.second->type : answer.first; }
  std::string outcome(EffectRequest request) { return outcome(answer(std::move(request))); }

  static EffectRequest add(int64_t n) {
    return {.key = "add/" + std::to_string(n), .run = [n](EffectStore& db) {
              return db.run("INSERT INTO ours (n, note) VALUES (?, '')", {n}), std::string("added");
            }};
  }
  // Has the ledger take these as one batch: they gather behind one that waits.
  std::vector<std::future<Answer>> together(std::vector<EffectRequest> requests) {
    std::promise<void> begun, go;
    auto first = ask(*ledger_, {.run = [&](EffectStore&) {
      begun.set_value();
      go.get_future().wait();
      return std::string();
    }});
    begun.get_future().wait();
    std::vector<std::future<Answer>> answers;
    for (EffectRequest& request : requests) answers.push_back(ask(*ledger_, std::move(request)));
    go.set_value();
    first.get();
    return answers;
  }
  int64_t rows() const { return plugins::TestMysql::number("SELECT COUNT(*) FROM " + login_.database + ".ours"); }
  // Ends the ledgers' connections; returns how many there were.
  size_t kill_connections() const {
    const auto found =
        plugins::TestMysql::run("SELECT id FROM information_schema.processlist WHERE db = '" + login_.database + "'");
    for (const Row& row : found.rows) plugins::TestMysql::run("KILL " + std::to_string(number(row[0])));
    return found.rows.size();
  }

  const std::string data_path_;
  MysqlLogin login_;
  std::unique_ptr<EffectLedger> ledger_;
};

}  // namespace skald::plugin

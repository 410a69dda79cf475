#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>

#include "plugins/host/plugin_host.h"
#include "tests/unit/plugins/ledger_fixture.h"

namespace skald::plugin {
namespace {

using plugins::TestMysql;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MysqlFaultsTest : public MysqlLedgerTest {
 protected:
  static void start_server(const std::vector<std::string>& options = {}) {
    const auto status = TestMysql::server().start(options);
    ASSERT_TRUE(status.ok()) << status;
  }
  // A failure that is tried again and says why, without the password.
  void expect_unavailable(const Answer& answer, const std::string& why) {
    ASSERT_TRUE(answer.second.has_value()) << answer.first;
    EXPECT_EQ(answer.second->type, "DatabaseUnavailable");
    EXPECT_FALSE(answer.second->non_retryable);
    EXPECT_THAT(answer.second->message, AllOf(HasSubstr(why), Not(HasSubstr(login_.password))));
  }
  static std::string thrown(const MysqlLogin& login) {
    try {
      open_mysql_store(login);
    } catch (const std::exception& e) {
      return e.what();
    }
    return "";
  }
};

TEST_F(MysqlFaultsTest, KilledConnectionIsMadeAgainUnnoticed) {
  EXPECT_EQ(outcome(add(1)), "added");
  EXPECT_EQ(kill_connections(), 1u);
  EXPECT_EQ(outcome(add(2)), "added");
  EXPECT_EQ(outcome(add(1)), "added");
  EXPECT_EQ(rows(), 2);
}

TEST_F(MysqlFaultsTest, ConnectionKilledInTheMiddleOfABatchLeavesEachEffectDoneOnce) {
  int calls = 0;
  auto answers = together({add(1),
                           {.key = "kill",
                            .run =
                                [&](EffectStore& db) {
                                  db.run("UPDATE ours SET note = 'seen' WHERE n = 1");
                                  if (++calls == 1) kill_connections();
                                  db.run("INSERT INTO ours (n, note) VALUES (2, '')");
                                  db.run("UPDATE ours SET note = 'seen' WHERE n = 2");
                                  return std::string("added");
                                }},
                           add(3)});
  for (auto& answer : answers) EXPECT_EQ(outcome(answer.get()), "added");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(rows(), 3);
}

TEST_F(MysqlFaultsTest, ServerThatIsAwayFailsAttemptsAndIsFoundAgainWhenItIsBack) {
  EXPECT_EQ(outcome(add(1)), "added");
  TestMysql::server().kill();
  expect_unavailable(answer(add(2)), "cannot use MySQL at skald@127.0.0.1:");
  start_server();
  EXPECT_EQ(outcome(add(2)), "added");
  EXPECT_EQ(outcome(add(1)), "added");
  EXPECT_EQ(rows(), 2);
}

TEST_F(MysqlFaultsTest, ServerStoppedInAnOrderlyWayIsFoundAgain) {
  EXPECT_EQ(outcome(add(1)), "added");
  ASSERT_TRUE(TestMysql::server().stop().ok());
  start_server();
  EXPECT_EQ(outcome(add(2)), "added");
  EXPECT_EQ(rows(), 2);
}

TEST_F(MysqlFaultsTest, ServerKilledInTheMiddleOfABatchLeavesNothingHalfDone) {
  auto answers = together({add(1),
                           {.key = "kill",
                            .run =
                                [&](EffectStore& db) {
                                  db.run("UPDATE ours SET note = 'seen' WHERE n = 1");
                                  TestMysql::server().kill();
                                  db.run("UPDATE ours SET note = 'seen' WHERE n = 1");
                                  return std::string("added");
                                }},
                           add(2)});
  for (auto& answer : answers) expect_unavailable(answer.get(), "cannot use MySQL at");
  start_server();
  EXPECT_EQ(rows(), 0);
  EXPECT_EQ(outcome(add(1)), "added");
  EXPECT_EQ(outcome(add(2)), "added");
  EXPECT_EQ(rows(), 2);
}

// Some of the kills meet a COMMIT whose outcome nobody hears.
TEST_F(MysqlFaultsTest, EffectsUnderRepeatedKillsHappenOnceEach) {
  constexpr int64_t kEffects = 4000;
  std::atomic<int64_t> done = 0;
  std::thread saga([&] {
    for (int64_t begin = 0; begin < kEffects; begin += 20) {
      for (bool again = true; again;) {
        std::vector<std::future<Answer>> answers;
        for (int64_t n = begin; n < begin + 20; ++n) answers.push_back(ask(*ledger_, add(n)));
        again = false;
        for (auto& answer : answers) again = outcome(answer.get()) != "added" || again;
      }
      done = begin + 20;
    }
  });
  for (int64_t round = 1; round <= 3; ++round) {
    while (done < round * kEffects / 4) std::this_thread::yield();
    TestMysql::server().kill();
    start_server();
  }
  saga.join();
  EXPECT_EQ(rows(), kEffects);
  EXPECT_EQ(TestMysql::number("SELECT COUNT(*) FROM " + login_.database + ".effects"), kEffects);
}

TEST_F(MysqlFaultsTest, ReadOnlyServerFailsAttemptsUntilItTakesWritesAgain) {
  TestMysql::run("CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'plainpassword'");
  TestMysql::run("GRANT ALL ON `" + login_.database + "`.* TO plain@'%'");
  login_.user = "plain";
  login_.password = "plainpassword";
  ledger_ = open();
  TestMysql::run("SET GLOBAL read_only = 1");
  expect_unavailable(answer(add(1)), "read-only");
  TestMysql::run("SET GLOBAL read_only = 0");
  EXPECT_EQ(outcome(add(1)), "added");
  EXPECT_EQ(rows(), 1);
}

TEST_F(MysqlFaultsTest, TooManyConnectionsFailAttemptsUntilOneIsFree) {
  const int64_t most = TestMysql::number("SELECT @@max_connections");
  TestMysql::run("CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'plainpassword'");
  TestMysql::run("GRANT ALL ON `" + login_.database + "`.* TO plain@'%'");
  login_.user = "plain";
  login_.password = "plainpassword";
  ledger_ = open();
  TestMysql::run("SET GLOBAL max_connections = 10");
  kill_connections();
  std::vector<std::unique_ptr<MysqlSession>> others;
  for (bool full = false; !full;) {
    others.push_back(std::make_unique<MysqlSession>(login_));
    try {
      others.back()->connect();
    } catch (const ActivityError&) {
      full = true;
    }
  }
  expect_unavailable(answer(add(1)), "Too many connections");
  others.clear();
  while (outcome(add(1)) != "added") std::this_thread::yield();  // the server closes them in its own time
  EXPECT_EQ(rows(), 1);
  TestMysql::run("SET GLOBAL max_connections = " + std::to_string(most));
}

TEST_F(MysqlFaultsTest, StatementAboveTheServersLimitFailsAloneAndForGood) {
  TestMysql::run("SET GLOBAL max_allowed_packet = 1048576");
  ledger_ = open();
  auto answers = together({add(1),
                           {.key = "long",
                            .run =
                                [](EffectStore& db) {
                                  db.run("INSERT INTO ours (n, note) VALUES (2, ?)", {std::string(1 << 20, 'x')});
                                  return std::string("added");
                                }},
                           add(3)});
  TestMysql::run("SET GLOBAL max_allowed_packet = 16777216");
  EXPECT_EQ(outcome(answers[0].get()), "added");
  const auto failed = answers[1].get().second;
  ASSERT_TRUE(failed.has_value());
  EXPECT_TRUE(failed->non_retryable);
  EXPECT_THAT(failed->message, HasSubstr("max_allowed_packet = 1048576"));
  EXPECT_EQ(outcome(answers[2].get()), "added");
  EXPECT_EQ(rows(), 2);
}

// A server of its own whose tables lie in files that do not grow.
TEST_F(MysqlFaultsTest, FullDiskFailsAttemptsUntilThereIsRoom) {
  const std::vector<std::string> small = {"--innodb-file-per-table=0",
                                          "--innodb-data-file-path=ibdata1:12M;ibdata2:12M"};
  const std::vector<std::string> larger = {"--innodb-file-per-table=0",
                                           "--innodb-data-file-path=ibdata1:12M;ibdata2:12M;ibdata3:12M"};
  samples::PrivateMariadb server;
  ASSERT_TRUE(server.start(small).ok());
  login_.port = server.address().port;
  login_.password = server.address().password;
  ledger_ = open();
  outcome({.run = [](EffectStore& db) {
    return db.run("CREATE TABLE pages (n BIGINT PRIMARY KEY, page TEXT)"), std::string();
  }});
  const auto fill = [](int64_t n) -> EffectRequest {
    return {.key = "fill/" + std::to_string(n), .run = [n](EffectStore& db) {
              db.run("INSERT INTO pages (n, page) VALUES (?, ?)", {n, std::string(500000, 'x')});
              return std::string("added");
            }};
  };
  int64_t n = 0;
  Answer last = answer(fill(n));
  while (n < 100 && !last.second) last = answer(fill(++n));
  expect_unavailable(last, "is full");
  EXPECT_EQ(outcome(fill(0)), "added") << "what is on record answers";
  ASSERT_TRUE(server.stop().ok());
  ASSERT_TRUE(server.start(larger).ok());
  EXPECT_EQ(outcome(fill(n)), "added");
  EXPECT_EQ(
      outcome(
          {.run = [](EffectStore& db) { return std::to_string(number(db.run("SELECT COUNT(*) FROM pages")[0][0])); }}),
      std::to_string(n + 1));
  ledger_.reset();
}

TEST_F(MysqlFaultsTest, LockThatIsNotGivenUpInTimeHasTheBatchApliedAgain) {
  outcome(add(1));
  MysqlSession other(login_);
  other.connect();
  other.execute("UPDATE ours SET note = 'theirs' WHERE n = 1");
  int calls = 0;
  EXPECT_EQ(outcome({.key = "wait",
                     .run =
                         [&](EffectStore& db) {
                           if (++calls == 2) other.drop();
                           db.run("UPDATE ours SET note = 'ours' WHERE n = 1");
                           return std::string("done");
                         }}),
            "done");
  EXPECT_EQ(calls, 2);
}

TEST_F(MysqlFaultsTest, RefusalOfARowIsItsEffectsOwn) {
  outcome(add(7));
  auto twice = add(7);
  twice.key = "twice";
  auto answers = together({add(1), std::move(twice), add(2)});
  EXPECT_EQ(outcome(answers[0].get()), "added");
  const auto refused = answers[1].get().second;
  ASSERT_TRUE(refused.has_value());
  EXPECT_THAT(refused->message, HasSubstr("Duplicate entry"));
  EXPECT_EQ(outcome(answers[2].get()), "added");
  EXPECT_EQ(rows(), 3);
}

TEST_F(MysqlFaultsTest, AuthorWhoSwallowsALostConnectionHasHisEffectAppliedAgain) {
  int calls = 0;
  EXPECT_EQ(outcome({.key = "swallow",
                     .run =
                         [&](EffectStore& db) {
                           if (++calls == 1) kill_connections();
                           try {
                             db.run("UPDATE ours SET note = '' WHERE n = 1");
                           } catch (...) {
                           }
                           db.run("INSERT INTO ours (n, note) VALUES (1, '')");
                           return std::string("added");
                         }}),
            "added");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(rows(), 1);
}

TEST_F(MysqlFaultsTest, StoreThatCannotBeOpenedSaysWhyWithoutThePassword) {
  MysqlLogin wrong = login_;
  wrong.password = "guessed-password";
  EXPECT_THAT(thrown(wrong), AllOf(HasSubstr("Access denied for user 'skald'"), Not(HasSubstr("guessed"))));
  wrong.port = 1;
  EXPECT_THAT(thrown(wrong), AllOf(HasSubstr("cannot use MySQL at skald@127.0.0.1:1/"), Not(HasSubstr("guessed"))));
  MysqlLogin tls = login_;
  tls.tls = true;
  EXPECT_THAT(thrown(tls), HasSubstr("TLS"));
  TestMysql::run("CREATE DATABASE IF NOT EXISTS other_tables");
  TestMysql::run("CREATE TABLE IF NOT EXISTS other_tables.t (n INT)");
  MysqlLogin others = login_;
  others.database = "other_tables";
  EXPECT_THAT(thrown(others), HasSubstr("holds tables that no plugin made"));
}

TEST_F(MysqlFaultsTest, ConnectionIsEncryptedAndTheServerCheckedIfAskedFor) {
  const std::string folder = testing::TempDir() + "skald-tls-";
  const auto certificate = [&](const std::string& name) {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        "-keyout " +
        folder + name + ".key -out " + folder + name + ".pem >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  };
  ASSERT_TRUE(certificate("server") && certificate("stranger"));
  ASSERT_TRUE(TestMysql::server().stop().ok());
  start_server({"--ssl-cert=" + folder + "server.pem", "--ssl-key=" + folder + "server.key"});
  MysqlLogin tls = login_;
  tls.tls = true;
  EXPECT_EQ(thrown(tls), "");
  tls.tls_ca = folder + "server.pem";
  EXPECT_EQ(thrown(tls), "");
  tls.tls_ca = folder + "stranger.pem";
  EXPECT_THAT(thrown(tls), HasSubstr("certificate"));
  ASSERT_TRUE(TestMysql::server().stop().ok());
  start_server();
}

TEST_F(MysqlFaultsTest, UserWhoMayNotMakeTheDatabaseIsToldWhatToAskFor) {
  TestMysql::run("CREATE OR REPLACE USER outsider@'%' IDENTIFIED BY 'outsiderpassword'");
  MysqlLogin outsider = login_;
  outsider.user = "outsider";
  outsider.password = "outsiderpassword";
  EXPECT_THAT(thrown(outsider), HasSubstr("GRANT ALL ON `" + login_.database + "`.* TO the user"));
}

TEST_F(MysqlFaultsTest, PluginWhoseDatabaseIsAwayDoesNotStart) {
  const std::string folder = testing::TempDir() + "skald-away";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(PLUGINS_FOLDER "/payment.so", folder + "/payment.so");
  login_.port = 1;
  auto host = plugins::PluginHost::load({.folder = folder, .data_path = TestMysql::data_path(login_)});
  ASSERT_TRUE(host.ok());
  EXPECT_THAT(
      (*host)->problems(),
      testing::ElementsAre(AllOf(HasSubstr("plugin payment did not start: cannot use MySQL at skald@127.0.0.1:1/"),
                                 Not(HasSubstr(login_.password)))));
  auto nonsense = plugins::PluginHost::load({.folder = folder, .data_path = "mysql:{\"password\": secret"});
  EXPECT_THAT((*nonsense)->problems(), testing::ElementsAre(AllOf(HasSubstr("is not JSON"), Not(HasSubstr("secret")))));
  std::filesystem::remove_all(folder);
}

TEST_F(MysqlFaultsTest, KeysDifferByEveryByte) {
  const auto keyed = [](const std::string& key) -> EffectRequest {
    return {.key = key, .run = [key](EffectStore&) { return key; }};
  };
  const std::vector<std::string> keys = {"a", "a ", "A", "\xc3\xa4", "a\t", "a\\", "a'", std::string(2048, 'x')};
  for (const std::string& key : keys) EXPECT_EQ(outcome(keyed(key)), key);
  for (const std::string& key : keys) EXPECT_EQ(outcome(keyed(key)), key) << "from the record";
  const auto failed = answer(keyed(std::string(2049, 'x'))).second;
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->type, "InvalidInput");
  EXPECT_TRUE(failed->non_retryable);
}

}  // namespace
}  // namespace skald::plugin

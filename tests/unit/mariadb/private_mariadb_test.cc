#include "samples/mariadb/private_mariadb.h"

#include <filesystem>
#include <fstream>
#include <memory>

#include <cppconn/exception.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mysql_driver.h>
#include <signal.h>

namespace skald::samples {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Client {
 public:
  explicit Client(const MariadbAddress& address)
      : connection_(sql::mysql::get_driver_instance()->connect(
            "tcp://" + address.host + ":" + std::to_string(address.port), address.user, address.password)) {}
  void run(const std::string& text) { statement()->execute(text); }
  std::string ask(const std::string& text) {
    const auto asked = statement();
    const std::unique_ptr<sql::ResultSet> rows(asked->executeQuery(text));
    return rows->next() ? std::string(rows->getString(1)) : "nothing";
  }

 private:
  std::unique_ptr<sql::Statement> statement() {
    return std::unique_ptr<sql::Statement>(connection_->createStatement());
  }
  std::unique_ptr<sql::Connection> connection_;
};

TEST(PrivateMariadb, AnswersItsUserAlone) {
  PrivateMariadb mariadb;
  ASSERT_TRUE(mariadb.start().ok());
  EXPECT_EQ(Client(mariadb.address()).ask("SELECT CURRENT_USER()"), "skald@127.0.0.1");
  MariadbAddress stranger = mariadb.address();
  stranger.password = "guessed";
  EXPECT_THROW(Client{stranger}, sql::SQLException);
  stranger.user = "root";
  stranger.password = "";
  EXPECT_THROW(Client{stranger}, sql::SQLException);
}

TEST(PrivateMariadb, IsAsDurableAsInProductionAndReadsNoOptionFile) {
  PrivateMariadb mariadb;
  ASSERT_TRUE(mariadb.start({"--max-connections=21"}).ok());
  Client client(mariadb.address());
  EXPECT_EQ(client.ask("SELECT @@innodb_flush_log_at_trx_commit"), "1");
  EXPECT_EQ(client.ask("SELECT @@log_bin"), "0");
  EXPECT_EQ(client.ask("SELECT @@max_connections"), "21");
  EXPECT_THAT(client.ask("SELECT @@datadir"), StartsWith(mariadb.folder()));
  EXPECT_TRUE(std::filesystem::exists(mariadb.folder() + "/data/mariadbd.sock"))
      << "not where a system's server has it";
}

TEST(PrivateMariadb, KeepsWhatWasCommittedOverACrashAndItsPort) {
  PrivateMariadb mariadb;
  ASSERT_TRUE(mariadb.start().ok());
  const uint16_t port = mariadb.address().port;
  {
    Client client(mariadb.address());
    client.run("CREATE DATABASE kept");
    client.run("CREATE TABLE kept.words (word VARCHAR(20)) ENGINE=InnoDB");
    client.run("INSERT INTO kept.words VALUES ('still here')");
  }
  mariadb.kill();
  EXPECT_FALSE(mariadb.running());
  EXPECT_THROW(Client{mariadb.address()}, sql::SQLException);
  ASSERT_TRUE(mariadb.start().ok());
  EXPECT_EQ(mariadb.address().port, port);
  EXPECT_EQ(Client(mariadb.address()).ask("SELECT word FROM kept.words"), "still here");
  ASSERT_TRUE(mariadb.stop().ok());
  ASSERT_TRUE(mariadb.start().ok());
  EXPECT_EQ(Client(mariadb.address()).ask("SELECT word FROM kept.words"), "still here");
}

TEST(PrivateMariadb, StopsInOrderWhenPaused) {
  PrivateMariadb mariadb;
  ASSERT_TRUE(mariadb.start().ok());
  ::kill(mariadb.pid(), SIGSTOP);
  EXPECT_TRUE(mariadb.stop().ok());
  EXPECT_EQ(mariadb.pid(), -1);
}

TEST(PrivateMariadb, TellsTheServersWordsIfItDoesNotStart) {
  PrivateMariadb mariadb;
  const absl::Status status = mariadb.start({"--no-such-option"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("unknown option '--no-such-option'"));
  EXPECT_TRUE(mariadb.start().ok()) << "the next start may do better";
}

TEST(PrivateMariadb, LeavesNothingBehind) {
  std::string folder;
  {
    PrivateMariadb mariadb;
    ASSERT_TRUE(mariadb.start().ok());
    folder = mariadb.folder();
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(PrivateMariadb, RefusesAFolderWithSomethingInItAndLeavesItAlone) {
  const std::string folder = testing::TempDir() + "/private-mariadb-full";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/letter") << "dear";
  {
    PrivateMariadb mariadb(folder);
    EXPECT_THAT(std::string(mariadb.start().message()), HasSubstr("is not empty"));
  }
  EXPECT_TRUE(std::filesystem::exists(folder + "/letter"));
  std::filesystem::remove_all(folder);
}

TEST(MariadbAddress, IsToldAsAUrlWithAndWithoutThePassword) {
  const MariadbAddress address{.port = 4000, .password = "secret"};
  EXPECT_EQ(address.url("orders"), "mysql://skald:secret@127.0.0.1:4000/orders");
  EXPECT_EQ(address.url(), "mysql://skald:secret@127.0.0.1:4000");
  EXPECT_EQ(address.url_without_password("orders"), "mysql://skald@127.0.0.1:4000/orders");
}

}  // namespace
}  // namespace skald::samples

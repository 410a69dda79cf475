#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/mysql/mysql_store.h"
#include "engine/store/mysql/session.h"
#include "tests/unit/store/mysql_environment.h"
#include "tests/unit/store/store_contract.h"

// What the fault tests of the MySQL store share.
namespace skald::store {

// Waits until it is true. Fails the test if that takes half a minute.
void await(const std::string& what, const std::function<bool()>& condition);

// A connection of the test's own to the server of the options, outside of any database.
class Witness {
 public:
  explicit Witness(const MysqlOptions& options, bool autocommit = true);

  void run(const std::string& sql);
  int64_t number(const std::string& sql);
  std::string text(const std::string& sql);
  int64_t status(const std::string& name);  // a global status counter
  void commit() { ASSERT_EQ(session_.commit(), absl::OkStatus()); }

 private:
  static MysqlAddress server_of(MysqlAddress address);
  Session session_;
};

// What a store's watcher heard.
class Heard {
 public:
  Watcher watcher();
  std::vector<absl::StatusCode> codes() const;
  bool has(absl::StatusCode code) const;

 private:
  struct News {
    std::mutex mutex;
    std::vector<absl::StatusCode> codes;
  };
  std::shared_ptr<News> news_ = std::make_shared<News>();
};

// A server that is the test's alone: a first base of its fixture.
struct OwnServer {
  explicit OwnServer(const std::vector<std::string>& server_options = {}) { start(server_options); }
  void start(const std::vector<std::string>& server_options = {});

  samples::PrivateMariadb server_;
};

// A global variable of a server, changed as long as this lives.
class GlobalVariable {
 public:
  GlobalVariable(const MysqlOptions& options, std::string name, int64_t value);
  ~GlobalVariable();
  GlobalVariable(const GlobalVariable&) = delete;
  GlobalVariable& operator=(const GlobalVariable&) = delete;

 private:
  Witness witness_;
  const std::string name_;
  int64_t before_ = 0;
};

// A new user who may do to the database of the options what a store needs, and nothing else.
MysqlOptions as_plain_user(MysqlOptions options);

// Tests that open stores on a database of their own, and look at it with a witness. The store's connections are those
// within the database.
class MysqlFault : public testing::Test {
 protected:
  MysqlFault() : MysqlFault(fresh_database(shared_mariadb())) {}
  explicit MysqlFault(MysqlOptions options) : options_(std::move(options)) {}

  // Opens the store and takes all slots.
  void open();
  void open(const MysqlOptions& options);

  // One of everything for the run: four rows.
  Batch batch(const std::string& run);
  std::future<absl::Status> begin_commit(Batch batch);
  absl::Status commit_run(const std::string& run) { return commit(*store_, batch(run)); }
  absl::StatusOr<bool> outcome(const std::string& batch_id);
  absl::StatusOr<bool> outcome(const std::string& batch_id, const Lease& lease);
  absl::Status read(const std::string& run);

  // How many rows the database has of the run: 0 = nothing, kWhole = all of its batch, once.
  int64_t rows(const std::string& run);
  std::string table(const std::string& name) const { return "`" + options_.address.database + "`." + name; }
  void expect_work();  // a further commit is done, and read
  std::unique_ptr<Store> another_store(const MysqlOptions& options);

  Witness& witness();
  int64_t connections();          // of the store
  int64_t waiting_for_locks();    // of all connections to the server
  std::string busy_connection();  // its id; of the store's, empty if none is
  void kill_connections(const std::string& where = "TRUE");

  static constexpr int64_t kWhole = 5;

  MysqlOptions options_;
  Heard heard_;
  std::unique_ptr<Store> store_;
  Lease lease_;
  std::unique_ptr<Witness> witness_;
  int batches_ = 0;
};

}  // namespace skald::store

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugins/sdk/effect_store.h"

namespace sql {
class Connection;
class SQLException;
class Statement;
}  // namespace sql

namespace skald::plugin {

// What the server, or the way to it, says to a statement. The sentence has no password.
struct MysqlError : std::runtime_error {
  MysqlError(int code_, const std::string& what) : std::runtime_error(what), code(code_) {}
  int code;  // of MySQL's list of errors

  bool lost() const;        // the connection is gone, and with it the transaction
  bool in_the_way() const;  // another transaction: a deadlock, a lock that was not given up in time
  bool duplicate() const;   // a row with this key is there already
  bool unfit() const;       // the server works, and does not take writes: read-only, disk full
  bool too_long() const;    // a value for its column
};

// One connection to MySQL, in transactions at READ COMMITTED that begin by themselves. Used by one thread at a time.
class MysqlSession {
 public:
  explicit MysqlSession(MysqlLogin login);
  ~MysqlSession();

  struct Result {
    std::vector<Row> rows;
    int64_t changed = 0;
  };
  // Connects if it is not connected. Throws ActivityError "DatabaseUnavailable", retryable.
  void connect();
  bool connected() const { return connection_ != nullptr; }
  // Throws MysqlError; a lost connection is dropped.
  Result execute(const std::string& sql);
  void commit();
  void drop() noexcept;
  // user@host:port/database
  const std::string& name() const { return name_; }
  size_t longest_statement() const { return longest_statement_; }  // bytes

 private:
  void open();
  void enter_database();
  void set_up();
  [[noreturn]] void fail(const sql::SQLException& error);

  const MysqlLogin login_;
  const std::string name_;
  size_t longest_statement_ = 1 << 20;
  std::unique_ptr<sql::Connection> connection_;
  std::unique_ptr<sql::Statement> statement_;
};

}  // namespace skald::plugin

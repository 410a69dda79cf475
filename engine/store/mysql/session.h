#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/store/mysql/address.h"
#include "engine/store/mysql/fault.h"

namespace sql {
class Connection;
class PreparedStatement;
class ResultSet;
}  // namespace sql

namespace skald::store {

// The parameters of a prepared statement, given in their order. Texts are sent as bytes.
class Parameters {
 public:
  explicit Parameters(sql::PreparedStatement& statement) : statement_(statement) {}
  Parameters& add(std::string_view text);
  Parameters& add(int64_t number);
  Parameters& add(double number);
  Parameters& add_null();
  // Unix nanoseconds; NULL for the infinite ones.
  Parameters& add(absl::Time time);

 private:
  sql::PreparedStatement& statement_;
  unsigned next_ = 1;
};

// One row of a result; columns count from 0.
class ResultRow {
 public:
  explicit ResultRow(sql::ResultSet& result) : result_(result) {}
  std::string text(int column) const;
  int64_t number(int column) const;
  double real(int column) const;
  bool is_null(int column) const;
  absl::Time time(int column, absl::Time none) const;

 private:
  sql::ResultSet& result_;
};

struct SessionOptions {
  bool autocommit = true;
  // How long the server keeps the session, and its locks, when nothing is heard of us; 0 = its own rule.
  absl::Duration idle_limit = absl::ZeroDuration();
  absl::Duration lock_wait = absl::Seconds(5);
  absl::Duration answer_limit = absl::Seconds(30);  // for one statement; then the connection counts as lost
};

// One connection and its prepared statements. All statements work on bytes (SET NAMES binary), in strict mode, at READ
// COMMITTED. Connects when it is first used, and again after the connection was lost; a statement is never repeated by
// itself. Used by one thread at a time.
class Session {
 public:
  using Bind = std::function<void(Parameters&)>;
  using OnRow = std::function<void(const ResultRow&)>;

  Session(MysqlAddress address, SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // OK if the session is open.
  absl::Status open();
  bool is_open() const { return connection_ != nullptr; }
  void drop();

  // `doing` names for messages what is tried. Statements stay prepared, unless they are for once.
  absl::Status execute(const std::string& sql, std::string_view doing);
  absl::StatusOr<int64_t> update(const std::string& sql, const Bind& bind, std::string_view doing);  // rows found
  absl::Status query(const std::string& sql, const Bind& bind, const OnRow& on_row, std::string_view doing);
  absl::Status query_once(const std::string& sql, const Bind& bind, const OnRow& on_row, std::string_view doing);
  absl::Status commit();
  void rollback();

  // Of the last call that failed.
  Fault fault() const { return fault_; }
  // The largest packet that the server takes, in bytes.
  size_t max_packet() const { return max_packet_; }

 private:
  absl::Status connect();
  absl::Status guarded(std::string_view doing, const std::function<void()>& call);
  sql::PreparedStatement& prepared(const std::string& sql);
  static void read(sql::PreparedStatement& statement, const Bind& bind, const OnRow& on_row);

  const MysqlAddress address_;
  const SessionOptions options_;
  std::unique_ptr<sql::Connection> connection_;
  std::map<std::string, std::unique_ptr<sql::PreparedStatement>, std::less<>> statements_;
  Fault fault_ = Fault::kNone;
  size_t max_packet_ = 1 << 20;
};

}  // namespace skald::store

#include "engine/store/mysql/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <cppconn/connection.h>
#include <cppconn/exception.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <mysql_driver.h>

namespace skald::store {
namespace {

constexpr int kConnectSeconds = 3;

sql::mysql::MySQL_Driver& driver() {
  static sql::mysql::MySQL_Driver* const instance = sql::mysql::get_mysql_driver_instance();
  return *instance;
}

// The client library keeps something for each thread that uses it.
void join_thread() {
  struct Membership {
    Membership() { driver().threadInit(); }
    ~Membership() { driver().threadEnd(); }
  };
  thread_local const Membership membership;
  (void)membership;
}

int64_t whole_seconds(absl::Duration duration) { return std::max<int64_t>(1, absl::ToInt64Seconds(duration)); }

sql::ConnectOptionsMap connect_options(const MysqlAddress& address, const SessionOptions& options) {
  sql::ConnectOptionsMap map;
  const bool ipv6 = address.host.find(':') != std::string::npos;
  map["hostName"] = sql::SQLString(ipv6 ? absl::StrCat("[", address.host, "]") : address.host);
  map["port"] = address.port;
  map["userName"] = sql::SQLString(address.user);
  map["password"] = sql::SQLString(address.password);
  map["CLIENT_FOUND_ROWS"] = true;
  map["OPT_RECONNECT"] = false;
  map["OPT_CONNECT_TIMEOUT"] = kConnectSeconds;
  map["OPT_READ_TIMEOUT"] = static_cast<int>(whole_seconds(options.answer_limit));
  map["OPT_WRITE_TIMEOUT"] = static_cast<int>(whole_seconds(options.answer_limit));
  if (address.tls) map["sslEnforce"] = true;
  if (!address.tls_ca.empty()) {
    map["sslCA"] = sql::SQLString(address.tls_ca);
    map["sslVerify"] = true;
  }
  if (!address.tls_cert.empty()) {
    map["sslCert"] = sql::SQLString(address.tls_cert);
    map["sslKey"] = sql::SQLString(address.tls_key);
  }
  return map;
}

// For COMMIT too: the driver's own calls for it do not tell when the server refuses, or is gone.
void run(sql::Connection& connection, const char* sql) {
  const std::unique_ptr<sql::Statement> statement(connection.createStatement());
  statement->execute(sql);
}

// Without an authority to check against, the client library goes on in the clear with a server that has no TLS.
void require_encryption(sql::Statement& statement) {
  const std::unique_ptr<sql::ResultSet> cipher(statement.executeQuery("SHOW SESSION STATUS LIKE 'Ssl_cipher'"));
  if (cipher->next() && !cipher->getString(2).asStdString().empty()) return;
  throw sql::SQLException("TLS is asked for, but the server does not offer it", "08S01", 2026);
}

}  // namespace

Parameters& Parameters::add(std::string_view text) {
  statement_.setString(next_++, sql::SQLString(text.data(), text.size()));
  return *this;
}
Parameters& Parameters::add(int64_t number) {
  statement_.setInt64(next_++, number);
  return *this;
}
Parameters& Parameters::add(double number) {
  statement_.setDouble(next_++, number);
  return *this;
}
Parameters& Parameters::add_null() {
  statement_.setNull(next_++, 0);
  return *this;
}
Parameters& Parameters::add(absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return add_null();
  return add(absl::ToUnixNanos(time));
}

std::string ResultRow::text(int column) const {
  return result_.getString(static_cast<uint32_t>(column + 1)).asStdString();
}
int64_t ResultRow::number(int column) const { return result_.getInt64(static_cast<uint32_t>(column + 1)); }
double ResultRow::real(int column) const {
  return static_cast<double>(result_.getDouble(static_cast<uint32_t>(column + 1)));
}
bool ResultRow::is_null(int column) const { return result_.isNull(static_cast<uint32_t>(column + 1)); }
absl::Time ResultRow::time(int column, absl::Time none) const {
  return is_null(column) ? none : absl::FromUnixNanos(number(column));
}

Session::Session(MysqlAddress address, SessionOptions options) : address_(std::move(address)), options_(options) {}

Session::~Session() { drop(); }

// Statements go before their connection.
void Session::drop() {
  join_thread();
  try {
    statements_.clear();
    connection_.reset();
  } catch (const sql::SQLException&) {  // it was lost before
    connection_.reset();
  }
}

// What exceptions say becomes a status here, and a connection that is of no use is given up.
absl::Status Session::guarded(std::string_view doing, const std::function<void()>& call) {
  join_thread();
  try {
    call();
    return absl::OkStatus();
  } catch (const sql::SQLException& problem) {
    fault_ = fault_of(problem.getErrorCode(), problem.what());
    const absl::Status status = status_of(fault_, problem.getErrorCode(), problem.what(), doing);
    if (ends_connection(fault_)) drop();
    return status;
  } catch (const std::exception& problem) {
    fault_ = Fault::kOther;
    const absl::Status status = status_of(fault_, 0, problem.what(), doing);
    drop();
    return status;
  }
}

absl::Status Session::open() { return connection_ != nullptr ? absl::OkStatus() : connect(); }

absl::Status Session::connect() {
  const std::string doing = "connecting to " + address_.text();
  absl::Status status = guarded(doing, [&] {
    sql::ConnectOptionsMap options = connect_options(address_, options_);
    connection_.reset(driver().connect(options));
    const std::unique_ptr<sql::Statement> setup(connection_->createStatement());
    if (address_.tls) require_encryption(*setup);
    setup->execute("SET NAMES binary");
    setup->execute(
        absl::StrCat("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', ",
                     "innodb_lock_wait_timeout = ", whole_seconds(options_.lock_wait),
                     ", autocommit = ", options_.autocommit ? 1 : 0));
    setup->execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    if (options_.idle_limit > absl::ZeroDuration()) {
      setup->execute(absl::StrCat("SET SESSION wait_timeout = ", whole_seconds(options_.idle_limit)));
    }
    const std::unique_ptr<sql::ResultSet> limits(setup->executeQuery("SELECT @@max_allowed_packet"));
    if (limits->next()) max_packet_ = static_cast<size_t>(limits->getInt64(1));
    if (!address_.database.empty()) connection_->setSchema(sql::SQLString(address_.database));
  });
  if (!status.ok()) drop();
  return status;
}

sql::PreparedStatement& Session::prepared(const std::string& sql) {
  auto& statement = statements_[sql];
  if (statement == nullptr) statement.reset(connection_->prepareStatement(sql));
  return *statement;
}

void Session::read(sql::PreparedStatement& statement, const Bind& bind, const OnRow& on_row) {
  Parameters parameters(statement);
  if (bind) bind(parameters);
  const std::unique_ptr<sql::ResultSet> result(statement.executeQuery());
  while (result->next()) on_row(ResultRow(*result));
}

absl::Status Session::execute(const std::string& sql, std::string_view doing) {
  if (auto status = open(); !status.ok()) return status;
  return guarded(doing, [&] {
    const std::unique_ptr<sql::Statement> statement(connection_->createStatement());
    statement->execute(sql);
  });
}

absl::StatusOr<int64_t> Session::update(const std::string& sql, const Bind& bind, std::string_view doing) {
  if (auto status = open(); !status.ok()) return status;
  int64_t rows = 0;
  absl::Status status = guarded(doing, [&] {
    sql::PreparedStatement& statement = prepared(sql);
    Parameters parameters(statement);
    if (bind) bind(parameters);
    rows = statement.executeUpdate();
  });
  if (!status.ok()) return status;
  return rows;
}

absl::Status Session::query(const std::string& sql, const Bind& bind, const OnRow& on_row, std::string_view doing) {
  if (auto status = open(); !status.ok()) return status;
  return guarded(doing, [&] { read(prepared(sql), bind, on_row); });
}

absl::Status Session::query_once(const std::string& sql, const Bind& bind, const OnRow& on_row,
                                 std::string_view doing) {
  if (auto status = open(); !status.ok()) return status;
  return guarded(doing, [&] {
    const std::unique_ptr<sql::PreparedStatement> statement(connection_->prepareStatement(sql));
    read(*statement, bind, on_row);
  });
}

absl::Status Session::commit() {
  return guarded("committing", [&] {
    if (connection_ == nullptr) throw sql::SQLException("the connection is gone", "08S01", 2006);
    run(*connection_, "COMMIT");
  });
}

void Session::rollback() {
  if (connection_ == nullptr) return;
  const absl::Status status = guarded("undoing a transaction", [&] { run(*connection_, "ROLLBACK"); });
  if (!status.ok()) drop();
}

}  // namespace skald::store

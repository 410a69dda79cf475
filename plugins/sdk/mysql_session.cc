#include "plugins/sdk/mysql_session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <cppconn/connection.h>
#include <cppconn/driver.h>
#include <cppconn/exception.h>
#include <cppconn/resultset.h>
#include <cppconn/resultset_metadata.h>
#include <cppconn/statement.h>
#include <mysql_driver.h>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {
namespace {

constexpr int kConnectSeconds = 5;
constexpr int kAnswerSeconds = 60;  // an audit of many rows takes its time
constexpr int kUnknownDatabase = 1049;
constexpr int kNotAllowed = 1044;

// The driver is made by whoever asks first; plugins start one after the other.
sql::Driver& driver() {
  static sql::Driver* const one = sql::mysql::get_driver_instance();
  return *one;
}

// What the client library wants of each thread that uses it.
void begin_thread() {
  struct Thread {
    Thread() { driver().threadInit(); }
    ~Thread() { driver().threadEnd(); }
  };
  thread_local const Thread thread;
}

template <size_t n>
bool among(const std::array<int, n>& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

std::string quoted_name(const std::string& name) {
  std::string out = "`";
  for (const char c : name) out += c == '`' ? "``" : std::string(1, c);
  return out + '`';
}

// Sums come as DECIMAL: whole ones are numbers, as on SQLite.
Value whole_or_text(std::string text) {
  int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

enum class Kind { kNumber, kDecimal, kText };

Kind kind_of(int type) {
  switch (type) {
    case sql::DataType::BIT:
    case sql::DataType::TINYINT:
    case sql::DataType::SMALLINT:
    case sql::DataType::MEDIUMINT:
    case sql::DataType::INTEGER:
    case sql::DataType::BIGINT:
      return Kind::kNumber;
    case sql::DataType::DECIMAL:
    case sql::DataType::NUMERIC:
      return Kind::kDecimal;
    default:
      return Kind::kText;
  }
}

std::vector<Row> read_rows(sql::ResultSet& result) {
  auto* columns = result.getMetaData();
  std::vector<Kind> kinds;
  for (unsigned i = 1; i <= columns->getColumnCount(); ++i) kinds.push_back(kind_of(columns->getColumnType(i)));
  std::vector<Row> rows;
  rows.reserve(result.rowsCount());
  while (result.next()) {
    Row& row = rows.emplace_back();
    row.reserve(kinds.size());
    for (unsigned i = 0; i < kinds.size(); ++i) {
      if (result.isNull(i + 1)) {
        row.emplace_back(std::string());
      } else if (kinds[i] == Kind::kNumber) {
        row.emplace_back(int64_t{result.getInt64(i + 1)});
      } else {
        const sql::SQLString text = result.getString(i + 1);
        row.emplace_back(kinds[i] == Kind::kText ? Value(text.asStdString()) : whole_or_text(text.asStdString()));
      }
    }
  }
  return rows;
}

}  // namespace

bool MysqlError::lost() const {
  static constexpr std::array kCodes = {1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2002,
                                        2003, 2006, 2013, 2014, 2027, 2055, 3169, 4031};
  return among(kCodes, code);
}

bool MysqlError::in_the_way() const {
  static constexpr std::array kCodes = {1020, 1205, 1213, 1317, 3101, 8002, 8022, 8028, 9007};
  return among(kCodes, code);
}

bool MysqlError::duplicate() const {
  static constexpr std::array kCodes = {1022, 1062, 1586};
  return among(kCodes, code);
}

bool MysqlError::unfit() const {
  static constexpr std::array kCodes = {1021, 1026, 1030, 1036, 1114, 1290, 1792, 1836};
  return among(kCodes, code);
}

bool MysqlError::too_long() const {
  static constexpr std::array kCodes = {1264, 1406};
  return among(kCodes, code);
}

MysqlSession::MysqlSession(MysqlLogin login)
    : login_(std::move(login)),
      name_(login_.user + "@" + login_.host + ":" + std::to_string(login_.port) + "/" + login_.database) {}

MysqlSession::~MysqlSession() { drop(); }

void MysqlSession::connect() {
  if (connected()) return;
  begin_thread();
  try {
    open();
    enter_database();
    set_up();
  } catch (const sql::SQLException& e) {
    drop();
    throw ActivityError("DatabaseUnavailable", "cannot use MySQL at " + name_ + ": " + e.what() + " (error " +
                                                   std::to_string(e.getErrorCode()) + ")");
  } catch (...) {
    drop();
    throw;
  }
}

void MysqlSession::open() {
  sql::ConnectOptionsMap options;
  const bool ipv6 = login_.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + login_.host + "]" : login_.host;
  options["hostName"] = sql::SQLString("tcp://" + host + ":" + std::to_string(login_.port));
  options["userName"] = sql::SQLString(login_.user);
  options["password"] = sql::SQLString(login_.password);
  options["OPT_CHARSET_NAME"] = sql::SQLString("utf8mb4");
  options["OPT_CONNECT_TIMEOUT"] = kConnectSeconds;
  options["OPT_READ_TIMEOUT"] = kAnswerSeconds;
  options["OPT_WRITE_TIMEOUT"] = kAnswerSeconds;
  options["OPT_RECONNECT"] = false;
  options["CLIENT_FOUND_ROWS"] = true;
  if (login_.tls || !login_.tls_ca.empty()) options["sslEnforce"] = true;
  if (!login_.tls_ca.empty()) {
    options["sslCA"] = sql::SQLString(login_.tls_ca);
    options["sslVerify"] = true;
  }
  if (!login_.tls_cert.empty()) options["sslCert"] = sql::SQLString(login_.tls_cert);
  if (!login_.tls_key.empty()) options["sslKey"] = sql::SQLString(login_.tls_key);
  connection_.reset(driver().connect(options));
  statement_.reset(connection_->createStatement());
}

void MysqlSession::enter_database() {
  const std::string database = quoted_name(login_.database);
  try {
    statement_->execute("USE " + database);
  } catch (const sql::SQLException& e) {
    if (e.getErrorCode() != kUnknownDatabase && e.getErrorCode() != kNotAllowed) throw;
    try {
      statement_->execute("CREATE DATABASE IF NOT EXISTS " + database + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
      statement_->execute("USE " + database);
    } catch (const sql::SQLException& refused) {
      if (refused.getErrorCode() != kNotAllowed) throw;
      throw ActivityError("DatabaseUnavailable", "MySQL at " + name_ +
                                                     " does not let its user make or use the database: " +
                                                     "as an administrator run CREATE DATABASE IF NOT EXISTS " +
                                                     database + " and GRANT ALL ON " + database + ".* TO the user");
    }
  }
}

void MysqlSession::set_up() {
  statement_->execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  statement_->execute(
      "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 5, autocommit = "
      "0");
  if (login_.tls || !login_.tls_ca.empty()) {
    const auto cipher = execute("SHOW STATUS LIKE 'Ssl_cipher'").rows;
    if (cipher.empty() || std::get<std::string>(cipher[0].back()).empty())
      throw ActivityError("DatabaseUnavailable", "MySQL at " + name_ + " does not encrypt, and TLS was asked for");
  }
  longest_statement_ = static_cast<size_t>(number(execute("SELECT @@max_allowed_packet").rows[0][0]));
}

MysqlSession::Result MysqlSession::execute(const std::string& sql) {
  begin_thread();
  try {
    Result result;
    if (!statement_->execute(sql)) {
      result.changed = static_cast<int64_t>(statement_->getUpdateCount());
      return result;
    }
    const std::unique_ptr<sql::ResultSet> rows(statement_->getResultSet());
    result.rows = read_rows(*rows);
    return result;
  } catch (const sql::SQLException& e) {
    fail(e);
  }
}

// As a statement: the driver's own commit() says nothing of an error.
void MysqlSession::commit() { execute("COMMIT"); }

void MysqlSession::fail(const sql::SQLException& error) {
  const MysqlError out(error.getErrorCode(), "MySQL at " + name_ + ": " + error.what() + " (error " +
                                                 std::to_string(error.getErrorCode()) + ")");
  if (out.lost()) drop();
  throw out;
}

void MysqlSession::drop() noexcept {
  try {
    statement_.reset();
    connection_.reset();
  } catch (const std::exception&) {  // it was gone already
  }
}

}  // namespace skald::plugin

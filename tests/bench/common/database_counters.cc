#include "tests/bench/common/database_counters.h"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <cppconn/exception.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <mysql_driver.h>
#include <unistd.h>

#include "engine/store/mysql/address.h"

namespace skald::bench {
namespace {

absl::Duration cpu_of(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t name_ends = text.rfind(')');
  if (name_ends == std::string::npos) return absl::ZeroDuration();
  std::istringstream fields(text.substr(name_ends + 1));
  std::string word;
  long user = 0, system = 0;
  for (int i = 0; i < 11; ++i) fields >> word;
  fields >> user >> system;
  return absl::Seconds(static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

}  // namespace

absl::StatusOr<DatabaseCounters> read_counters(samples::TrialStore& store) {
  DatabaseCounters counters;
  if (!store.is_mysql()) return counters;
  const auto address = store::parse_mysql_address(store.url());
  if (!address.ok()) return address.status();
  const char* password = std::getenv(samples::TrialStore::kPasswordVariable);
  try {
    const std::unique_ptr<sql::Connection> connection(sql::mysql::get_driver_instance()->connect(
        absl::StrCat("tcp://", address->host, ":", address->port), address->user, password == nullptr ? "" : password));
    const std::unique_ptr<sql::Statement> statement(connection->createStatement());
    const std::unique_ptr<sql::ResultSet> rows(
        statement->executeQuery("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_commit')"));
    while (rows->next())
      (rows->getString(1) == "Questions" ? counters.statements : counters.commits) = rows->getInt64(2);
  } catch (const sql::SQLException& error) {
    return absl::UnavailableError(absl::StrCat("cannot read the database's counters: ", error.what()));
  }
  if (store.mariadb() != nullptr) counters.cpu = cpu_of(store.mariadb()->pid());
  return counters;
}

}  // namespace skald::bench

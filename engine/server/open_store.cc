#include "engine/server/open_store.h"

#include <filesystem>
#include <functional>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <nlohmann/json.hpp>

#include "engine/base/secret.h"
#include "engine/store/mysql/mysql_store.h"
#include "engine/store/mysql/session.h"
#include "engine/store/sqlite/sqlite_store.h"

namespace skald::server {
namespace {

constexpr char kMysql[] = "mysql://";
constexpr char kSqlite[] = "sqlite:";

absl::StatusOr<std::string> sqlite_path(const std::string& text, const char* option) {
  absl::string_view path = text;
  if (!absl::ConsumePrefix(&path, kSqlite)) {
    // What was given may hold a password.
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": write sqlite:FILE or mysql://user:password@host:port/database"));
  }
  if (path.empty())
    return absl::InvalidArgumentError(absl::StrCat(option, " sqlite: names no file; write sqlite:FILE"));
  return std::string(path);
}

// For the plugins, which know nothing of addresses.
std::string as_json(const store::MysqlAddress& address) {
  nlohmann::json fields = {{"host", address.host},         {"port", address.port},         {"user", address.user},
                           {"password", address.password}, {"database", address.database}, {"tls", address.tls}};
  if (!address.tls_ca.empty()) fields["tls_ca"] = address.tls_ca;
  if (!address.tls_cert.empty()) fields["tls_cert"] = address.tls_cert;
  if (!address.tls_key.empty()) fields["tls_key"] = address.tls_key;
  return "mysql:" + fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

bool is_mysql(const std::string& store) { return absl::StartsWith(store, kMysql); }

absl::StatusOr<store::MysqlAddress> mysql_address(const StoreOptions& options) {
  auto address = store::parse_mysql_address(options.store);
  if (!address.ok() || options.password_reference.empty()) return address;
  if (!address->password.empty()) {
    return absl::InvalidArgumentError("the store's password is given twice: in its address, and by --store-password");
  }
  auto password = base::read_secret(options.password_reference);
  if (!password.ok())
    return absl::Status(password.status().code(), absl::StrCat("--store-password: ", password.status().message()));
  address->password = *std::move(password);
  return address;
}

std::string store_text(const StoreOptions& options) {
  if (!is_mysql(options.store)) return options.store;
  const auto address = store::parse_mysql_address(options.store);
  return address.ok() ? kMysql + address->text() : kMysql + std::string("…");
}

absl::StatusOr<std::unique_ptr<store::Store>> open_store(const StoreOptions& options, bool create) {
  if (is_mysql(options.store)) {
    auto address = mysql_address(options);
    if (!address.ok()) return address.status();
    return store::open_mysql({.address = *std::move(address),
                              .writers = options.owners,
                              .readers = options.owners,
                              .lease_ttl = absl::Seconds(options.lease_seconds),
                              .create = create});
  }
  const auto path = sqlite_path(options.store, "--store");
  if (!path.ok()) return path.status();
  return store::open_sqlite({.path = *path});
}

absl::Status reach_database(const StoreOptions& options) {
  if (!is_mysql(options.store)) return absl::OkStatus();
  auto address = mysql_address(options);
  if (!address.ok()) return address.status();
  address->database.clear();
  return store::Session(*address, {}).open();
}

absl::StatusOr<std::string> plugin_data_path(const StoreOptions& store, const std::string& beside) {
  if (is_mysql(store.store)) {
    const auto address = mysql_address(store);
    if (!address.ok()) return address.status();
    return as_json(*address);
  }
  auto prefix = sqlite_path(store.store, "--plugin-store");
  if (!prefix.ok()) return prefix;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(*prefix).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot make the folder ", folder.string(), " for the plugins' data: ", error.message()));
  }
  return *prefix + beside;
}

std::string quarantine_path(const StoreOptions& store) {
  if (const auto path = sqlite_path(store.store, "--store"); path.ok()) return *path;
  std::error_code error;
  auto folder = std::filesystem::temp_directory_path(error);
  if (error) folder = "/tmp";
  return folder / absl::StrCat("skald-", absl::Hex(std::hash<std::string>()(store_text(store))));
}

}  // namespace skald::server

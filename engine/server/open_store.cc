#include "engine/server/open_store.h"

#include <filesystem>
#include <functional>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
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

namespace {

void hide_secret(const std::string& reference, std::vector<std::string>& hidden) {
  absl::string_view file = reference;
  if (absl::ConsumePrefix(&file, "file:")) hidden.emplace_back(file);
}

void hide_files_of(const StoreOptions& store, std::vector<std::string>& hidden) {
  hide_secret(store.password_reference, hidden);
  if (!is_mysql(store.store)) {
    const auto path = sqlite_path(store.store, "--store");
    if (path.ok()) hidden.push_back(*path);
  } else if (const auto address = store::parse_mysql_address(store.store); address.ok() && !address->tls_key.empty()) {
    hidden.push_back(address->tls_key);
  }
}

// Whether who is let into the plugins' database is let into the engine's, as far as its name says.
bool is_engines_login(const StoreOptions* engine, const store::MysqlAddress& address) {
  if (engine == nullptr || !is_mysql(engine->store)) return false;
  const auto own = store::parse_mysql_address(engine->store);
  return !own.ok() || own->user == address.user;
}

}  // namespace

absl::StatusOr<plugins::IsolationOptions> isolation_options(const StoreOptions* engine, const StoreOptions& plugins,
                                                            const PluginIsolation& isolation) {
  plugins::IsolationOptions out;
  out.user = isolation.process_user;
  if (engine != nullptr) hide_files_of(*engine, out.hidden);
  hide_files_of(plugins, out.hidden);
  if (!is_mysql(plugins.store)) {
    if (isolation.store_user.empty() && isolation.password_reference.empty()) return out;
    return absl::InvalidArgumentError("--plugin-store-user is for a database, and the plugins' store is none");
  }
  if (isolation.store_user.empty() && !isolation.password_reference.empty())
    return absl::InvalidArgumentError("--plugin-store-user-password needs --plugin-store-user");
  auto address = mysql_address(plugins);
  if (!address.ok()) return address.status();
  if (isolation.store_user.empty()) {
    const std::string path = is_engines_login(engine, *address) ? "" : as_json(*address);
    out.data_path = [path](const std::string&) { return path; };
    return out;
  }
  address->tls_cert.clear();  // a certificate is a login too
  address->tls_key.clear();
  out.data_path = [address = *address, isolation](const std::string& plugin) -> absl::StatusOr<std::string> {
    const auto of_plugin = [&plugin](const std::string& text) {
      return absl::StrReplaceAll(text, {{"{plugin}", plugin}});
    };
    store::MysqlAddress own = address;
    own.user = of_plugin(isolation.store_user);
    own.password.clear();
    if (isolation.password_reference.empty()) return as_json(own);
    auto password = base::read_secret(of_plugin(isolation.password_reference));
    if (!password.ok()) {
      return absl::Status(password.status().code(),
                          absl::StrCat("--plugin-store-user-password: ", password.status().message()));
    }
    own.password = *std::move(password);
    return as_json(own);
  };
  return out;
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

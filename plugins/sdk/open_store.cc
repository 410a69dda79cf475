#include "plugins/sdk/effect_store.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin {
namespace {

constexpr std::string_view kMysql = "mysql:";
constexpr int64_t kMysqlPort = 3306;

// No part of it may be repeated in an error: the password is in it.
MysqlLogin read_login(std::string_view given) {
  const auto json = nlohmann::json::parse(given, nullptr, false);
  if (json.is_discarded()) throw std::runtime_error("what follows mysql: in the plugins' data path is not JSON");
  MysqlLogin login;
  login.host = required_text(json, "host");
  login.port = static_cast<int>(has_field(json, "port") ? whole_number(json, "port", 1, 65535) : kMysqlPort);
  login.user = required_text(json, "user");
  login.password = optional_text(json, "password");
  login.database = required_text(json, "database");
  login.tls = optional_flag(json, "tls");
  login.tls_ca = optional_text(json, "tls_ca");
  login.tls_cert = optional_text(json, "tls_cert");
  login.tls_key = optional_text(json, "tls_key");
  return login;
}

}  // namespace

void check_version(const std::string& store, int64_t found, int64_t schema, const std::string& other_place) {
  if (found / 65536 > kLedgerVersion)
    throw std::runtime_error(store + " was written by a newer program: use that one, or a backup from before");
  if (found % 65536 == schema) return;
  throw std::runtime_error(store + " holds tables of version " + std::to_string(found % 65536) +
                           ", this plugin needs " + std::to_string(schema) +
                           ": use the plugin that wrote it, or move " + other_place);
}

std::unique_ptr<LedgerStore> open_plugin_store(const std::string& data_path, const std::string& plugin, int schema) {
  if (data_path.empty()) {
    throw std::runtime_error(
        "it keeps books, and as it runs in a process of its own it is not given the engine's own login to the database: "
        "name one that is for plugins by --plugin-store-user");
  }
  if (!data_path.starts_with(kMysql)) return open_sqlite_store(data_path + "." + plugin + ".sqlite", schema);
  MysqlLogin login = read_login(std::string_view(data_path).substr(kMysql.size()));
  login.database += "_" + plugin;
  return open_mysql_store(login, schema);
}

}  // namespace skald::plugin

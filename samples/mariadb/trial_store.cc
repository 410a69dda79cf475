#include "samples/mariadb/trial_store.h"

#include <cstdlib>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

namespace skald::samples {
namespace {

constexpr char kScheme[] = "mysql://";
constexpr char kDatabase[] = "skald";

// Takes the password out of mysql://user:password@host…; as it stands there, %XX included.
std::string cut_password(std::string& url) {
  const size_t begin = sizeof(kScheme) - 1;
  const size_t at = url.find('@', begin);
  const size_t colon = url.find(':', begin);
  if (at == std::string::npos || colon > at) return "";
  const std::string password = url.substr(colon + 1, at - colon - 1);
  url.erase(colon, at - colon);
  return password;
}

std::string decoded(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                        isxdigit(static_cast<unsigned char>(text[i + 2]));
    plain += escape ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)) : text[i];
    if (escape) i += 2;
  }
  return plain;
}

}  // namespace

std::string TrialStore::complaint(const std::string& text) {
  if (text == "sqlite" || text == "mysql" || absl::StartsWith(text, kScheme)) return "";
  return "give sqlite, mysql or mysql://user@host:port/database, not " + text;
}

absl::StatusOr<std::unique_ptr<TrialStore>> TrialStore::open(const std::string& text, const std::string& folder) {
  if (const std::string wrong = complaint(text); !wrong.empty()) return absl::InvalidArgumentError(wrong);
  std::unique_ptr<TrialStore> store(new TrialStore);
  if (text == "sqlite") {
    store->url_ = "sqlite:" + folder + "/skald.sqlite";
    return store;
  }
  std::string password;
  if (text == "mysql") {
    store->mariadb_ = std::make_unique<PrivateMariadb>(folder + "/mariadb");
    if (auto status = store->mariadb_->start(); !status.ok()) return status;
    store->url_ = store->mariadb_->address().url_without_password(kDatabase);
    password = store->mariadb_->address().password;
  } else {
    store->url_ = text;
    password = decoded(cut_password(store->url_));
  }
  if (!password.empty()) setenv(kPasswordVariable, password.c_str(), 1);
  store->has_password_ = std::getenv(kPasswordVariable) != nullptr;
  return store;
}

std::string TrialStore::password_reference() const {
  return has_password_ ? absl::StrCat("env:", kPasswordVariable) : "";
}

std::vector<std::string> TrialStore::arguments() const {
  std::vector<std::string> arguments = {"--store", url_};
  if (is_mysql() && has_password_) arguments.insert(arguments.end(), {"--store-password", password_reference()});
  return arguments;
}

}  // namespace skald::samples

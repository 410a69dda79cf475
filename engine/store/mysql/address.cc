#include "engine/store/mysql/address.h"

#include <algorithm>
#include <optional>

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

namespace skald::store {
namespace {

constexpr size_t kLongestDatabaseName = 48;  // MySQL's 64, less what plugins add for schemas of their own

absl::Status malformed(const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the store's address ", what, "; write mysql://user:password@host:port/database"));
}

std::optional<std::string> decoded(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) || !absl::ascii_isxdigit(text[i + 2]))
      return std::nullopt;
    result += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return result;
}

absl::Status read_parameters(absl::string_view query, MysqlAddress& address) {
  for (const absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    const auto value = decoded(parts.second);
    if (!value) return malformed("has a broken %XX in its parameters");
    if (parts.first == "tls" && (*value == "true" || *value == "false")) {
      address.tls = *value == "true";
    } else if (parts.first == "tls-ca") {
      address.tls_ca = *value;
    } else if (parts.first == "tls-cert") {
      address.tls_cert = *value;
    } else if (parts.first == "tls-key") {
      address.tls_key = *value;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("the store's address has the parameter '", parts.first,
                                                     "'; known are tls=true|false, tls-ca, tls-cert and tls-key"));
    }
  }
  if (!address.tls_ca.empty()) address.tls = true;
  if (address.tls_cert.empty() != address.tls_key.empty()) return malformed("names only one of tls-cert and tls-key");
  return absl::OkStatus();
}

absl::Status read_host(absl::string_view text, MysqlAddress& address) {
  absl::string_view port;
  if (absl::ConsumePrefix(&text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return malformed("has a [ without a ]");
    address.host = std::string(text.substr(0, end));
    port = text.substr(end + 1);
    if (!port.empty() && !absl::ConsumePrefix(&port, ":")) return malformed("has something behind the ]");
  } else {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
    address.host = std::string(parts.first);
    port = parts.second;
  }
  if (address.host.empty()) return malformed("names no host");
  if (port.empty()) return absl::OkStatus();
  const bool digits = std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(port, &address.port) || address.port < 1 || address.port > 65'535) {
    return malformed("has a port that is no number from 1 to 65535");
  }
  return absl::OkStatus();
}

}  // namespace

std::string MysqlAddress::text() const {
  const bool ipv6 = absl::StrContains(host, ':');
  return absl::StrCat(user, "@", ipv6 ? "[" : "", host, ipv6 ? "]" : "", ":", port, "/", database);
}

absl::StatusOr<MysqlAddress> parse_mysql_address(absl::string_view url) {
  MysqlAddress address;
  if (!absl::ConsumePrefix(&url, "mysql://")) return malformed("does not begin with mysql://");
  const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(url, absl::MaxSplits('?', 1));
  if (absl::StrContains(halves.second, '@')) return malformed("has an @ behind its ?: write ? in a password as %3F");
  if (auto status = read_parameters(halves.second, address); !status.ok()) return status;
  const size_t at = halves.first.rfind('@');
  if (at == absl::string_view::npos) return malformed("names no user");
  const std::pair<absl::string_view, absl::string_view> who =
      absl::StrSplit(halves.first.substr(0, at), absl::MaxSplits(':', 1));
  const auto user = decoded(who.first);
  const auto password = decoded(who.second);
  if (!user || !password) return malformed("has a broken %XX in user or password");
  if (user->empty()) return malformed("names no user");
  address.user = *user;
  address.password = *password;
  const std::pair<absl::string_view, absl::string_view> place =
      absl::StrSplit(halves.first.substr(at + 1), absl::MaxSplits('/', 1));
  if (auto status = read_host(place.first, address); !status.ok()) return status;
  address.database = std::string(place.second);
  if (address.database.empty()) return malformed("names no database");
  const bool plain = std::all_of(address.database.begin(), address.database.end(),
                                 [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
  if (!plain || address.database.size() > kLongestDatabaseName) {
    return malformed("needs a database name of at most 48 letters, digits, _ and -");
  }
  return address;
}

}  // namespace skald::store

#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace skald::store {

// Where a MySQL database is and how to get in.
struct MysqlAddress {
  std::string host = "127.0.0.1";
  int port = 3306;
  std::string user;
  std::string password;
  std::string database;
  bool tls = false;      // refuse a connection that is not encrypted
  std::string tls_ca;    // PEM file of the authorities that the server's certificate is checked against; implies tls
  std::string tls_cert;  // PEM files of the client's own certificate and its key, for servers that ask for one
  std::string tls_key;

  // For people: user@host:port/database. Never the password.
  std::string text() const;
};

// mysql://user[:password]@host[:port]/database[?tls=true&tls-ca=FILE&tls-cert=FILE&tls-key=FILE]. User, password and
// the parameters may hold %XX; a host in brackets is an IPv6 address. INVALID_ARGUMENT, in a sentence that never
// repeats the password.
absl::StatusOr<MysqlAddress> parse_mysql_address(absl::string_view url);

}  // namespace skald::store

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "samples/mariadb/private_mariadb.h"

namespace skald::samples {

// Where a server that is tried or measured keeps its state: a SQLite file, a MariaDB of the trial's own, or a MySQL
// server that somebody named. Passwords stand in this process's environment (kPasswordVariable), which its children
// inherit, and in no command line. Not thread-safe; to be opened before there are threads.
class TrialStore {
 public:
  static constexpr char kPasswordVariable[] = "SKALD_STORE_PASSWORD";

  // `text` is "sqlite" (a file in `folder`, which must exist), "mysql" (a PrivateMariadb with its data in `folder`) or
  // mysql://user[:password]@host:port/database. INVALID_ARGUMENT if it is none of these.
  static absl::StatusOr<std::unique_ptr<TrialStore>> open(const std::string& text, const std::string& folder);

  // What `skald server` is told: --store URL [--store-password env:…].
  std::vector<std::string> arguments() const;
  // The URL, without a password, and where the password stands ("env:…"; empty if there is none).
  const std::string& url() const { return url_; }
  std::string password_reference() const;
  bool is_mysql() const { return url_.starts_with("mysql:"); }
  // Null unless the trial has a MariaDB of its own.
  PrivateMariadb* mariadb() { return mariadb_.get(); }

  // Whether `text` may be opened, for command lines: the sentence that says why not, or nothing.
  static std::string complaint(const std::string& text);

 private:
  TrialStore() = default;

  std::string url_;
  bool has_password_ = false;
  std::unique_ptr<PrivateMariadb> mariadb_;
};

}  // namespace skald::samples

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <sys/types.h>

namespace skald::samples {

struct MariadbAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string user = "skald";
  std::string password;  // of letters and digits

  // mysql://user:password@host:port/database; without a database the URL ends after the port.
  std::string url(std::string_view database = "") const;
  // The same without the password, which then travels by another way.
  std::string url_without_password(std::string_view database = "") const;
};

// A MariaDB server of one's own: a child process on a free loopback port, with its data in a scratch folder, as durable
// as in production (innodb_flush_log_at_trx_commit=1) but without a binary log. Its user may do everything, such as
// CREATE DATABASE and SET GLOBAL; another one, "plugins" with the same password, may use the databases with two
// underscores in their names, as plugins' beside a "skald_1" are. No system-wide server and no option file is read or touched.
//
// Not thread-safe. The server dies with the thread that called start(): call it from one that lives as long. With the
// object go the server and the folder.
class PrivateMariadb {
 public:
  // `folder` must be empty, or not be there yet; without one, a new one under TMPDIR is taken.
  explicit PrivateMariadb(std::string folder = "");
  ~PrivateMariadb();
  PrivateMariadb(const PrivateMariadb&) = delete;
  PrivateMariadb& operator=(const PrivateMariadb&) = delete;

  // Returns when the server answers. The first start makes the data and takes a port; later ones, after
  // stop() or kill(), serve the same data on the same port. `options` are further options of mariadbd, such as
  // "--max-connections=20", for this start alone. An error ends with the last lines of the server's log.
  absl::Status start(const std::vector<std::string>& options = {});
  // As an orderly shutdown does. An error if the server had ended by itself or had to be killed.
  absl::Status stop();
  // SIGKILL, as a crash; returns when the process is gone.
  void kill();

  // Whether the process is there, be it serving or not.
  bool running();
  // Of the server, for other signals; -1 if it does not run.
  pid_t pid() const { return pid_; }
  // True of host, user and password from the beginning, of the port from the first start on.
  const MariadbAddress& address() const { return address_; }
  const std::string& folder() const { return folder_; }

 private:
  absl::Status install();
  absl::Status launch(const std::vector<std::string>& options);
  absl::Status await_answer();
  bool ended_within(int milliseconds);
  std::string last_words() const;
  std::string log() const { return folder_ + "/mariadbd.log"; }
  std::string tables_file() const { return folder_ + "/tables.sql"; }
  std::string user_file() const { return folder_ + "/user.sql"; }

  std::string folder_;
  bool owns_folder_ = false;  // made or found empty
  bool installed_ = false;
  MariadbAddress address_;
  pid_t pid_ = -1;
  int64_t log_began_ = 0;  // where in the log the present start begins, bytes
};

}  // namespace skald::samples

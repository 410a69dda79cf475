#pragma once

#include <string>

#include <absl/time/time.h>
#include <sys/types.h>

#include "engine/store/mysql/mysql_store.h"

namespace skald::store {

// Another process with a store of its own, which holds all slots of the database of the options.
class HolderProcess {
 public:
  HolderProcess(const MysqlOptions& options, absl::Duration ttl);
  ~HolderProcess();
  HolderProcess(const HolderProcess&) = delete;
  HolderProcess& operator=(const HolderProcess&) = delete;

  // Sends a line and returns the answer; "" if the process has ended.
  std::string ask(const std::string& line);
  std::string begin();  // the first answer: "held"
  void signal(int number) const;
  // SIGKILL; the process has ended when this returns, and is reaped if it says so.
  void kill(bool reap);
  // Closes its store and ends.
  void close();

 private:
  std::string answer();
  void wait();

  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

}  // namespace skald::store

#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"

namespace skald::base {

// An executor with a thread of its own. The destructor (or stop) runs what was posted, drops what was timed, and joins.
class ThreadExecutor final : public Executor {
 public:
  // `name` shows up in debuggers and `top -H` (cut to 15 bytes). `clock` must outlive the executor.
  ThreadExecutor(std::string name, const Clock& clock);
  ~ThreadExecutor() override;

  void post(Task task) override;
  void post_at(absl::Time when, Task task) override;

  // Idempotent. Tasks posted afterwards are dropped. Must not be called from one of its own tasks.
  void stop();

 private:
  void run(const std::string& name);

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Task> ready_;
  std::multimap<absl::Time, Task> timed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skald::base

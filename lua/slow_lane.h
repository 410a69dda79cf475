#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "lua/workflow_task_handler.h"

namespace skald::lua {

// Where scripts that computed for too long go on, turn by turn, so that they hold up neither their neighbours nor each
// other.
class SlowLane {
 public:
  using Answered = absl::AnyInvocable<void(WorkflowTaskHandler::Answer)>;

  explicit SlowLane(int threads = 1);
  // Stops.
  ~SlowLane();

  // `answered` is called once, on a thread of the lane; never, if the lane has stopped. Thread-safe.
  void take(std::unique_ptr<WorkflowTaskHandler::Unfinished> task, Answered answered);

  // Frees it on a thread of the lane: large memory takes its time. Thread-safe.
  void bury(std::unique_ptr<Script> script);

  // Ends the turn at hand and drops what is not finished, now and what still comes. Not from the lane's own threads.
  void stop();

 private:
  struct Entry {
    std::unique_ptr<WorkflowTaskHandler::Unfinished> task;
    Answered answered;
  };

  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  std::vector<std::unique_ptr<Script>> buried_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skald::lua

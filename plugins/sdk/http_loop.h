#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "plugins/sdk/http_transfer.h"

namespace skald::plugin {

// One thread for all transfers of a client, and its connections. Thread-safe.
class HttpLoop {
 public:
  // `sweep` is called now and then, at least ten times a second while transfers are under way.
  explicit HttpLoop(std::function<void()> sweep);
  ~HttpLoop();  // stop(), and waits for it

  // Its `done` is called on the loop's thread; on the caller's when the loop has stopped.
  void start(HttpTry given);
  // Ends all transfers with kStopped.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  void work();
  int wait();
  bool take_new();  // false: it is to stop
  void begin(HttpTry given);
  void take_ended();
  void look_after();
  std::unique_ptr<HttpTransfer> remove(CURL* handle);

  const std::function<void()> sweep_;
  CURLM* multi_;
  std::mutex mutex_;
  std::vector<HttpTry> new_;
  bool stopping_ = false;
  std::map<CURL*, std::unique_ptr<HttpTransfer>> transfers_;  // the thread's own
  Clock::time_point next_look_{};
  std::thread thread_;
};

}  // namespace skald::plugin

#pragma once

#include <chrono>
#include <functional>

namespace skald::plugin {

// Where coroutines go on. Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `body` once, after `delay`.
  virtual void run(std::chrono::milliseconds delay, std::function<void()> body) = 0;
  // The plugin is being shut down: who waits is to give up.
  virtual bool stopping() const = 0;
};

}  // namespace skald::plugin

#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "plugins/sdk/async.h"
#include "plugins/sdk/context.h"
#include "plugins/sdk/executor.h"

namespace skald::plugin {

// An attempt without a host, which a test cancels when it likes.
class Attempt {
 public:
  explicit Attempt(Executor& executor, std::chrono::milliseconds left = std::chrono::minutes(1)) {
    skald_task task{};
    const auto deadline = std::chrono::system_clock::now() + left;
    task.attempt = 1;
    task.deadline_unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch()).count();
    context_ = std::make_shared<Context>(&kHost, task, reinterpret_cast<skald_call*>(this), &executor);
  }

  Context& context() { return *context_; }
  void cancel() { cancelled_ = true; }

 private:
  static int cancel_requested(skald_call* call) { return reinterpret_cast<Attempt*>(call)->cancelled_ ? 1 : 0; }
  static constexpr skald_host kHost = {SKALD_PLUGIN_ABI, nullptr,           nullptr, nullptr,
                                       nullptr,          &cancel_requested, nullptr};

  std::atomic<bool> cancelled_ = false;
  std::shared_ptr<Context> context_;
};

// Begins a coroutine in this thread; its end is the future's.
template <class T>
std::future<T> begin(Async<T> async) {
  struct Begin {
    static Detached drive(Async<T> running, std::promise<T> promise) {
      try {
        if constexpr (std::is_void_v<T>) {
          co_await running;
          promise.set_value();
        } else {
          T value = co_await running;
          promise.set_value(std::move(value));
        }
      } catch (...) {
        promise.set_exception(std::current_exception());
      }
    }
  };
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  Begin::drive(std::move(async), std::move(promise));
  return future;
}

// The type of the ActivityError that a future ends with; "ActivityCancelled"; or "" when there is none.
template <class T>
std::string error_type(std::future<T> future) {
  try {
    future.get();
    return "";
  } catch (const ActivityCancelled&) {
    return "ActivityCancelled";
  } catch (const ActivityError& e) {
    return e.type;
  }
}

template <class T>
ActivityError error_of(std::future<T> future) {
  try {
    future.get();
  } catch (const ActivityError& e) {
    return e;
  }
  return {"", "nothing was thrown"};
}

}  // namespace skald::plugin

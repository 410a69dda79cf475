#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "plugins/sdk/async.h"
#include "plugins/sdk/context.h"

namespace skald::plugin {

// co_await'ed: calls `begin` with a callback, and goes on, on the executor, with what that callback is given. It must
// be called once, on any thread, be it within `begin`. A coroutine that is destroyed while it waits is not gone on
// with.
template <class Result>
class Waiting {
 public:
  using Tell = std::function<void(Result)>;

  Waiting(Executor& executor, std::function<void(Tell)> begin) : executor_(executor), begin_(std::move(begin)) {}
  Waiting(const Waiting&) = delete;
  ~Waiting() { place_->waiter = nullptr; }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    place_->waiter = waiter.address();
    // The coroutine may go on, and this end, before `begin` returns.
    const std::function<void(Tell)> begin = std::move(begin_);
    begin([place = place_, executor = &executor_](Result result) {
      place->result.emplace(std::move(result));
      executor->run(std::chrono::milliseconds(0), [place] {
        if (void* const frame = place->waiter.exchange(nullptr)) std::coroutine_handle<>::from_address(frame).resume();
      });
    });
  }
  Result await_resume() { return std::move(*place_->result); }

 private:
  struct Place {
    std::atomic<void*> waiter = nullptr;
    std::optional<Result> result;
  };

  Executor& executor_;
  std::function<void(Tell)> begin_;
  const std::shared_ptr<Place> place_ = std::make_shared<Place>();
};

// What a wait throws when its plugin is shut down.
ActivityError host_stopping();

// Goes on after a time. Throws ActivityCancelled when the attempt is cancelled meanwhile, or host_stopping(), within a
// tenth of a second.
Async<void> pause(Executor& executor, Context& context, std::chrono::milliseconds length);

}  // namespace skald::plugin

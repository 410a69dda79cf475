#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

// Coroutines for activities that wait without a thread. An Async<T> begins when it is awaited, runs on the thread that
// awaits it until it waits for something itself, and gives its value, or throws what it threw, to the one who awaits
// it.
//
//   Async<json> price(Context& context, const json& input) {
//     HttpRequest request{.url = "https://…"};
//     HttpResponse reply = co_await http().send(context, std::move(request));
//     co_return reply.parsed();
//   }
//
// An Async is awaited once. Parameters are copied into its frame; what a reference names must live until it has ended.
// GCC 12 miscompiles some expressions around co_await: name what you await, give it no brace-initialised temporaries,
// keep it out of ?:, && and ||, and do not make a lambda with captures a coroutine.
namespace skald::plugin {

template <class T>
class Async;

namespace async_detail {

// Where a coroutine's end meets the one who awaits it: whoever comes second goes on. So a chain of awaits that never
// wait needs no stack, whether or not the compiler makes a tail call of a transfer.
class Meeting {
 public:
  bool second() { return met_.exchange(true, std::memory_order_acq_rel); }
  void awaited_by(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  std::coroutine_handle<> waiter() const { return waiter_; }

 private:
  std::atomic<bool> met_ = false;
  std::coroutine_handle<> waiter_;
};

struct AtEnd {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
    Meeting& meeting = ended.promise().meeting;
    const std::coroutine_handle<> waiter = meeting.waiter();
    if (meeting.second()) waiter.resume();  // it frees this frame
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::suspend_always initial_suspend() const noexcept { return {}; }
  AtEnd final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { thrown = std::current_exception(); }

  Meeting meeting;
  std::exception_ptr thrown;
};

template <class T>
struct Promise : PromiseBase {
  Async<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
  T take() {
    if (thrown) std::rethrow_exception(std::move(thrown));
    return std::move(*value);
  }

  std::optional<T> value;
};

template <>
struct Promise<void> : PromiseBase {
  Async<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() {
    if (thrown) std::rethrow_exception(std::move(thrown));
  }
};

}  // namespace async_detail

template <class T>
class [[nodiscard]] Async {
 public:
  using promise_type = async_detail::Promise<T>;

  explicit Async(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  Async(Async&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Async& operator=(Async&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  // Also of one that waits: what it waits for then has nobody to tell.
  ~Async() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    async_detail::Meeting& meeting = frame_.promise().meeting;
    meeting.awaited_by(waiter);
    frame_.resume();
    return !meeting.second();
  }
  T await_resume() { return frame_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace async_detail {

template <class T>
Async<T> Promise<T>::get_return_object() noexcept {
  return Async<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}

inline Async<void> Promise<void>::get_return_object() noexcept {
  return Async<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace async_detail

// A coroutine that nobody awaits: it begins at once, frees itself when it has ended, and must not throw.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

}  // namespace skald::plugin

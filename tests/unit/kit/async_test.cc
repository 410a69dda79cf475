#include "plugins/sdk/async.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "plugins/sdk/later.h"
#include "plugins/sdk/wait.h"
#include "tests/unit/kit/attempt.h"

namespace skald::plugin {
namespace {

Async<int> number(int value) { co_return value; }

Async<int> sum(int terms) {
  int all = 0;
  for (int i = 0; i < terms; ++i) all += co_await number(1);
  co_return all;
}

Async<void> refuse() {
  throw std::runtime_error("not today");
  co_return;
}

// Tells when it dies.
struct Witness {
  int* dead;
  ~Witness() { ++*dead; }
};

TEST(Async, BeginsWhenItIsAwaited) {
  bool begun = false;
  struct Begin {
    static Async<void> now(bool& begun) {
      begun = true;
      co_return;
    }
  };
  Async<void> lazy = Begin::now(begun);
  EXPECT_FALSE(begun);
  begin(std::move(lazy)).get();
  EXPECT_TRUE(begun);
}

TEST(Async, GivesWhatItReturns) { EXPECT_EQ(begin(sum(3)).get(), 3); }

TEST(Async, ThrowsWhatItThrew) { EXPECT_THROW(begin(refuse()).get(), std::runtime_error); }

TEST(Async, AwaitsThatNeverWaitNeedNoStack) { EXPECT_EQ(begin(sum(1000000)).get(), 1000000); }

TEST(Async, OneThatIsNeverAwaitedIsFreed) {
  struct Hold {
    static Async<void> on(std::shared_ptr<int>) { co_return; }
  };
  const auto held = std::make_shared<int>(1);
  {
    const Async<void> never = Hold::on(held);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

// Waits for what its test tells, later.
struct Teller {
  Waiting<int>::Tell tell;

  static Async<int> heard(Executor& executor, Teller& teller, int& dead) {
    const Witness witness{&dead};
    Waiting<int> waiting(executor, [&teller](Waiting<int>::Tell tell) { teller.tell = std::move(tell); });
    co_return co_await waiting;
  }
  static Async<int> doubled(Executor& executor, Teller& teller, int& dead) {
    const Witness witness{&dead};
    const int value = co_await heard(executor, teller, dead);
    co_return 2 * value;
  }
};

TEST(Async, GoesOnWhenItIsTold) {
  Later pool(2);
  Teller teller;
  int dead = 0;
  std::future<int> result = begin(Teller::doubled(pool, teller, dead));
  teller.tell(21);
  EXPECT_EQ(result.get(), 42);
  EXPECT_EQ(dead, 2);
}

TEST(Async, ManyWaitsInOneCoroutineNeedNoStack) {
  Later pool(2);
  struct Many {
    static Async<int> waits(Executor& executor, int count) {
      int all = 0;
      for (int i = 0; i < count; ++i) {
        Waiting<int> waiting(executor, [](Waiting<int>::Tell tell) { tell(1); });
        all += co_await waiting;
      }
      co_return all;
    }
  };
  EXPECT_EQ(begin(Many::waits(pool, 20000)).get(), 20000);
}

// A coroutine that its owner may give up.
struct Owned {
  struct promise_type {
    Owned get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;

  static Owned drive(Async<int> running) { co_await running; }
};

TEST(Async, OneThatWaitsMayBeGivenUp) {
  Teller teller;
  int dead = 0;
  {
    Later pool(2);
    const Owned owned = Owned::drive(Teller::doubled(pool, teller, dead));
    owned.frame.destroy();
    EXPECT_EQ(dead, 2);
    teller.tell(1);  // nobody hears it
  }
  EXPECT_EQ(dead, 2);
}

TEST(Pause, Ends) {
  Later pool(1);
  Attempt attempt(pool);
  EXPECT_EQ(error_type(begin(pause(pool, attempt.context(), std::chrono::milliseconds(0)))), "");
  EXPECT_EQ(error_type(begin(pause(pool, attempt.context(), std::chrono::milliseconds(1)))), "");
}

TEST(Pause, EndsEarlyWhenTheAttemptIsCancelled) {
  Later pool(1);
  Attempt attempt(pool);
  auto paused = begin(pause(pool, attempt.context(), std::chrono::hours(1)));
  attempt.cancel();
  EXPECT_EQ(error_type(std::move(paused)), "ActivityCancelled");
}

TEST(Pause, EndsEarlyWhenThePluginStops) {
  Later pool(1);
  Attempt attempt(pool);
  auto paused = begin(pause(pool, attempt.context(), std::chrono::hours(1)));
  pool.hurry();
  EXPECT_EQ(error_type(std::move(paused)), "HostStopping");
}

}  // namespace
}  // namespace skald::plugin

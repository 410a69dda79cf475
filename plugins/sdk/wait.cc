#include "plugins/sdk/wait.h"

#include <algorithm>

namespace skald::plugin {
namespace {

constexpr std::chrono::milliseconds kLook(100);

struct Nothing {};

}  // namespace

ActivityError host_stopping() { return {"HostStopping", "the plugin is being shut down"}; }

Async<void> pause(Executor& executor, Context& context, std::chrono::milliseconds length) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + length;
  for (;;) {
    if (context.cancelled()) throw ActivityCancelled();
    if (executor.stopping()) throw host_stopping();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left <= std::chrono::milliseconds(0)) co_return;
    const auto slice = std::min(left, kLook);
    Waiting<Nothing> waiting(executor, [&executor, slice](Waiting<Nothing>::Tell tell) {
      executor.run(slice, [tell = std::move(tell)] { tell(Nothing()); });
    });
    co_await waiting;
  }
}

}  // namespace skald::plugin

#include "engine/shard/wake_index.h"

#include <algorithm>

namespace skald::shard {

WakeIndex::WakeIndex(const base::Clock& clock, base::Executor& executor, std::function<void(const store::RunKey&)> due)
    : clock_(clock), executor_(executor), due_(std::move(due)) {}

void WakeIndex::set(CachedRun& run, absl::Time wake) {
  if (wake == run.wake) return;
  erase(run);
  run.wake = wake;
  if (wake == absl::InfiniteFuture()) return;
  wakes_.emplace(std::pair(wake, run.serial), &run);
  arm();
}

void WakeIndex::erase(CachedRun& run) {
  if (run.wake != absl::InfiniteFuture()) wakes_.erase({run.wake, run.serial});
  run.wake = absl::InfiniteFuture();
}

void WakeIndex::leave(CachedRun& run) {
  const absl::Time wake = run.wake;
  erase(run);
  if (wake <= horizon_) sleeping_.insert({wake, run.key});
}

void WakeIndex::add_sleeping(absl::Time wake, store::RunKey key) {
  sleeping_.insert({wake, std::move(key)});
  arm();
}

void WakeIndex::arm() {
  absl::Time next = absl::InfiniteFuture();
  if (!wakes_.empty()) next = wakes_.begin()->first.first;
  if (!sleeping_.empty()) next = std::min(next, sleeping_.begin()->first);
  if (next >= armed_) return;
  armed_ = next;
  executor_.post_at(next, [this, next] {
    if (armed_ != next) return;  // An earlier one has taken over.
    armed_ = absl::InfiniteFuture();
    on_wake();
  });
}

void WakeIndex::on_wake() {
  const absl::Time now = clock_.now();
  while (!wakes_.empty() && wakes_.begin()->first.first <= now) {
    CachedRun* run = wakes_.begin()->second;
    erase(*run);
    due_(run->key);
  }
  while (!sleeping_.empty() && sleeping_.begin()->first <= now) {
    const store::RunKey key = sleeping_.extract(sleeping_.begin()).value().second;
    due_(key);
  }
  arm();
}

}  // namespace skald::shard

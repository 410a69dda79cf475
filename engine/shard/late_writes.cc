#include "engine/shard/late_writes.h"

#include <utility>

namespace skald::shard {
namespace {

// What is known to memory alone is written after this time at the latest, and along with others after half of it.
constexpr absl::Duration kLatest = absl::Milliseconds(900);
// Runs written in one turn of the loop.
constexpr int kMostInATurn = 200;

}  // namespace

LateWrites::LateWrites(const base::Clock& clock, base::Executor& executor, std::function<void(CachedRun&)> write)
    : clock_(clock), executor_(executor), write_(std::move(write)) {}

void LateWrites::note(CachedRun& run) {
  if (runs_.emplace(run.serial, &run).second) run.volatile_since = clock_.now();
  if (!armed_) arm(kLatest);
}

void LateWrites::arm(absl::Duration in) {
  armed_ = true;
  executor_.post_at(clock_.now() + in, [this] {
    armed_ = false;
    on_time();
  });
}

void LateWrites::on_time() {
  const absl::Time ripe = clock_.now() - kLatest / 2;
  int written = 0;
  for (auto next = runs_.begin(); next != runs_.end();) {
    CachedRun& run = *next->second;
    if (run.has_volatile && run.volatile_since > ripe) {
      ++next;
      continue;
    }
    if (run.has_volatile && ++written > kMostInATurn) return arm(absl::ZeroDuration());
    next = runs_.erase(next);
    if (run.has_volatile) write_(run);
  }
  if (!runs_.empty()) arm(kLatest / 2);
}

void LateWrites::write_all() {
  for (const auto& [serial, run] : std::exchange(runs_, {})) {
    if (run->has_volatile) write_(*run);
  }
}

}  // namespace skald::shard

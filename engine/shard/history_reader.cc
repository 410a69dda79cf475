#include "engine/shard/history_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kWaiterSweepInterval = absl::Milliseconds(500);
constexpr size_t kHistoryReadBytes = 4 << 20;

absl::Status damaged(const store::RunKey& key, const store::HistoryChunk& chunk) {
  return absl::DataLossError(absl::StrCat(
      "the history of workflow ", key.workflow_id, ", run ", key.run_id, ", is damaged in the store: events ",
      chunk.first_event_id, " to ", chunk.last_event_id, " cannot be read; `skald store check` tells what else is"));
}

}  // namespace

HistoryReader::HistoryReader(const base::Clock& clock, base::Executor& executor, store::Store& store)
    : clock_(clock), executor_(executor), store_(store) {}

std::optional<std::string> HistoryReader::in_memory(const CachedRun& run, int64_t from, int64_t to) {
  if (from < run.tail_first && from <= to) return std::nullopt;
  return std::string(slice_events(run.tail, run.tail_first, from, to));
}

void HistoryReader::read(const CachedRun& run, int64_t from, int64_t to, Done done) {
  if (auto events = in_memory(run, from, to)) return done(*std::move(events));
  // What lies before the tail is durable; the tail may change while the store is read, so its part is taken now.
  const int64_t last_stored = std::min(to, run.tail_first - 1);
  std::string rest(slice_events(run.tail, run.tail_first, std::max(from, run.tail_first), to));
  read_stored(run.key, from, last_stored, "", std::move(rest), std::move(done));
}

void HistoryReader::read_stored(const store::RunKey& key, int64_t from, int64_t last, std::string before,
                                std::string rest, Done done) {
  store_.read_history(key, from, last, kHistoryReadBytes,
                      [this, key, from, last, before = std::move(before), rest = std::move(rest),
                       done = std::move(done)](absl::StatusOr<std::vector<store::HistoryChunk>> chunks) mutable {
                        executor_.post([this, key = std::move(key), from, last, before = std::move(before),
                                        rest = std::move(rest), done = std::move(done),
                                        chunks = std::move(chunks)]() mutable {
                          if (!chunks.ok()) return done(chunks.status());
                          int64_t next = from;
                          for (const store::HistoryChunk& chunk : *chunks) {
                            if (!is_sound(chunk.bytes, chunk.first_event_id, chunk.last_event_id))
                              return done(damaged(key, chunk));
                            before += slice_events(chunk.bytes, chunk.first_event_id, next, last);
                            next = chunk.last_event_id + 1;
                          }
                          if (next > last) return done(before + rest);
                          if (chunks->empty()) {
                            return done(absl::DataLossError("a part of this run's history is missing in the store"));
                          }
                          read_stored(key, next, last, std::move(before), std::move(rest), std::move(done));
                        });
                      });
}

void HistoryReader::wait(CachedRun& run, HistoryWaiter waiter) {
  run.waiters.push_back(std::move(waiter));
  waited_for_.emplace(run.serial, &run);
  if (!sweeping_) sweep();
}

void HistoryReader::wake(CachedRun& run) { wake(run, /*all=*/false); }

void HistoryReader::end(CachedRun& run) { wake(run, /*all=*/true); }

void HistoryReader::wake(CachedRun& run, bool all) {
  if (run.waiters.empty()) return;
  const absl::Time now = clock_.now();
  std::vector<base::Task> woken;
  for (auto waiter = run.waiters.begin(); waiter != run.waiters.end();) {
    const bool came =
        run.durable_closed || (!waiter->until_closed && run.durable_last_event_id >= waiter->next_event_id);
    if (!all && !came && waiter->deadline > now) {
      ++waiter;
      continue;
    }
    woken.push_back(std::move(waiter->wake));
    waiter = run.waiters.erase(waiter);
  }
  if (run.waiters.empty()) waited_for_.erase(run.serial);
  for (base::Task& next : woken) next();
}

void HistoryReader::end_all() {
  const auto runs = waited_for_;
  for (const auto& [serial, run] : runs) end(*run);
}

void HistoryReader::sweep() {
  sweeping_ = !waited_for_.empty();
  if (!sweeping_) return;
  executor_.post_at(clock_.now() + kWaiterSweepInterval, [this] {
    const auto runs = waited_for_;
    for (const auto& [serial, run] : runs) wake(*run);
    sweep();
  });
}

}  // namespace skald::shard

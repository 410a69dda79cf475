// Time, and those who wait for it: due runs are ticked, sleeping ones are found by looking ahead in the store, and readers of history
// are woken by new events or their deadline.
#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/shard/owner.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kScanRetryInterval = absl::Seconds(1);
constexpr absl::Duration kWaiterSweepInterval = absl::Milliseconds(500);
constexpr size_t kHistoryReadBytes = 4 << 20;

absl::Status damaged(const store::RunKey& key, const store::HistoryChunk& chunk) {
  return absl::DataLossError(absl::StrCat(
      "the history of workflow ", key.workflow_id, ", run ", key.run_id, ", is damaged in the store: events ",
      chunk.first_event_id, " to ", chunk.last_event_id, " cannot be read; `skald store check` tells what else is"));
}

}  // namespace

void Owner::update_wake(CachedRun& run) {
  const absl::Time wake = core::next_wake(run.state);
  if (wake == run.wake) return;
  if (run.wake != absl::InfiniteFuture()) wakes_.erase({run.wake, run.serial});
  run.wake = wake;
  if (wake == absl::InfiniteFuture()) return;
  wakes_.emplace(std::pair(wake, run.serial), &run);
  arm();
}

void Owner::arm() {
  absl::Time next = absl::InfiniteFuture();
  if (!wakes_.empty()) next = wakes_.begin()->first.first;
  if (!distant_wakes_.empty()) next = std::min(next, distant_wakes_.begin()->first);
  if (next >= armed_) return;
  armed_ = next;
  parts_.executor.post_at(next, [this, next] {
    if (armed_ != next) return;  // An earlier one has taken over.
    armed_ = absl::InfiniteFuture();
    on_wake();
  });
}

void Owner::on_wake() {
  const absl::Time now = parts_.clock.now();
  while (!wakes_.empty() && wakes_.begin()->first.first <= now) {
    CachedRun* run = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    run->wake = absl::InfiniteFuture();
    tick(run->key);
  }
  while (!distant_wakes_.empty() && distant_wakes_.begin()->first <= now) {
    const store::RunKey key = distant_wakes_.extract(distant_wakes_.begin()).value().second;
    tick(key);
  }
  arm();
}

void Owner::tick(const store::RunKey& key) {
  submit(key.workflow(), key.run_id,
         [this](WorkflowEntry& entry, CachedRun* run) {
           if (run == nullptr) return;
           if (core::is_expired(run->state, now())) return remove(entry, *run);
           apply(entry, *run, core::Tick{}, [](const absl::Status&, core::Output&) {});
           update_wake(*run);
           // A workflow task that timed out gives its queries back.
           if (run->state.workflow_task().started_event_id() == 0) requeue_task_queries(*run);
           pump_queries(entry, *run);
         },
         [this, key](const absl::Status& status) {
           if (fatal_) return;
           spdlog::warn("workflow {} is due and cannot be read, next try in {}: {}", key.workflow_id, absl::FormatDuration(kScanRetryInterval),
                        base::text(status));
           parts_.executor.post_at(now() + kScanRetryInterval, [this, key] { tick(key); });
         });
}

// Retention is over: the run's rows go, and the run leaves memory when that is durable.
void Owner::remove(WorkflowEntry& entry, CachedRun& run) {
  if (run.batch != 0 || entry.busy) {
    parts_.executor.post_at(now() + kScanRetryInterval, [this, key = run.key] { tick(key); });
    return;
  }
  if (run.wake != absl::InfiniteFuture()) wakes_.erase({run.wake, run.serial});
  Gathering& group = gathering();
  group.deleted.push_back(run.key);
  wake_waiters(run, true);
  waited_for_.erase(run.serial);
  if (parts_.embedded != nullptr) parts_.embedded->forget(run.key.run_id);
  if (entry.current && entry.current->run_id == run.key.run_id) entry.current.reset();
  cached_bytes_ -= run.bytes;
  entry.runs.erase(run.key.run_id);
}

void Owner::scan_horizon(const std::string& after) {
  if (after.empty()) {
    if (scanning_horizon_) return;
    scanning_horizon_ = true;
    horizon_ = now() + parts_.owner_limits.wake_horizon;
  }
  parts_.store.scan_wake(parts_.lease, horizon_, after, parts_.owner_limits.scan_page, [this](auto page) {
    parts_.executor.post([this, page = std::move(page)]() mutable {
      if (!page.ok()) {
        scanning_horizon_ = false;
        if (!fatal_) parts_.executor.post_at(now() + kScanRetryInterval, [this] { scan_horizon(""); });
        return;
      }
      for (auto& [key, wake] : page->rows) {
        const auto entry = entries_.find({key.namespace_id, key.workflow_id});
        const bool cached = entry != entries_.end() && entry->second->runs.contains(key.run_id);
        if (!cached) distant_wakes_.insert({wake, std::move(key)});
      }
      arm();
      if (!page->next.empty()) return scan_horizon(page->next);
      scanning_horizon_ = false;
      parts_.executor.post_at(now() + parts_.owner_limits.wake_horizon / 2, [this] { scan_horizon(""); });
    });
  });
}

void Owner::scan_work(const std::string& after) {
  if (after.empty()) {
    if (scanning_work_) return;
    scanning_work_ = true;
  }
  parts_.store.scan_work(parts_.lease, after, parts_.owner_limits.scan_page, [this](auto page) {
    parts_.executor.post([this, page = std::move(page)]() mutable {
      if (!page.ok()) {
        scanning_work_ = false;
        if (!fatal_) parts_.executor.post_at(now() + kScanRetryInterval, [this] { scan_work(""); });
        return;
      }
      for (const store::RunKey& key : page->rows) {
        // A run that has to be loaded dispatches its tasks by itself.
        const auto entry = entries_.find({key.namespace_id, key.workflow_id});
        const bool cached = entry != entries_.end() && entry->second->runs.contains(key.run_id);
        submit(key.workflow(), key.run_id,
               [this, cached](WorkflowEntry& same, CachedRun* run) {
                 if (run == nullptr || !cached) return;
                 dispatch_all(*run);
                 drive(same, *run);
               },
               [this, key](const absl::Status&) { read_back_later(key); });
      }
      if (!page->next.empty()) return scan_work(page->next);
      scanning_work_ = false;
    });
  });
}

// A run that is loaded dispatches its tasks by itself.
void Owner::read_back(const store::RunKey& key) {
  submit(key.workflow(), key.run_id, [](WorkflowEntry&, CachedRun*) {}, [this, key](const absl::Status&) { read_back_later(key); });
}

void Owner::read_back_later(const store::RunKey& key) {
  if (fatal_) return;
  parts_.executor.post_at(now() + kScanRetryInterval, [this, key] { read_back(key); });
}

void Owner::scan_outbox(const std::string& after) {
  parts_.store.scan_outbox(parts_.lease, after, parts_.owner_limits.scan_page, [this](auto page) {
    parts_.executor.post([this, page = std::move(page)]() mutable {
      if (!page.ok()) {
        if (!fatal_) parts_.executor.post_at(now() + kScanRetryInterval, [this] { scan_outbox(""); });
        return;
      }
      for (const store::OutboxRow& row : page->rows) {
        core::state::OutboxMessage message;
        if (message.ParseFromString(row.message)) {
          parts_.deliver(message);
        } else {
          spdlog::error("the outbox message {} cannot be read and is left alone", row.id);
        }
      }
      if (!page->next.empty()) scan_outbox(page->next);
    });
  });
}

void Owner::work_scan() {
  parts_.executor.post([this] { scan_work(""); });
}

std::optional<std::string> Owner::events_in_memory(const CachedRun& run, int64_t from, int64_t to) const {
  if (from < run.tail_first && from <= to) return std::nullopt;
  return std::string(slice_events(run.tail, run.tail_first, from, to));
}

void Owner::read_events(CachedRun& run, int64_t from, int64_t to, absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  if (auto events = events_in_memory(run, from, to)) return done(*std::move(events));
  // What lies before the tail is durable; the tail may change while the store is read, so its part is taken now.
  const int64_t last_stored = std::min(to, run.tail_first - 1);
  std::string rest(slice_events(run.tail, run.tail_first, std::max(from, run.tail_first), to));
  read_stored(run.key, from, last_stored, "", std::move(rest), std::move(done));
}

void Owner::read_stored(const store::RunKey& key, int64_t from, int64_t last, std::string before, std::string rest,
                        absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  parts_.store.read_history(
      key, from, last, kHistoryReadBytes,
      [this, key, from, last, before = std::move(before), rest = std::move(rest), done = std::move(done)](auto chunks) mutable {
        parts_.executor.post([this, key = std::move(key), from, last, before = std::move(before), rest = std::move(rest), done = std::move(done),
                              chunks = std::move(chunks)]() mutable {
          if (!chunks.ok()) return done(chunks.status());
          int64_t next = from;
          for (const store::HistoryChunk& chunk : *chunks) {
            if (!is_sound(chunk.bytes, chunk.first_event_id, chunk.last_event_id)) return done(damaged(key, chunk));
            before += slice_events(chunk.bytes, chunk.first_event_id, next, last);
            next = chunk.last_event_id + 1;
          }
          if (next > last) return done(before + rest);
          if (chunks->empty()) return done(absl::DataLossError("a part of this run's history is missing in the store"));
          read_stored(key, next, last, std::move(before), std::move(rest), std::move(done));
        });
      });
}

void Owner::wait_for_events(CachedRun& run, HistoryWaiter waiter) {
  run.waiters.push_back(std::move(waiter));
  waited_for_.emplace(run.serial, &run);
  if (!sweeping_) sweep_waiters();
}

void Owner::wake_waiters(CachedRun& run, bool all) {
  if (run.waiters.empty()) return;
  const absl::Time now = parts_.clock.now();
  std::vector<base::Task> woken;
  for (auto waiter = run.waiters.begin(); waiter != run.waiters.end();) {
    const bool came = run.durable_closed || (!waiter->until_closed && run.durable_last_event_id >= waiter->next_event_id);
    if (!all && !came && waiter->deadline > now) {
      ++waiter;
      continue;
    }
    woken.push_back(std::move(waiter->wake));
    waiter = run.waiters.erase(waiter);
  }
  if (run.waiters.empty() && run.queries.empty() && run.task_queries.empty()) waited_for_.erase(run.serial);
  for (base::Task& wake : woken) wake();
}

void Owner::end_waits() {
  parts_.executor.post([this] {
    const auto runs = waited_for_;
    for (const auto& [serial, run] : runs) {
      end_queries(*run, absl::UnavailableError("the server is stopping; try again"));
      wake_waiters(*run, true);
    }
  });
}

void Owner::sweep_waiters() {
  sweeping_ = !waited_for_.empty();
  if (!sweeping_) return;
  parts_.executor.post_at(now() + kWaiterSweepInterval, [this] {
    const auto runs = waited_for_;
    for (const auto& [serial, run] : runs) {
      wake_waiters(*run, false);
      sweep_queries(*run);
    }
    sweep_waiters();
  });
}

}  // namespace skald::shard

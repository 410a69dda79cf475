#include "engine/matching/matching.h"

#include <absl/hash/hash.h>

#include <algorithm>

#include <utility>

namespace skald::matching {

Matching::Matching(const base::Clock& clock, base::Executor& executor, MatchingOptions options)
    : clock_(clock), executor_(executor), options_(options) {
  schedule_sweep();
}

Matching::Shard& Matching::shard_of(const QueueKey& key) const { return shards_[absl::Hash<QueueKey>{}(key) % shards_.size()]; }

Matching::PollId Matching::poll(const QueueKey& key, Poller poller, PollDone done) {
  const PollId id = next_id_.fetch_add(1, std::memory_order_relaxed);
  if (stopped_) {
    done(std::nullopt);
    return id;
  }
  const absl::Time now = clock_.now();
  std::optional<TaskRef> task;
  bool room = false;
  {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Queue& queue = shard.queues[key];
    queue.last_poll = queue.last_use = now;
    queue.identities[poller.identity] = now;
    if (!queue.tasks.empty()) {
      task = std::move(queue.tasks.front());
      queue.tasks.pop_front();
      room = queue.refused && queue.tasks.size() < options_.backlog_per_queue / 2;
      if (room) queue.refused = false;
    } else if (queue.parked.size() < options_.pollers_per_queue && !stopped_) {
      queue.parked.push_back({id, std::move(poller), std::move(done)});
      return id;
    }
  }
  done(std::move(task));
  if (room) {
    const std::lock_guard lock(room_mutex_);
    for (auto& callback : room_callbacks_) callback();
  }
  return id;
}

void Matching::end_poll(const QueueKey& key, PollId id) {
  PollDone done;
  {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto queue = shard.queues.find(key);
    if (queue == shard.queues.end()) return;
    for (auto parked = queue->second.parked.begin(); parked != queue->second.parked.end(); ++parked) {
      if (parked->id != id) continue;
      done = std::move(parked->done);
      queue->second.parked.erase(parked);
      break;
    }
  }
  if (done) done(std::nullopt);
}

void Matching::end_polls(const QueueKey& key, std::string_view identity) {
  std::vector<PollDone> ended;
  {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.queues.find(key);
    if (found == shard.queues.end()) return;
    Queue& queue = found->second;
    for (auto parked = queue.parked.begin(); parked != queue.parked.end();) {
      if (!identity.empty() && parked->poller.identity != identity) {
        ++parked;
        continue;
      }
      ended.push_back(std::move(parked->done));
      parked = queue.parked.erase(parked);
    }
    if (identity.empty()) {
      queue.identities.clear();
    } else {
      queue.identities.erase(std::string(identity));
    }
    if (queue.identities.empty()) queue.last_poll = absl::InfinitePast();
  }
  for (PollDone& done : ended) done(std::nullopt);
}

Matching::Added Matching::add(const QueueKey& key, TaskRef task) {
  PollDone done;
  {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Queue& queue = shard.queues[key];
    queue.last_use = clock_.now();
    if (queue.parked.empty()) {
      if (queue.tasks.size() >= options_.backlog_per_queue) {
        queue.refused = true;
        return Added::kFull;
      }
      queue.tasks.push_back(std::move(task));
      return Added::kQueued;
    }
    done = std::move(queue.parked.front().done);
    queue.parked.pop_front();
  }
  done(std::move(task));
  return Added::kMatched;
}

bool Matching::polled_since(const QueueKey& key, absl::Time since) const {
  const Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto queue = shard.queues.find(key);
  return queue != shard.queues.end() && (!queue->second.parked.empty() || queue->second.last_poll > since);
}

std::vector<PollerInfo> Matching::pollers(const QueueKey& key) const {
  std::vector<PollerInfo> result;
  const Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto queue = shard.queues.find(key);
  if (queue == shard.queues.end()) return result;
  for (const auto& [identity, last_access] : queue->second.identities) result.push_back({identity, last_access});
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.identity < b.identity; });
  return result;
}

size_t Matching::backlog(const QueueKey& key) const {
  const Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto queue = shard.queues.find(key);
  return queue == shard.queues.end() ? 0 : queue->second.tasks.size();
}

void Matching::on_room(absl::AnyInvocable<void()> callback) {
  const std::lock_guard lock(room_mutex_);
  room_callbacks_.push_back(std::move(callback));
}

void Matching::stop() {
  stopped_ = true;
  *alive_ = false;
  std::vector<PollDone> ended;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto& [key, queue] : shard.queues) {
      for (Parked& parked : queue.parked) ended.push_back(std::move(parked.done));
      queue.parked.clear();
    }
  }
  for (PollDone& done : ended) done(std::nullopt);
}

void Matching::schedule_sweep() {
  executor_.post_at(clock_.now() + options_.sweep_interval, [this, alive = alive_] {
    if (!*alive) return;
    sweep();
    schedule_sweep();
  });
}

void Matching::sweep() {
  const absl::Time now = clock_.now();
  std::vector<PollDone> ended;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto entry = shard.queues.begin(); entry != shard.queues.end();) {
      Queue& queue = entry->second;
      for (auto parked = queue.parked.begin(); parked != queue.parked.end();) {
        if (parked->poller.deadline > now) {
          ++parked;
          continue;
        }
        ended.push_back(std::move(parked->done));
        parked = queue.parked.erase(parked);
      }
      absl::erase_if(queue.identities, [&](const auto& seen) { return seen.second < now - options_.idle_queue_life; });
      const bool idle = queue.parked.empty() && queue.tasks.empty() && queue.last_use < now - options_.idle_queue_life;
      // A queue's entry goes only while it says nothing; erase keeps other iterators valid.
      if (idle) {
        shard.queues.erase(entry++);
      } else {
        ++entry;
      }
    }
  }
  for (PollDone& done : ended) done(std::nullopt);
}

}  // namespace skald::matching

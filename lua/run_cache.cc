#include "lua/run_cache.h"

#include <utility>
#include <vector>

namespace skald::lua {

std::unique_ptr<Run> RunCache::take(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found == entries_.end() || found->second.run == nullptr) return nullptr;
  std::unique_ptr<Run> run = std::move(found->second.run);
  erase(found);
  return run;
}

void RunCache::lend(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(std::string(run_id), Entry{});
}

void RunCache::give_back(std::unique_ptr<Run> run) {
  std::vector<std::unique_ptr<Run>> evicted;  // freed outside of the lock
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(run->identity().run_id);
  if (found == entries_.end() || found->second.run != nullptr) {
    evicted.push_back(std::move(run));
    return;
  }
  uses_.push_front(found->first);
  found->second.bytes = run->memory_bytes();
  found->second.run = std::move(run);
  found->second.use = uses_.begin();
  bytes_ += found->second.bytes;
  while (uses_.size() > most_runs_ || (bytes_ > most_bytes_ && uses_.size() > 1)) {
    const auto oldest = entries_.find(uses_.back());
    evicted.push_back(std::move(oldest->second.run));
    erase(oldest);
  }
}

void RunCache::drop_lent(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found != entries_.end() && found->second.run == nullptr) entries_.erase(found);
}

void RunCache::forget(std::string_view run_id) {
  std::unique_ptr<Run> forgotten;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found == entries_.end()) return;
  if (found->second.run == nullptr) {
    entries_.erase(found);
    return;
  }
  forgotten = std::move(found->second.run);
  erase(found);
}

size_t RunCache::runs() const {
  const std::lock_guard lock(mutex_);
  return uses_.size();
}

size_t RunCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void RunCache::erase(absl::flat_hash_map<std::string, Entry>::iterator entry) {
  bytes_ -= entry->second.bytes;
  uses_.erase(entry->second.use);
  entries_.erase(entry);
}

}  // namespace skald::lua

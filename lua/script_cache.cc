#include "lua/script_cache.h"

#include <utility>
#include <vector>

#include <absl/cleanup/cleanup.h>

namespace skald::lua {

std::unique_ptr<Script> ScriptCache::take(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found == entries_.end() || found->second.script == nullptr) return nullptr;
  std::unique_ptr<Script> script = std::move(found->second.script);
  erase(found);
  return script;
}

void ScriptCache::lend(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(std::string(run_id), Entry{});
}

void ScriptCache::give_back(std::unique_ptr<Script> script) {
  std::vector<std::unique_ptr<Script>> evicted;
  const absl::Cleanup outside_of_the_lock = [&] {
    for (auto& each : evicted) bury(std::move(each));
  };
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(script->identity().run_id);
  if (found == entries_.end() || found->second.script != nullptr) {
    evicted.push_back(std::move(script));
    return;
  }
  uses_.push_front(found->first);
  found->second.bytes = script->memory_bytes();
  found->second.script = std::move(script);
  found->second.use = uses_.begin();
  bytes_ += found->second.bytes;
  while (uses_.size() > most_runs_ || (bytes_ > most_bytes_ && uses_.size() > 1)) {
    const auto oldest = entries_.find(uses_.back());
    evicted.push_back(std::move(oldest->second.script));
    erase(oldest);
  }
}

void ScriptCache::drop_lent(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found != entries_.end() && found->second.script == nullptr) entries_.erase(found);
}

void ScriptCache::forget(std::string_view run_id) {
  std::unique_ptr<Script> forgotten;
  const absl::Cleanup outside_of_the_lock = [&] { bury(std::move(forgotten)); };
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(std::string(run_id));
  if (found == entries_.end()) return;
  if (found->second.script == nullptr) {
    entries_.erase(found);
    return;
  }
  forgotten = std::move(found->second.script);
  erase(found);
}

void ScriptCache::bury(std::unique_ptr<Script> script) const {
  if (script == nullptr || bury_ == nullptr || script->memory_bytes() < kBuriedFrom) return;
  bury_(std::move(script));
}

size_t ScriptCache::runs() const {
  const std::lock_guard lock(mutex_);
  return uses_.size();
}

size_t ScriptCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void ScriptCache::erase(absl::flat_hash_map<std::string, Entry>::iterator entry) {
  bytes_ -= entry->second.bytes;
  uses_.erase(entry->second.use);
  entries_.erase(entry);
}

}  // namespace skald::lua

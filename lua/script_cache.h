#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lua/script.h"

namespace skald::lua {

// Runs that wait for their next workflow task, so that it need not replay their history. Bounded in number and bytes;
// the ones longest unused go first. Thread-safe.
class ScriptCache {
 public:
  // Where a script goes whose memory takes long to free; without one it is freed at once.
  using Burial = std::function<void(std::unique_ptr<Script>)>;
  static constexpr size_t kBuriedFrom = 1 << 20;

  ScriptCache(size_t most_runs, size_t most_bytes) : most_runs_(most_runs), most_bytes_(most_bytes) {}

  // Hands the run out: from now on it is the caller's, and is not in the cache. Null if it is not there.
  std::unique_ptr<Script> take(std::string_view run_id);
  // Notes that the caller works on a run that it may give back.
  void lend(std::string_view run_id);
  // Takes it back, unless it was forgotten meanwhile.
  void give_back(std::unique_ptr<Script> script);
  // The lent run will not come back.
  void drop_lent(std::string_view run_id);
  void forget(std::string_view run_id);

  // Before the first script comes.
  void bury_with(Burial bury) { bury_ = std::move(bury); }
  void bury(std::unique_ptr<Script> script) const;

  size_t runs() const;
  size_t bytes() const;

 private:
  struct Entry {
    std::unique_ptr<Script> script;  // null while lent
    size_t bytes = 0;
    std::list<std::string>::iterator use;
  };

  void erase(absl::flat_hash_map<std::string, Entry>::iterator entry);

  Burial bury_;
  const size_t most_runs_;
  const size_t most_bytes_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::list<std::string> uses_;  // of runs that are here; most recent first
  size_t bytes_ = 0;
};

}  // namespace skald::lua

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugins/sdk/activity_failure.h"
#include "plugins/sdk/effect_request.h"
#include "plugins/sdk/effect_store.h"

namespace skald::plugin {

// Reads beside the ledger's writes, a few at a time, each with a connection of its own on which the tables stand still
// as they were committed when it began. However long one takes, it holds up no effect. Thread-safe.
class EffectReads {
 public:
  using Answer = std::function<void(std::string outcome, std::optional<ActivityFailure> failure)>;

  // `writer` outlives it and makes its connections.
  explicit EffectReads(const LedgerStore& writer) : writer_(writer) {}
  ~EffectReads();  // answers what is queued

  void read(EffectRequest request, Answer answer);

 private:
  struct Read {
    EffectRequest request;
    Answer answer;
  };
  void work();
  std::optional<Read> next();

  const LedgerStore& writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Read> queue_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skald::plugin

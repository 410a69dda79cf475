#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin {

// Which effect this is. `key` names the step by its business key ("reserve/17"), so that an action and its compensation
// find each other whatever activity ids they have. An empty key: a read, or an effect that may repeat; nothing is
// recorded.
struct EffectKey {
  std::string key;
  std::string undoes;  // a compensation: the key of its action
};

// Applies effects at most once. Each effect is a closure over the store; its outcome is recorded in the same
// transaction, and a repetition gets the recorded outcome. All effects that wait are committed together; each has a
// savepoint, so one that throws changes nothing, is not recorded, and leaves its neighbours alone. A compensation
// without its action leaves a mark and does nothing; an action that meets a compensation is refused with ActivityError
// "AlreadyCompensated". Thread-safe; answers come on the writer's thread after the commit.
class EffectLedger {
 public:
  using Body = std::function<std::string(EffectStore&)>;
  using Answer = std::function<void(std::string outcome, std::exception_ptr error)>;

  explicit EffectLedger(std::unique_ptr<EffectStore> store);
  ~EffectLedger();  // commits what is queued

  void apply(EffectKey key, Body body, Answer answer);

 private:
  struct Effect {
    EffectKey key;
    Body body;
    Answer answer;
    std::string outcome;
    std::exception_ptr error;
  };

  void write();
  void commit(std::deque<Effect>& batch);
  void attempt(Effect& effect);
  std::string once(Effect& effect);

  std::unique_ptr<EffectStore> store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Effect> queue_;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace skald::plugin

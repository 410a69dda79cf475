#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "plugins/sdk/activity_failure.h"
#include "plugins/sdk/effect_store.h"

namespace skald::plugin {

// One key from its parts, unambiguous whatever the parts contain: {"default", "order/1", "pay", "1"} is
// "default/order%2F1/pay/1".
std::string effect_key(std::initializer_list<std::string_view> parts);

// One effect that is to happen at most once.
//
// Its outcome is recorded under `key` in the transaction of `run`; a repetition gets the recorded outcome. An empty
// key: a read, nothing is recorded. A repetition whose `binding` differs is refused ("IdempotencyConflict"): it is
// another effect under the same name.
//
// A compensation names its action's key in `undoes`. It closes the door first: an action that comes later is refused
// ("AlreadyCompensated") and does nothing. If the action was not recorded there is nothing to undo, and `run` is called
// only when there is a `partner`, who may know more than we do.
//
// `partner` is what somebody else does, who keeps books of his own. What it wrote stays when `run` throws, or when
// `lose_answer` has the sandbox forget the answer: so the next attempt must ask him before it asks him to do anything.
struct EffectRequest {
  std::string key;
  std::string undoes;
  std::string binding;
  std::function<void(EffectStore&)> partner;
  std::function<std::string(EffectStore&)> run;
  bool lose_answer = false;
};

// Applies effects, all that wait in one commit. One that throws changes nothing, is not recorded, and leaves its
// neighbours alone. A batch may be applied several times before one commit counts: closures must not keep what they
// did. If a batch cannot be committed its effects fail, retryably ("DatabaseUnavailable"); whether they happened the
// next attempt finds out from the records. Several ledgers, of several processes too, may share one database.
//
// Thread-safe; answers come on a thread of the ledger after the commit, and must not block.
class EffectLedger {
 public:
  using Answer = std::function<void(std::string outcome, std::optional<ActivityFailure> failure)>;

  explicit EffectLedger(std::unique_ptr<LedgerStore> store);
  ~EffectLedger();  // commits and answers what is queued

  void apply(EffectRequest request, Answer answer);

 private:
  struct Effect {
    EffectRequest request;
    Answer answer;
    std::string outcome;
    std::optional<ActivityFailure> failure;
  };
  // A thread that works through batches of effects; while it does, the next batch gathers.
  class Stage {
   public:
    explicit Stage(std::function<void(std::vector<Effect>)> work);
    ~Stage();  // works off what is queued
    void push(Effect effect);
    void push(std::vector<Effect> effects);

   private:
    std::function<void(std::vector<Effect>)> work_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Effect> queue_;
    bool idle_ = false, stopping_ = false;
    std::thread thread_;
  };

  void commit(std::vector<Effect>& batch);
  void apply_batch(std::vector<Effect>& batch, bool careful);
  void attempt(Effect& effect);
  bool try_once(Effect& effect);
  std::string once(const EffectRequest& request);
  bool close_door(const std::string& action);

  std::unique_ptr<LedgerStore> store_;
  std::unique_ptr<Stage> answers_, writes_;  // destroyed in reverse: writes first
};

}  // namespace skald::plugin

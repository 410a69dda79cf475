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
#include "plugins/sdk/effect_book.h"
#include "plugins/sdk/effect_id.h"
#include "plugins/sdk/effect_reads.h"
#include "plugins/sdk/effect_request.h"
#include "plugins/sdk/effect_store.h"

namespace skald::plugin {

// Applies effects, all that wait in one commit. One that throws changes nothing, is not recorded, and leaves its
// neighbours alone. A batch may be applied several times before one commit counts: closures must not keep what they
// did. If a batch cannot be committed its effects fail, retryably ("DatabaseUnavailable"); whether they happened the
// next attempt finds out from the records. Several ledgers, of several processes too, may share one database.
//
// What only reads is done beside them (effect_reads.h): it sees what was committed when it began.
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

  std::unique_ptr<LedgerStore> store_;
  std::unique_ptr<EffectBook> book_;
  std::unique_ptr<Stage> answers_, writes_;  // destroyed in reverse: writes first
  std::unique_ptr<EffectReads> reads_;
};

}  // namespace skald::plugin

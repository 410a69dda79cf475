#include "plugins/sdk/effect_ledger.h"

#include <chrono>
#include <iterator>
#include <random>
#include <utility>

namespace skald::plugin {
namespace {

constexpr size_t kBatch = 1000;
// How often a batch is applied before its effects fail, and until when.
constexpr int kAttempts = 6;
constexpr std::chrono::seconds kPatience(10);

// A key's state. Refused: its compensation came first. A compensated one had been done.
constexpr int64_t kDone = 1;
constexpr int64_t kCompensated = 2;
constexpr int64_t kRefused = 3;

constexpr std::string_view kFind = "SELECT state, binding, outcome FROM effects WHERE effect_key = ?";
constexpr std::string_view kRecord = "INSERT INTO effects (effect_key, state, binding, outcome) VALUES (?, ?, ?, ?)";

// Who was in our way must not be met again at the same place: some milliseconds, longer each time, and by chance.
std::chrono::milliseconds pause_after(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 10 * attempt)(random));
}

}  // namespace

std::string effect_key(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const std::string_view& part : parts) {
    if (&part != parts.begin()) key += '/';
    for (const char c : part) {
      if (c == '/') {
        key += "%2F";
      } else if (c == '%') {
        key += "%25";
      } else {
        key += c;
      }
    }
  }
  return key;
}

EffectLedger::Stage::Stage(std::function<void(std::vector<Effect>)> work) : work_(std::move(work)) {
  thread_ = std::thread([this] {
    for (;;) {
      std::vector<Effect> batch;
      {
        std::unique_lock lock(mutex_);
        idle_ = true;
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        idle_ = false;
        if (queue_.empty()) return;
        if (queue_.size() <= kBatch) {
          batch.swap(queue_);
        } else {
          const auto end = queue_.begin() + kBatch;
          batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
          queue_.erase(queue_.begin(), end);
        }
      }
      work_(std::move(batch));
    }
  });
}

EffectLedger::Stage::~Stage() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EffectLedger::Stage::push(Effect effect) {
  bool wake;
  {
    std::lock_guard lock(mutex_);
    wake = idle_;
    queue_.push_back(std::move(effect));
  }
  if (wake) wake_.notify_one();
}

void EffectLedger::Stage::push(std::vector<Effect> effects) {
  bool wake;
  {
    std::lock_guard lock(mutex_);
    wake = idle_;
    if (queue_.empty()) {
      queue_ = std::move(effects);
    } else {
      std::move(effects.begin(), effects.end(), std::back_inserter(queue_));
    }
  }
  if (wake) wake_.notify_one();
}

EffectLedger::EffectLedger(std::unique_ptr<LedgerStore> store) : store_(std::move(store)) {
  store_->run(
      "CREATE TABLE IF NOT EXISTS effects (effect_key VARCHAR(2048) NOT NULL PRIMARY KEY, state INTEGER NOT NULL, "
      "binding TEXT NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID");
  answers_ = std::make_unique<Stage>([](std::vector<Effect> batch) {
    for (Effect& effect : batch) effect.answer(std::move(effect.outcome), std::move(effect.failure));
  });
  writes_ = std::make_unique<Stage>([this](std::vector<Effect> batch) {
    commit(batch);
    answers_->push(std::move(batch));
  });
}

EffectLedger::~EffectLedger() = default;

void EffectLedger::apply(EffectRequest request, Answer answer) {
  writes_->push(Effect{std::move(request), std::move(answer), {}, {}});
}

void EffectLedger::commit(std::vector<Effect>& batch) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  ActivityFailure failure;
  bool again = true;
  for (int attempt = 1; again; ++attempt) {
    try {
      return apply_batch(batch, attempt > 1);
    } catch (const RepeatBatch& e) {
      store_->rollback();
      failure = {"DatabaseUnavailable", e.what(), "", false};
      if (!e.soon) std::this_thread::sleep_for(pause_after(attempt));
      again = attempt < kAttempts && std::chrono::steady_clock::now() < give_up;
    } catch (...) {
      failure = current_failure();
      store_->rollback();
      again = false;
    }
  }
  for (Effect& effect : batch) effect.failure = failure;
}

void EffectLedger::apply_batch(std::vector<Effect>& batch, bool careful) {
  const auto keys = [&batch] {
    std::vector<std::string> all;
    for (const Effect& effect : batch) {
      for (const std::string* key : {&effect.request.key, &effect.request.undoes}) {
        if (!key->empty()) all.push_back(*key);
      }
    }
    return all;
  };
  store_->begin(keys, careful);
  for (Effect& effect : batch) attempt(effect);
  store_->commit();
}

void EffectLedger::attempt(Effect& effect) {
  if (try_once(effect)) return;
  try_once(effect);  // what another ledger has recorded in the meantime is seen now
}

// False: there is a row that was not there a moment before.
bool EffectLedger::try_once(Effect& effect) {
  effect.failure.reset();
  store_->mark();
  bool duplicate = false;
  try {
    effect.outcome = once(effect.request);
    return true;
  } catch (const RepeatBatch&) {
    throw;
  } catch (const DuplicateRow&) {
    duplicate = true;
    effect.failure = current_failure();
  } catch (...) {
    effect.failure = current_failure();
  }
  store_->undo();
  return !duplicate;
}

std::string EffectLedger::once(const EffectRequest& request) {
  const auto& [key, undoes, binding, partner, run, lose_answer] = request;
  if (key.empty()) return run(*store_);
  const auto seen = store_->run(kFind, {key});
  if (!seen.empty()) {
    if (number(seen[0][0]) != kDone)
      throw ActivityError("AlreadyCompensated", key + " was compensated: it is not done any more", true);
    if (text(seen[0][1]) != binding) {
      throw ActivityError("IdempotencyConflict",
                          key + " was done with " + text(seen[0][1]) + ", and is now asked for with " + binding +
                              ": give what is another effect a reference of its own",
                          true);
    }
    return text(seen[0][2]);
  }
  const bool action_recorded = undoes.empty() || close_door(undoes);
  if (partner) {
    partner(*store_);
    store_->mark();
    if (lose_answer) throw ActivityError("AnswerLost", "the sandbox was told to lose the answer to " + key);
  }
  std::string outcome = action_recorded || partner ? run(*store_) : R"({"undone":false})";
  store_->run(kRecord, {key, kDone, binding, outcome});
  return outcome;
}

// From now on the action is refused. False: it was never recorded.
bool EffectLedger::close_door(const std::string& action) {
  const auto seen = store_->run(kFind, {action});
  if (seen.empty()) {
    store_->run(kRecord, {action, kRefused, std::string(), std::string()});
    return false;
  }
  if (number(seen[0][0]) == kDone)
    store_->run("UPDATE effects SET state = ? WHERE effect_key = ?", {kCompensated, action});
  return number(seen[0][0]) != kRefused;
}

}  // namespace skald::plugin

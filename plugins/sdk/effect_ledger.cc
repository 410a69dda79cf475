#include "plugins/sdk/effect_ledger.h"

#include <chrono>
#include <iterator>
#include <random>
#include <utility>

#include "plugins/sdk/apply_effect.h"

namespace skald::plugin {
namespace {

constexpr size_t kBatch = 1000;
// How often a batch is applied before its effects fail, and until when.
constexpr int kAttempts = 6;
constexpr std::chrono::seconds kPatience(10);

// Who was in our way must not be met again at the same place: some milliseconds, longer each time, and by chance.
std::chrono::milliseconds pause_after(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 10 * attempt)(random));
}

}  // namespace

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
  EffectBook::create_tables(*store_);
  book_ = std::make_unique<EffectBook>(*store_);
  reads_ = std::make_unique<EffectReads>(*store_);
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
  if (request.reads) return reads_->read(std::move(request), std::move(answer));
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
  const auto keys = [this, &batch] {
    std::vector<std::string> all;
    for (const Effect& effect : batch) {
      std::vector<std::string> some = keys_of(effect.request, book_->knows_former());
      std::move(some.begin(), some.end(), std::back_inserter(all));
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
    const EffectRequest& request = effect.request;
    effect.outcome =
        request.key.empty() ? read_effect(*store_, *book_, request) : apply_effect(*store_, *book_, request);
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

}  // namespace skald::plugin

#include "plugins/sdk/effect_ledger.h"

#include <utility>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {
namespace {
constexpr size_t kBatch = 1000;
constexpr int64_t kDone = 1;
constexpr int64_t kCompensated = 2;
}  // namespace

EffectLedger::EffectLedger(std::unique_ptr<EffectStore> store) : store_(std::move(store)) {
  store_->run(
      "CREATE TABLE IF NOT EXISTS effects (effect_key VARCHAR(255) NOT NULL PRIMARY KEY, state INTEGER NOT NULL, "
      "outcome TEXT NOT NULL)");
  writer_ = std::thread([this] { write(); });
}

EffectLedger::~EffectLedger() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  writer_.join();
}

void EffectLedger::apply(EffectKey key, Body body, Answer answer) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({std::move(key), std::move(body), std::move(answer), {}, {}});
  }
  wake_.notify_one();
}

void EffectLedger::write() {
  for (;;) {
    std::deque<Effect> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < kBatch) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    commit(batch);
    for (Effect& effect : batch) effect.answer(std::move(effect.outcome), effect.error);
  }
}

void EffectLedger::commit(std::deque<Effect>& batch) {
  try {
    store_->run("BEGIN");
    for (Effect& effect : batch) attempt(effect);
    store_->run("COMMIT");
  } catch (...) {
    for (Effect& effect : batch) effect.error = std::current_exception();
    try {
      store_->run("ROLLBACK");
    } catch (const std::exception&) {  // the database has rolled back by itself
    }
  }
}

void EffectLedger::attempt(Effect& effect) {
  store_->run("SAVEPOINT effect");
  try {
    effect.outcome = once(effect);
  } catch (...) {
    effect.error = std::current_exception();
    store_->run("ROLLBACK TO SAVEPOINT effect");
  }
  store_->run("RELEASE SAVEPOINT effect");
}

std::string EffectLedger::once(Effect& effect) {
  const auto& [key, undoes] = effect.key;
  if (key.empty()) return effect.body(*store_);
  const std::string find = "SELECT state, outcome FROM effects WHERE effect_key = ?";
  const auto seen = store_->run(find, {key});
  if (!seen.empty()) {
    if (number(seen[0][0]) == kDone) return text(seen[0][1]);
    throw ActivityError("AlreadyCompensated", key + " was compensated before it came: it is not done any more", true);
  }
  std::string outcome;
  if (undoes.empty()) {
    outcome = effect.body(*store_);
  } else if (store_->run(find, {undoes}).empty()) {
    store_->run("INSERT INTO effects (effect_key, state, outcome) VALUES (?, ?, ?)",
                {undoes, kCompensated, std::string("{}")});
    outcome = R"({"undone":false})";
  } else {
    outcome = effect.body(*store_);
    store_->run("UPDATE effects SET state = ? WHERE effect_key = ?", {kCompensated, undoes});
  }
  store_->run("INSERT INTO effects (effect_key, state, outcome) VALUES (?, ?, ?)", {key, kDone, outcome});
  return outcome;
}

}  // namespace skald::plugin

#include "plugins/sdk/effect_reads.h"

#include <utility>

#include "plugins/sdk/apply_effect.h"

namespace skald::plugin {
namespace {

constexpr size_t kMostReaders = 4;

// A connection, opened when it is first needed and again after an error.
struct Reader {
  std::unique_ptr<LedgerStore> store;
  std::unique_ptr<EffectBook> book;
};

std::string read_once(Reader& reader, const LedgerStore& writer, const EffectRequest& request) {
  if (reader.store == nullptr) {
    reader.store = writer.reader();
    reader.book = std::make_unique<EffectBook>(*reader.store);
  }
  reader.store->begin([] { return std::vector<std::string>(); }, true);
  std::string outcome = read_effect(*reader.store, *reader.book, request);
  reader.store->commit();
  return outcome;
}

}  // namespace

EffectReads::~EffectReads() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void EffectReads::read(EffectRequest request, Answer answer) {
  std::lock_guard lock(mutex_);
  queue_.push_back({std::move(request), std::move(answer)});
  if (idle_ < queue_.size() && threads_.size() < kMostReaders) threads_.emplace_back([this] { work(); });
  wake_.notify_one();
}

std::optional<EffectReads::Read> EffectReads::next() {
  std::unique_lock lock(mutex_);
  ++idle_;
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  --idle_;
  if (queue_.empty()) return std::nullopt;
  Read read = std::move(queue_.front());
  queue_.pop_front();
  return read;
}

void EffectReads::work() {
  Reader reader;
  while (auto read = next()) {
    std::string outcome;
    std::optional<ActivityFailure> failure;
    try {
      outcome = read_once(reader, writer_, read->request);
    } catch (...) {
      failure = current_failure();
      if (reader.store != nullptr) reader.store->rollback();
    }
    read->answer(std::move(outcome), std::move(failure));
  }
}

}  // namespace skald::plugin

#include "engine/worker/pollers.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "engine/worker/backoff.h"

namespace skald::worker {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(200);
constexpr absl::Duration kLongestWait = absl::Seconds(10);

}  // namespace

// Shared with every callback, so that one that comes after the end finds it stopped, not gone.
struct Pollers::State : std::enable_shared_from_this<State> {
  struct Asked {
    Queue queue;
    int open = 0;
    bool failing = false;  // the latest answer was an error
    absl::Time not_before = absl::InfinitePast();
    Backoff backoff{kFirstWait, kLongestWait};
  };

  State(std::vector<Queue> given, int slots, Timing timing, std::unique_ptr<base::Random> random, Observer observer)
      : slots(slots), timing(timing), random(std::move(random)), observer(std::move(observer)) {
    for (Queue& queue : given) queues.push_back({.queue = std::move(queue)});
  }

  const int slots;
  const Timing timing;
  const std::unique_ptr<base::Random> random;
  const Observer observer;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Asked> queues;
  size_t turn = 0;
  int polling = 0, running = 0;
  bool pumping = false, stopping = true;

  // Not recursive: a poll may be answered before its call returns.
  void pump() {
    std::unique_lock lock(mutex);
    if (pumping) return;
    pumping = true;
    while (Asked* asked = next_to_open()) {
      ++asked->open;
      ++polling;
      lock.unlock();
      asked->queue.open([self = shared_from_this(), asked](absl::StatusOr<bool> task_came) {
        self->ended(*asked, std::move(task_came));
      });
      lock.lock();
    }
    pumping = false;
  }

  Asked* next_to_open() {
    if (stopping) return nullptr;
    const absl::Time now = timing.clock.now();
    for (size_t i = 0; i < queues.size(); ++i) {
      Asked& asked = queues[(turn + i) % queues.size()];
      if (asked.open >= asked.queue.polls || now < asked.not_before || (asked.failing && asked.open > 0)) continue;
      if (slots - running - polling <= (asked.open > 0 ? queues_without_polls() : 0)) continue;
      turn = (turn + i + 1) % queues.size();
      return &asked;
    }
    return nullptr;
  }

  int queues_without_polls() const {
    int count = 0;
    for (const Asked& asked : queues) count += asked.open == 0;
    return count;
  }

  void ended(Asked& asked, absl::StatusOr<bool> task_came) {
    absl::Time again = absl::InfinitePast();
    bool heard = false;
    {
      const std::lock_guard lock(mutex);
      --asked.open;
      --polling;
      if (task_came.ok() && *task_came) ++running;
      asked.failing = !task_came.ok();
      const absl::Time now = timing.clock.now();
      if (task_came.ok()) {
        asked.backoff.reset();
        asked.not_before = absl::InfinitePast();
      } else if (now >= asked.not_before) {  // else another poll of the queue has failed just now
        again = asked.not_before = now + asked.backoff.next(*random);
      }
      heard = !stopping;
      changed.notify_all();
    }
    if (heard && observer != nullptr) observer(task_came.status());
    if (again != absl::InfinitePast()) {
      timing.executor.post_at(again, [self = shared_from_this()] { self->pump(); });
    }
    pump();
  }

  template <typename Condition>
  bool wait(absl::Duration patience, Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, absl::ToChronoMilliseconds(patience), condition);
  }
};

Pollers::Pollers(std::vector<Queue> queues, int slots, Timing timing, std::unique_ptr<base::Random> random,
                 Observer observer)
    : state_(std::make_shared<State>(std::move(queues), slots, timing, std::move(random), std::move(observer))) {}

Pollers::~Pollers() { stop(); }

void Pollers::start() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = false;
  }
  state_->pump();
}

void Pollers::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopping = true;
}

void Pollers::release() {
  {
    const std::lock_guard lock(state_->mutex);
    --state_->running;
    state_->changed.notify_all();
  }
  state_->pump();
}

bool Pollers::wait_polls(absl::Duration patience) {
  return state_->wait(patience, [this] { return state_->polling == 0; });
}

bool Pollers::wait_idle(absl::Duration patience) {
  return state_->wait(patience, [this] { return state_->polling == 0 && state_->running == 0; });
}

}  // namespace skald::worker

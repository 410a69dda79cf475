#pragma once

#include <memory>
#include <utility>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "tests/sim/forwarding_store.h"

namespace skald::sim {

// A defect of a process to be put in on purpose, to see that the simulator finds it.
enum class NodeDefect {
  kNone,
  kAcknowledgesEarly,  // says that a commit is durable when it was only handed over
  kRefusesCommits,     // now and then, with INTERNAL, as a batch is refused that should not have been
  kKeepsWaiting,       // answers a commit much too late, now and then
  kForgetsScripts      // and has to replay every run
};

// A store with such a defect, between the engine and a sound one.
class DefectiveStore final : public ForwardingStore {
 public:
  // All references outlive it.
  DefectiveStore(store::Store& below, NodeDefect defect, base::Executor& executor, const base::Clock& clock)
      : ForwardingStore(below), defect_(defect), executor_(executor), clock_(clock) {}

  void commit(store::Batch batch, store::CommitDone done) override {
    if (defect_ == NodeDefect::kAcknowledgesEarly) {
      below_.commit(std::move(batch), [](const absl::Status&) {});
      return done(absl::OkStatus());
    }
    const bool hits = ++commits_ % kHit == 0;
    if (hits && defect_ == NodeDefect::kRefusesCommits) return done(absl::InternalError("a chunk is there already"));
    if (hits && defect_ == NodeDefect::kKeepsWaiting) done = late(std::move(done));
    below_.commit(std::move(batch), std::move(done));
  }

 private:
  static constexpr int kHit = 20;

  store::CommitDone late(store::CommitDone done) {
    return [this, done = std::make_shared<store::CommitDone>(std::move(done))](const absl::Status& status) {
      executor_.post_at(clock_.now() + absl::Seconds(1), [done, status] { (*done)(status); });
    };
  }

  const NodeDefect defect_;
  base::Executor& executor_;
  const base::Clock& clock_;
  int commits_ = 0;
};

}  // namespace skald::sim

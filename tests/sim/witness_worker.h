#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/shard/embedded_worker.h"
#include "tests/sim/auditor.h"

namespace skald::sim {

// Stands between an owner and its embedded worker, and tells the auditor of replays that nothing explains.
class WitnessWorker final : public shard::EmbeddedWorker {
 public:
  // `forgets` is a defect on purpose: after each task the run is lost. `let_go` is called with each run that its owner lets go of. All references outlive it.
  WitnessWorker(std::unique_ptr<shard::EmbeddedWorker> below, bool forgets, Auditor& auditor,
                std::function<void(const std::string&)> let_go)
      : below_(std::move(below)), forgets_(forgets), auditor_(auditor), let_go_(std::move(let_go)) {}

  bool serves(std::string_view space, std::string_view queue, std::string_view type) const override {
    return below_->serves(space, queue, type);
  }
  bool polls(std::string_view space, std::string_view queue) const override { return below_->polls(space, queue); }
  Verdict activate(const temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse& task,
                   shard::WorkflowTaskAnswer& answer,
                   absl::AnyInvocable<void(shard::WorkflowTaskAnswer)> later) override;
  void forget(std::string_view run_id) override;

 private:
  const std::unique_ptr<shard::EmbeddedWorker> below_;
  const bool forgets_;
  Auditor& auditor_;
  const std::function<void(const std::string&)> let_go_;
  std::set<std::string, std::less<>> known_;  // runs that the worker has, as far as it was told
};

}  // namespace skald::sim

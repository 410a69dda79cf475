#include "tests/sim/chore_worker.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace skald::sim {
namespace {

constexpr absl::Duration kShelf = absl::Seconds(1);
constexpr absl::Duration kRest = absl::Seconds(8);
// Within which what was heard becomes durable.
constexpr absl::Duration kWrittenDown = absl::Milliseconds(1500);

int number_of(const temporal::api::common::v1::Payloads& payloads, const char* field) {
  const auto value = nlohmann::json::parse(payloads.payloads(0).data());
  return value.is_object() ? value.at(field).get<int>() : value.get<int>();
}

}  // namespace

ChoreWorker::ChoreWorker(base::SimulatedWorld& world, Auditor& auditor, const Life& life, uint64_t seed,
                         Finished finished)
    : world_(world),
      auditor_(auditor),
      life_(life),
      random_(base::make_seeded_random(seed)),
      executor_(world.make_executor()),
      finished_(std::move(finished)) {}

void ChoreWorker::run(const Task& task) {
  if (task.activity_type().name() == "chore.count") return resume(task);
  executor_->post_at(world_.clock().now() + kRest, [this, task] { finished_(task, 0); });
}

void ChoreWorker::resume(const Task& task) {
  const Progress& before = progress(task);
  const int shelf = task.has_heartbeat_details() ? number_of(task.heartbeat_details(), "") : 0;
  // What was lost must have been told just before a crash.
  const bool explained = life_.starts_survive ? auditor_.undisturbed(before.heard, auditor_.now()) < kWrittenDown
                                              : auditor_.disturbed(before.heard, auditor_.now());
  if (shelf < before.shelf && !explained) {
    auditor_.blame(fmt::format("{}: attempt {} goes on after shelf {}, although the heartbeat of shelf {} was heard",
                               task.workflow_execution().workflow_id(), task.attempt(), shelf, before.shelf));
  }
  count(task, shelf);
}

void ChoreWorker::count(const Task& task, int shelf) {
  if (shelf == number_of(task.input(), "shelves")) return finished_(task, shelf);
  executor_->post_at(world_.clock().now() + kShelf, [this, task, next = shelf + 1] {
    heartbeat(task, next);
    if (random_->unit() >= falls_silent_) count(task, next);
  });
}

void ChoreWorker::heartbeat(const Task& task, int shelf) {
  if (node_ == nullptr) return;
  shard::wire::RecordActivityTaskHeartbeatRequest request;
  request.set_namespace_(kNamespace);
  request.set_task_token(task.task_token());
  auto* payload = request.mutable_details()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(std::to_string(shelf));
  node_->engine().heartbeat(node_->call(), std::move(request), [this, task, shelf](const auto& response) {
    // The attempt may have timed out meanwhile: then another one counts.
    if (!response.ok() && !absl::IsNotFound(response.status()))
      return auditor_.refused(fmt::format("{}: a heartbeat", task.workflow_execution().workflow_id()), response.status());
    if (response.ok()) progress(task) = {shelf, auditor_.now()};
  });
}

}  // namespace skald::sim

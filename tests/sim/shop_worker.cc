#include "tests/sim/shop_worker.h"

#include <utility>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

#include "skald/state/v1/state.pb.h"

namespace skald::sim {
namespace {

constexpr int kPolls = 8;
constexpr int kSlowPolls = 1;
// In which slow pollers have taken what waits before it.
constexpr absl::Duration kSlowTurn = absl::Seconds(8);
constexpr absl::Duration kRetryInterval = absl::Milliseconds(100);
// How long an answer, or a task that is due, may take without a fault.
constexpr absl::Duration kAnswer = absl::Milliseconds(250);
// Within which a start becomes durable.
constexpr absl::Duration kWrittenDown = absl::Milliseconds(1500);
constexpr int kErpOutageAttempts = 9;  // some two minutes

nlohmann::json input_of(const shard::wire::PollActivityTaskQueueResponse& task) {
  return nlohmann::json::parse(task.input().payloads(0).data());
}

}  // namespace

ShopWorker::ShopWorker(base::SimulatedWorld& world, Shop& shop, Auditor& auditor, store::MemoryDisk& disk,
                       const ShopFaults& faults, const Life& life, uint64_t seed)
    : world_(world),
      shop_(shop),
      auditor_(auditor),
      disk_(disk),
      faults_(faults),
      life_(life),
      random_(base::make_seeded_random(seed)),
      executor_(world.make_executor()),
      chores_(world, auditor, life, random_->next(), [this](const Task& task, int result) { answer(task, result); }) {}

void ShopWorker::use(Node* node) {
  node_ = node;
  chores_.use(node);
  ++generation_;
  if (node_ == nullptr) return;
  for (int i = 0; i < (is_slow_ ? kSlowPolls : kPolls); ++i) poll();
}

void ShopWorker::poll() {
  shard::wire::PollActivityTaskQueueRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_task_queue()->set_name(kTaskQueue);
  request.set_identity("shop");
  node_->engine().poll_activity_task(
      node_->call(), std::move(request), [this, generation = generation_](absl::StatusOr<Task> task) {
        if (generation != generation_) return;
        if (!task.ok()) auditor_.refused("a poll for activities", task.status());
        const bool rests = !task.ok() || (is_slow_ && !task->task_token().empty());
        executor_->post_at(world_.clock().now() + (rests ? kRetryInterval : absl::ZeroDuration()),
                           [this, generation] {
                             if (generation == generation_) poll();
                           });
        if (!task.ok() || task->task_token().empty()) return;
        inspect_delivery(*task);
        run(*task);
      });
}

void ShopWorker::inspect_delivery(const Task& task) {
  const std::string what = fmt::format("{}: attempt {} of {}", task.workflow_execution().workflow_id(), task.attempt(),
                                       task.activity_type().name());
  const auto [first, is_first] = delivered_.try_emplace(
      {task.workflow_execution().run_id(), task.activity_id(), task.attempt()}, auditor_.now());
  if (!is_first) {
    const bool is_durable = life_.starts_survive && auditor_.undisturbed(first->second, auditor_.now()) > kWrittenDown;
    return is_durable ? auditor_.blame(what + " was handed out again, although its start was durable")
                      : auditor_.again(what + " was handed out", first->second);
  }
  const absl::Time due = absl::FromUnixNanos(
      google::protobuf::util::TimeUtil::TimestampToNanoseconds(task.current_attempt_scheduled_time()));
  auditor_.took("handing out " + what, due, is_slow_ ? kSlowTurn : kAnswer);
}

bool ShopWorker::is_pending(const Task& task) const {
  const std::optional<store::RunRow> row = disk_.with([&](const store::Tables& tables) {
    for (const auto& [key, row] : tables.runs())
      if (key.run_id == task.workflow_execution().run_id()) return std::optional(row);
    return std::optional<store::RunRow>();
  });
  skald::state::v1::RunState state;
  if (!row || !state.ParseFromString(row->state)) return false;
  for (const auto& [event, activity] : state.activities())
    if (activity.activity_id() == task.activity_id()) return activity.attempt() == task.attempt();
  return false;
}

template <typename Response>
shard::Done<Response> ShopWorker::answered(const Task& task) {
  return [this, task, asked = auditor_.now()](const absl::StatusOr<Response>& response) {
    const std::string what = fmt::format("{}: the answer to attempt {} of {}", task.workflow_execution().workflow_id(),
                                         task.attempt(), task.activity_type().name());
    auditor_.took(what, asked, kAnswer);
    const bool out_of_date = absl::IsNotFound(response.status()) && (!is_pending(task) || auditor_.disturbed(asked, auditor_.now()));
    if (!response.ok() && !out_of_date) auditor_.refused(what, response.status());
  };
}

void ShopWorker::later(absl::Duration most, base::Task task) {
  executor_->post_at(world_.clock().now() + random_->unit() * most, std::move(task));
}

// A partner that is down after it did what it was asked for, e.g. took the money. Which orders that hits follows from
// their ids.
bool ShopWorker::in_outage(const Task& task) const {
  const std::string& activity = task.activity_type().name();
  const nlohmann::json input = input_of(task);
  const auto hits = [&](const char* field, double share) {
    return static_cast<double>(std::hash<std::string>()(activity + input.at(field).get<std::string>()) % 1000) <
           share * 1000;
  };
  if (activity == "payment.charge") return hits("order_id", faults_.outage);
  if (activity == "llm.decide") return hits("about", faults_.model_outage);
  if (activity.starts_with("erp.push"))
    return task.attempt() <= kErpOutageAttempts && hits("order_id", faults_.erp_outage);
  return false;
}

void ShopWorker::run(const Task& task) {
  const absl::Duration delay = faults_.usual_delay;
  if (task.activity_type().name() == "chore.fail") return later(delay, [this, task] { answer_error(task); });
  if (task.activity_type().name().starts_with("chore.")) return chores_.run(task);
  if (in_outage(task))
    return later(delay, [this, task, first = task.attempt() == 1] {
      first ? act(task, true, true) : answer_error(task);
    });
  if (happens(faults_.fails_before)) return later(delay, [this, task] { answer_error(task); });
  if (happens(faults_.fails_after)) return later(delay, [this, task] { act(task, true, true); });
  if (happens(faults_.silent_before)) return;
  if (happens(faults_.silent_after)) return later(delay, [this, task] { act(task, false, false); });
  if (happens(faults_.late)) return later(faults_.late_delay, [this, task] { act(task, true, false); });
  later(delay, [this, task] { act(task, true, false); });
}

void ShopWorker::act(const Task& task, bool answers, bool as_error) {
  const Answer result = shop_.act(task.activity_type().name(), input_of(task));
  if (!answers) return;
  if (as_error) return answer_error(task);
  answer(task, result);
}

void ShopWorker::answer(const Task& task, const Answer& answer) {
  if (node_ == nullptr) return later(kRetryInterval, [this, task, answer] { this->answer(task, answer); });
  if (const auto* result = std::get_if<nlohmann::json>(&answer)) {
    shard::wire::RespondActivityTaskCompletedRequest request;
    request.set_namespace_(kNamespace);
    request.set_task_token(task.task_token());
    auto* payload = request.mutable_result()->add_payloads();
    (*payload->mutable_metadata())["encoding"] = "json/plain";
    payload->set_data(result->dump());
    return node_->engine().complete_activity(node_->call(), std::move(request), answered<shard::wire::RespondActivityTaskCompletedResponse>(task));
  }
  const auto& refusal = std::get<Refusal>(answer);
  shard::wire::RespondActivityTaskFailedRequest request;
  request.set_namespace_(kNamespace);
  request.set_task_token(task.task_token());
  request.mutable_failure()->set_message(refusal.message);
  request.mutable_failure()->mutable_application_failure_info()->set_type(refusal.type);
  request.mutable_failure()->mutable_application_failure_info()->set_non_retryable(refusal.final);
  node_->engine().fail_activity(node_->call(), std::move(request), answered<shard::wire::RespondActivityTaskFailedResponse>(task));
}

void ShopWorker::answer_error(const Task& task) {
  if (node_ == nullptr) return later(kRetryInterval, [this, task] { answer_error(task); });
  shard::wire::RespondActivityTaskFailedRequest request;
  request.set_namespace_(kNamespace);
  request.set_task_token(task.task_token());
  request.mutable_failure()->set_message("the partner's service is out of order");
  request.mutable_failure()->mutable_application_failure_info()->set_type("Unavailable");
  node_->engine().fail_activity(node_->call(), std::move(request), answered<shard::wire::RespondActivityTaskFailedResponse>(task));
}

}  // namespace skald::sim

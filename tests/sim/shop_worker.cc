#include "tests/sim/shop_worker.h"

#include <utility>

namespace skald::sim {
namespace {

constexpr int kPolls = 8;
constexpr absl::Duration kRetryInterval = absl::Milliseconds(100);
constexpr int kErpOutageAttempts = 9;  // some two minutes

nlohmann::json input_of(const shard::wire::PollActivityTaskQueueResponse& task) {
  return nlohmann::json::parse(task.input().payloads(0).data());
}

}  // namespace

ShopWorker::ShopWorker(base::SimulatedWorld& world, Shop& shop, const ShopFaults& faults, uint64_t seed)
    : world_(world),
      shop_(shop),
      faults_(faults),
      random_(base::make_seeded_random(seed)),
      executor_(world.make_executor()) {}

void ShopWorker::use(Node* node) {
  node_ = node;
  ++generation_;
  if (node_ == nullptr) return;
  for (int i = 0; i < kPolls; ++i) poll();
}

void ShopWorker::poll() {
  shard::wire::PollActivityTaskQueueRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_task_queue()->set_name(kTaskQueue);
  request.set_identity("shop");
  node_->engine().poll_activity_task(
      node_->call(), std::move(request), [this, generation = generation_](absl::StatusOr<Task> task) {
        if (generation != generation_) return;
        executor_->post_at(world_.clock().now() + (task.ok() ? absl::ZeroDuration() : kRetryInterval),
                           [this, generation] {
                             if (generation == generation_) poll();
                           });
        if (task.ok() && !task->task_token().empty()) run(*task);
      });
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
  if (in_outage(task))
    return later(delay, [this, task, first = task.attempt() == 1] {
      first ? act(task, true, true) : answer_error(task.task_token());
    });
  if (happens(faults_.fails_before)) return later(delay, [this, task] { answer_error(task.task_token()); });
  if (happens(faults_.fails_after)) return later(delay, [this, task] { act(task, true, true); });
  if (happens(faults_.silent_before)) return;
  if (happens(faults_.silent_after)) return later(delay, [this, task] { act(task, false, false); });
  if (happens(faults_.late)) return later(faults_.late_delay, [this, task] { act(task, true, false); });
  later(delay, [this, task] { act(task, true, false); });
}

void ShopWorker::act(const Task& task, bool answers, bool as_error) {
  const Answer result = shop_.act(task.activity_type().name(), input_of(task));
  if (!answers) return;
  if (as_error) return answer_error(task.task_token());
  answer(task.task_token(), result);
}

void ShopWorker::answer(const std::string& token, const Answer& answer) {
  if (node_ == nullptr) return later(kRetryInterval, [this, token, answer] { this->answer(token, answer); });
  if (const auto* result = std::get_if<nlohmann::json>(&answer)) {
    shard::wire::RespondActivityTaskCompletedRequest request;
    request.set_namespace_(kNamespace);
    request.set_task_token(token);
    auto* payload = request.mutable_result()->add_payloads();
    (*payload->mutable_metadata())["encoding"] = "json/plain";
    payload->set_data(result->dump());
    return node_->engine().complete_activity(node_->call(), std::move(request), [](const auto&) {});
  }
  const auto& refusal = std::get<Refusal>(answer);
  shard::wire::RespondActivityTaskFailedRequest request;
  request.set_namespace_(kNamespace);
  request.set_task_token(token);
  request.mutable_failure()->set_message(refusal.message);
  request.mutable_failure()->mutable_application_failure_info()->set_type(refusal.type);
  request.mutable_failure()->mutable_application_failure_info()->set_non_retryable(refusal.final);
  node_->engine().fail_activity(node_->call(), std::move(request), [](const auto&) {});
}

void ShopWorker::answer_error(const std::string& token) {
  if (node_ == nullptr) return later(kRetryInterval, [this, token] { answer_error(token); });
  shard::wire::RespondActivityTaskFailedRequest request;
  request.set_namespace_(kNamespace);
  request.set_task_token(token);
  request.mutable_failure()->set_message("the partner's service is out of order");
  request.mutable_failure()->mutable_application_failure_info()->set_type("Unavailable");
  node_->engine().fail_activity(node_->call(), std::move(request), [](const auto&) {});
}

}  // namespace skald::sim

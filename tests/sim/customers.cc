#include "tests/sim/customers.h"

#include <array>
#include <utility>

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;

constexpr absl::Duration kOpeningHours = absl::Seconds(20);
constexpr absl::Duration kPatience = absl::Seconds(3);
constexpr std::array kSkus = {"chair", "lamp", "table"};
constexpr std::array kMishaps = {"lost", "damaged", "late", "refused"};
constexpr std::array kRefusing = {"inventory.reserve", "payment.charge", "logistics.create_waybill",
                                  "inventory.confirm"};

}  // namespace

Customers::Customers(base::SimulatedWorld& world, Shop& shop, int orders, uint64_t seed)
    : world_(world), shop_(shop), random_(base::make_seeded_random(seed)), executor_(world.make_executor()) {
  for (const char* sku : kSkus) shop_.load(sku, orders * 3);
  assisted_ = random_->unit() * 0.6;
  for (int i = 0; i < orders; ++i) {
    const std::string id = fmt::format("order-{}", i);
    if (random_->unit() < assisted_) {
      place(id, "assisted_order", assisted_order(id));
      continue;
    }
    if (random_->below(5) != 0) {
      place(id, "order_fulfillment", order(id));
      continue;
    }
    json basket;
    for (uint64_t each = 0; each <= random_->below(3); ++each)
      basket["orders"].push_back(order(fmt::format("{}-{}", id, each)));
    place(fmt::format("basket-{}", i), "basket", std::move(basket));
  }
}

json Customers::order(const std::string& id) {
  json order = {{"order_id", id}, {"total", 100 + random_->below(10'000)}, {"currency", "EUR"}, {"country", "SE"}};
  for (uint64_t item = 0; item <= random_->below(2); ++item)
    order["items"].push_back({{"sku", kSkus[random_->below(kSkus.size())]}, {"quantity", 1 + random_->below(3)}});
  if (random_->below(4) == 0) shop_.refuse(id, kRefusing[random_->below(kRefusing.size())]);
  return order;
}

// People are asked for seven minutes (Clerks::kPatience), and parcels waited for.
json Customers::assisted_order(const std::string& id) {
  json assisted = order(id);
  assisted["total"] = 100 + random_->below(100'000);
  assisted["decide_within"] = "2m";
  assisted["escalate_within"] = "5m";
  assisted["delivery_within"] = random_->below(4) == 0 ? json(0) : json("20m");
  return assisted;
}

void Customers::use(Node* node) { node_ = node; }

void Customers::place(const std::string& id, const std::string& type, json input) {
  placed_[id];
  ++open_;
  const std::string request_id = random_->uuid();
  executor_->post_at(in(kOpeningHours), [this, id, type, input = input.dump(), request_id] {
    start(id, type, input, request_id, std::make_shared<bool>(false));
  });
}

void Customers::watch(std::shared_ptr<bool> answered, std::function<void()> again) {
  executor_->post_at(world_.clock().now() + kPatience, [answered = std::move(answered), again = std::move(again)] {
    if (!*answered) again();
  });
}

void Customers::start(const std::string& id, const std::string& type, const std::string& input,
                      const std::string& request_id, std::shared_ptr<bool> answered) {
  watch(answered, [this, id, type, input, request_id, answered] { start(id, type, input, request_id, answered); });
  if (node_ == nullptr) return;
  shard::wire::StartWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.set_workflow_id(id);
  request.set_request_id(request_id);
  request.mutable_workflow_type()->set_name(type);
  request.mutable_task_queue()->set_name(kTaskQueue);
  auto* payload = request.mutable_input()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(input);
  node_->engine().start_workflow(
      node_->call(), std::move(request),
      [this, id, type, answered](absl::StatusOr<shard::wire::StartWorkflowExecutionResponse> response) {
        if (!response.ok() || *answered) return;
        *answered = true;
        Placed& placed = placed_[id];
        placed.run_id = response->run_id();
        --open_;
        follow(id, type);
      });
}

void Customers::follow(const std::string& id, const std::string& type) {
  const bool assisted = type == "assisted_order";
  if (random_->below(6) == 0)
    write(id, "cancel", "I changed my mind", in(assisted ? absl::Minutes(2) : absl::Seconds(5)), [] {});
  if (!assisted || random_->below(5) == 0) return;
  const bool arrives = random_->below(2) == 0;
  const json delivery = {{"state", arrives ? "delivered" : "failed"},
                         {"reason", kMishaps[random_->below(kMishaps.size())]}};
  write(id, "delivery", delivery, in(absl::Minutes(20)), [] {});
}

void Customers::write(const std::string& id, const std::string& signal, const json& input, absl::Time when,
                      std::function<void()> acknowledged) {
  ++open_;
  ++placed_[id].signals_sent;
  const Letter letter{id, signal, input.dump(), random_->uuid(), std::move(acknowledged)};
  executor_->post_at(when, [this, letter] { post(letter, std::make_shared<bool>(false)); });
}

void Customers::post(const Letter& letter, std::shared_ptr<bool> answered) {
  watch(answered, [this, letter, answered] { post(letter, answered); });
  if (node_ == nullptr) return;
  shard::wire::SignalWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_workflow_execution()->set_workflow_id(letter.id);
  request.set_signal_name(letter.signal);
  request.set_request_id(letter.request_id);
  auto* payload = request.mutable_input()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(letter.input);
  node_->engine().signal_workflow(node_->call(), std::move(request), [this, letter, answered](const auto& response) {
    const bool too_late = absl::IsNotFound(response.status());
    if ((!response.ok() && !too_late) || *answered) return;
    *answered = true;
    --open_;
    if (!response.ok()) return;
    ++placed_[letter.id].signals_acknowledged;
    letter.acknowledged();
  });
}

}  // namespace skald::sim

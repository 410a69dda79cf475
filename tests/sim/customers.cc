#include "tests/sim/customers.h"

#include <array>
#include <utility>

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;

constexpr absl::Duration kOpeningHours = absl::Seconds(20);
constexpr absl::Duration kPatience = absl::Seconds(3);
// How long an answer may take without a fault: some commits of the slow store, one after the other.
constexpr absl::Duration kAnswer = absl::Milliseconds(250);
constexpr std::array kSkus = {"chair", "lamp", "table"};
constexpr std::array kMishaps = {"lost", "damaged", "late", "refused"};
constexpr std::array kRefusing = {"inventory.reserve", "payment.charge", "logistics.create_waybill",
                                  "inventory.confirm"};

bool is_open(store::MemoryDisk& disk, const std::string& id) {
  return disk.with([&](const store::Tables& tables) {
    for (const auto& [key, row] : tables.current_runs())
      if (key.workflow_id == id) return row.status == temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING;
    return false;
  });
}

}  // namespace

Customers::Customers(base::SimulatedWorld& world, Shop& shop, Auditor& auditor, store::MemoryDisk& disk,
                     const Life& life, int orders, uint64_t seed)
    : world_(world),
      shop_(shop),
      auditor_(auditor),
      disk_(disk),
      life_(life),
      random_(base::make_seeded_random(seed)),
      executor_(world.make_executor()) {
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

void Customers::use(Node* node) {
  node_ = node;
  if (node_ != nullptr) ++lives_;
}

void Customers::place(const std::string& id, const std::string& type, json input) {
  placed_[id];
  ++open_;
  const std::string request_id = random_->uuid();
  executor_->post_at(in(kOpeningHours), [this, id, type, input = input.dump(), request_id] {
    start(id, type, input, request_id, std::make_shared<bool>(false));
  });
}

std::shared_ptr<Customers::Try> Customers::begin(std::string what, std::shared_ptr<bool> answered,
                                                 std::function<void()> again) {
  auto attempt = std::make_shared<Try>(Try{std::move(what), world_.clock().now(), life()});
  const absl::Time when = attempt->asked + kPatience;
  executor_->post_at(when, [this, attempt, answered = std::move(answered), again = std::move(again)] {
    if (attempt->life != 0 && attempt->life == life() && !attempt->came)
      auditor_.took(attempt->what + " got no answer, and", attempt->asked, kAnswer);
    if (!*answered) again();
  });
  return attempt;
}

void Customers::came(Try& attempt, const absl::Status& status, bool refusal_is_due) {
  attempt.came = true;
  auditor_.took(attempt.what, attempt.asked, kAnswer);
  if (!status.ok() && !refusal_is_due) auditor_.refused(attempt.what, status);
}

void Customers::start(const std::string& id, const std::string& type, const std::string& input,
                      const std::string& request_id, std::shared_ptr<bool> answered) {
  const auto attempt = begin("the start of " + id, answered, [this, id, type, input, request_id, answered] {
    start(id, type, input, request_id, answered);
  });
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
      [this, id, type, answered, attempt](absl::StatusOr<shard::wire::StartWorkflowExecutionResponse> response) {
        came(*attempt, response.status(), false);
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
  if (type != "branches" && random_->below(6) == 0) {
    const absl::Time when = in(assisted ? absl::Minutes(2) : absl::Seconds(5));
    const uint64_t kind = life_.bad_signals ? random_->below(3) : 0;
    if (kind == 0) write(id, "cancel", "I changed my mind", when, [] {});
    if (kind == 1) write(id, "cancel", {{"reason", "I changed my mind"}}, when, [] {});
    if (kind == 2) write_bytes(id, "cancel", unreadable(*random_), when);
  }
  if (!assisted || random_->below(5) == 0) return;
  const bool arrives = random_->below(2) == 0;
  const json delivery = {{"state", arrives ? "delivered" : "failed"},
                         {"reason", kMishaps[random_->below(kMishaps.size())]}};
  write(id, "delivery", delivery, in(absl::Minutes(20)), [] {});
}

void Customers::write(const std::string& id, const std::string& signal, const json& input, absl::Time when,
                      std::function<void()> acknowledged) {
  send(id, signal, {"json/plain", input.dump()}, when, std::move(acknowledged));
}

void Customers::write_bytes(const std::string& id, const std::string& signal, Bytes bytes, absl::Time when) {
  placed_[id].sent_unreadable = true;
  send(id, signal, std::move(bytes), when, [] {});
}

void Customers::send(const std::string& id, const std::string& signal, Bytes input, absl::Time when,
                     std::function<void()> acknowledged) {
  ++open_;
  ++placed_[id].signals_sent;
  const Letter letter{id, signal, std::move(input), random_->uuid(), std::move(acknowledged)};
  executor_->post_at(when, [this, letter] { post(letter, std::make_shared<bool>(false)); });
}

void Customers::post(const Letter& letter, std::shared_ptr<bool> answered) {
  const auto attempt = begin("the signal " + letter.signal + " to " + letter.id, answered,
                             [this, letter, answered] { post(letter, answered); });
  if (node_ == nullptr) return;
  shard::wire::SignalWorkflowExecutionRequest request;
  request.set_namespace_(kNamespace);
  request.mutable_workflow_execution()->set_workflow_id(letter.id);
  request.set_signal_name(letter.signal);
  request.set_request_id(letter.request_id);
  auto* payload = request.mutable_input()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = letter.input.encoding;
  payload->set_data(letter.input.data);
  node_->engine().signal_workflow(node_->call(), std::move(request), [this, letter, answered, attempt](const auto& response) {
    const bool too_late = absl::IsNotFound(response.status());
    came(*attempt, response.status(), too_late && !is_open(disk_, letter.id));
    if ((!response.ok() && !too_late) || *answered) return;
    *answered = true;
    --open_;
    if (!response.ok()) return;
    ++placed_[letter.id].signals_acknowledged;
    letter.acknowledged();
  });
}

Customers::Bytes unreadable(base::Random& random) {
  constexpr int kTooDeep = 100;
  switch (random.below(4)) {
    case 0:
      return {"json/plain", "{\"reason\": "};
    case 1:
      return {"json/plain", std::string(kTooDeep, '[') + std::string(kTooDeep, ']')};
    case 2:
      return {"binary/encrypted", "\x01\x02\xff"};
    default:
      return {"json/plain", "\"\xff\xfe\""};
  }
}

}  // namespace skald::sim

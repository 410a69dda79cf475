#include "tests/bench/plugins/activities.h"

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plugins/host/plugin_host.h"

namespace skald::bench {
namespace {

using nlohmann::json;

void run(plugins::PluginHost& host, const std::string& type, const std::string& order, const json& input) {
  worker::wire::PollActivityTaskQueueResponse task;
  task.set_task_token("token");
  task.mutable_activity_type()->set_name(type);
  task.set_attempt(1);
  task.set_workflow_namespace("default");
  task.mutable_workflow_execution()->set_workflow_id(order);
  task.mutable_workflow_execution()->set_run_id(order);
  task.set_activity_id("1");
  task.mutable_start_to_close_timeout()->set_seconds(60);
  task.mutable_input()->add_payloads()->set_data(input.dump());
  std::promise<std::string> done;
  host.execute(
      task, [](auto, auto) {},
      [&done](worker::ActivityOutcome outcome) {
        const auto* failure = std::get_if<temporal::api::failure::v1::Failure>(&outcome);
        done.set_value(failure == nullptr ? "" : failure->message());
      });
  if (const std::string problem = done.get_future().get(); !problem.empty())
    throw std::runtime_error(type + ": " + problem);
}

json input_of(int number) {
  return {{"order_id", "order-" + std::to_string(number)},
          {"amount", 1250},
          {"currency", "GBP"},
          {"country", "UK"},
          {"items", {{{"sku", "sku-" + std::to_string(number % 1000)}, {"quantity", 1}}}}};
}

void load_stock(plugins::PluginHost& host) {
  json items = json::array();
  for (int sku = 0; sku < 1000; ++sku) items.push_back({{"sku", "sku-" + std::to_string(sku)}, {"quantity", 1000000}});
  run(host, "inventory.load_stock", "stock", {{"items", items}});
}

// Every order's `types`, in this order; the callers take the orders in turns.
absl::Duration run_orders(plugins::PluginHost& host, const std::vector<std::string>& types, int callers, int orders) {
  std::atomic<int> next = 0;
  std::vector<std::future<void>> all;
  const absl::Time begin = absl::Now();
  for (int caller = 0; caller < callers; ++caller) {
    all.push_back(std::async(std::launch::async, [&] {
      for (int order = next++; order < orders; order = next++) {
        const json input = input_of(order);
        for (const std::string& type : types) run(host, type, input["order_id"], input);
      }
    }));
  }
  for (auto& one : all) one.get();
  return absl::Now() - begin;
}

void print(TrialBooks& books, const TrialBooks::Counters& before, const std::string& name, absl::Duration took,
           int effects) {
  const auto after = books.counters();
  fmt::print("{:<28} {:>10.0f} {:>18.2f} {:>15.3f}\n", name, effects / absl::ToDoubleSeconds(took),
             static_cast<double>(after.statements - before.statements) / effects,
             static_cast<double>(after.commits - before.commits) / effects);
}

}  // namespace

void measure_activities(TrialBooks& books, const std::string& plugins, int callers, int orders) {
  const std::vector<std::string> types = {"inventory.reserve", "payment.charge", "logistics.create_waybill",
                                          "inventory.confirm"};
  const auto load = [&] {
    auto host = plugins::PluginHost::load(
        {.folder = plugins, .data_path = books.new_data_path(), .config = {}, .strict = true});
    if (!host.ok()) throw std::runtime_error(std::string(host.status().message()));
    load_stock(**host);
    return *std::move(host);
  };
  fmt::print("{:<28} {:>10} {:>18} {:>15}\n", "activity", "effects/s", "statements/effect", "commits/effect");
  {
    const auto host = load();
    for (const std::string& type : types) {
      const auto before = books.counters();
      print(books, before, type, run_orders(*host, {type}, callers, orders), orders);
    }
  }
  const auto host = load();
  const auto before = books.counters();
  const int effects = orders * static_cast<int>(types.size());
  print(books, before, "orders of all four", run_orders(*host, types, callers, orders), effects);
}

}  // namespace skald::bench

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <dlfcn.h>
#include <fmt/format.h>

#include "plugins/sdk/testing.h"
#include "tests/bench/agents/stopwatch_endpoint.h"

// What llm.decide costs beside the model: the activity's time less what the endpoint itself took, one decision after
// the other, each a durable row in the plugin's books (SQLite, synchronous).
namespace skald::bench {
namespace {

using nlohmann::json;
using plugin::testing::Attempt;
using plugin::testing::TestHost;
using Clock = std::chrono::steady_clock;

struct Options {
  int decisions = 1000;
  int chunks = 1000;
  int latency_ms = 20;
  std::string plugin = LLM_PLUGIN;
};

const skald_plugin* load_plugin(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return reinterpret_cast<skald_plugin_entry_fn>(dlsym(library, "skald_plugin_entry"))();
}

void write_prompt(const std::string& folder, const std::string& name, const json& more) {
  const std::string path = folder + "/" + name + "/1";
  std::filesystem::create_directories(path);
  json sheet = {
      {"temperature", 0},
      {"max_tokens", 200},
      {"output",
       {{"properties", {{"verdict", {{"enum", {"approve", "reject", "review"}}}}}}, {"required", {"verdict"}}}}};
  sheet.update(more);
  std::ofstream(path + "/prompt.json") << sheet.dump(2);
  std::ofstream(path + "/system.md") << "You assess the risk of orders.";
  std::ofstream(path + "/user.md") << "The order: {{inputs.order}}";
}

json inputs(int number) {
  return {{"order",
           {{"id", std::to_string(number)},
            {"total", 1250 + number},
            {"currency", "GBP"},
            {"name", "Ann Smith"},
            {"note", "Please ring +44 20 7946 0958 or write to ann@example.com; goods are to go to the back door."},
            {"items", {{{"sku", "A-1"}, {"quantity", 2}}, {{"sku", "B-7"}, {"quantity", 1}}}}}}};
}

std::chrono::microseconds at(std::vector<std::chrono::microseconds>& sorted, double share) {
  return sorted[static_cast<size_t>(static_cast<double>(sorted.size() - 1) * share)];
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        endpoint_(
            json{{"verdict", "approve"}, {"confidence", 0.9}, {"explanation", "a small order of a known customer"}}
                .dump(),
            std::chrono::milliseconds(options.latency_ms)),
        plugin_(load_plugin(options.plugin)) {
    std::string scratch = (std::filesystem::temp_directory_path() / "skald-agents-XXXXXX").string();
    if (mkdtemp(scratch.data()) == nullptr) throw std::runtime_error("cannot make " + scratch);
    prompts_ = scratch;
    write_prompt(prompts_, "plain", json::object());
    write_prompt(prompts_, "cached", {{"cache_seconds", 3600}});
    write_prompt(prompts_, "informed", {{"knowledge", {{"query", "{{inputs.order.note}}"}, {"top", 3}}}});
  }
  ~Bench() { std::filesystem::remove_all(prompts_); }

  void run() {
    fmt::print("{:<44}{:>10}{:>10}{:>12}\n", "", "P50", "P99", "endpoint");
    measure("a decision", "plain", json::object(), false);
    measure("within a budget", "plain", {{"budgets", {{"*", {{"tokens_per_day", 1000000000}}}}}}, false);
    measure("from the cache", "cached", json::object(), true);
    measure(fmt::format("with a search in {} chunks", options_.chunks), "informed", {{"chunk_overlap", 0}}, false);
  }

 private:
  json config(const json& more) const {
    json config = {{"url", fmt::format("http://127.0.0.1:{}/v1", endpoint_.port())},
                   {"model", "bench"},
                   {"embedding_model", "bench"},
                   {"prompts", prompts_}};
    config.update(more);
    return config;
  }

  void learn(TestHost& host) const {
    std::string text;
    for (int i = 0; i < options_.chunks; ++i) {
      std::string paragraph =
          fmt::format("Rule {}: goods of group {} go to the door that the customer names. ", i, i % 37);
      while (paragraph.size() < 1100)
        paragraph += fmt::format("Case {} of rule {} is told to the warehouse. ", paragraph.size(), i);
      text += paragraph + "\n\n";
    }
    const json learnt =
        host.result({.activity = "learn",
                     .input = {{"document", "rules"}, {"title", "Rules"}, {"source", "bench"}, {"text", text}},
                     .timeout = std::chrono::minutes(10)});
    if (learnt["chunks"] != options_.chunks)
      throw std::runtime_error(fmt::format("{} chunks were learnt", learnt["chunks"].get<int>()));
  }

  void measure(const std::string& what, const std::string& prompt, const json& more, bool same_inputs) const {
    TestHost host(plugin_, config(more));
    if (prompt == "informed") learn(host);
    std::vector<std::chrono::microseconds> overheads;
    std::chrono::microseconds busy_all(0);
    constexpr int kWarm = 20;
    for (int i = -kWarm; i < options_.decisions; ++i) {
      Attempt attempt{
          .activity = "decide",
          .input = {{"prompt", prompt}, {"inputs", inputs(same_inputs ? 0 : i)}, {"about", "17"}, {"agent", "risk"}},
          .workflow_id = fmt::format("order-{}", i)};
      const auto busy_before = endpoint_.busy();
      const auto begun = Clock::now();
      host.result(attempt);
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
      const auto busy = endpoint_.busy() - busy_before;
      if (i < 0) continue;
      overheads.push_back(took - busy);
      busy_all += busy;
    }
    std::sort(overheads.begin(), overheads.end());
    const auto ms = [](std::chrono::microseconds time) {
      return fmt::format("{:.2f} ms", static_cast<double>(time.count()) / 1000);
    };
    fmt::print("{:<44}{:>10}{:>10}{:>12}\n", what, ms(at(overheads, 0.5)), ms(at(overheads, 0.99)),
               ms(busy_all / options_.decisions));
  }

  const Options options_;
  const StopwatchEndpoint endpoint_;
  const skald_plugin* const plugin_;
  std::string prompts_;
};

int main_with(int argc, char** argv) {
  Options options;
  CLI::App app("What a decision by a model costs beside the model.");
  app.add_option("--decisions", options.decisions, "of each kind")->check(CLI::Range(1, 1000000));
  app.add_option("--chunks", options.chunks, "of knowledge")->check(CLI::Range(1, 100000));
  app.add_option("--latency-ms", options.latency_ms, "of the endpoint")->check(CLI::Range(0, 60000));
  app.add_option("--plugin", options.plugin, "the plugin's file");
  CLI11_PARSE(app, argc, argv);
  try {
    Bench(options).run();
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "skald-agent-bench: {}\n", e.what());
    return 1;
  }
}

}  // namespace
}  // namespace skald::bench

int main(int argc, char** argv) { return skald::bench::main_with(argc, argv); }

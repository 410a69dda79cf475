#include "tests/sim/simulation.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "tests/sim/auditor.h"
#include "tests/sim/checks.h"
#include "tests/sim/chores.h"
#include "tests/sim/clerks.h"
#include "tests/sim/customers.h"
#include "tests/sim/log_witness.h"

namespace skald::sim {
namespace {

// All must be over by then: the sagas' patience is an hour.
constexpr absl::Duration kEnd = absl::Hours(6);
// A loop without progress in simulated time is a defect too.
constexpr uint64_t kMostSteps = 5'000'000;
constexpr uint64_t kStepsBetweenLooks = 500;
constexpr uint64_t kMostStepsOfALife = 4'000;
constexpr absl::Duration kLongestDown = absl::Seconds(3);
constexpr absl::Duration kStragglers = absl::Minutes(3);

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

class Simulation {
 public:
  Simulation(const Options& options, const lua::Definitions& definitions)
      : options_(options),
        definitions_(definitions),
        random_(base::make_seeded_random(options.seed)),
        auditor_(world_.clock()),
        log_witness_(auditor_),
        script_log_(auditor_, [this](const std::string& id) { return customers_.sent_unreadable(id); }),
        disk_(std::make_shared<store::MemoryDisk>()),
        shop_(options.shop_defect, [this] { return world_.clock().now(); }),
        worker_(world_, shop_, auditor_, *disk_, options.shop_faults, options.life, random_->next()),
        customers_(world_, shop_, auditor_, *disk_, options.life, options.orders, random_->next()),
        clerks_(world_, shop_.advisor(), customers_, random_->next()),
        chores_(world_, shop_, customers_, options.life, random_->next()),
        began_(world_.clock().now()),
        small_queues_(options.life.small_queues && random_->below(3) == 0) {
    if (small_queues_) worker_.slow_down();
  }

  Report play() {
    for (report_.kills = 0; report_.kills < options_.kills && !over(); ++report_.kills) {
      start_node();
      live(random_->below(kMostStepsOfALife));
      // What a life has lost is not always found again by the next one.
      if (options_.life.quiet_lives && report_.kills + 1 == options_.kills && random_->below(2) == 0) break;
      end_node();
    }
    // The last life ends quietly: what is left must come to its end.
    if (node_ == nullptr) start_node();
    node_->stop_faults();
    worker_.stop_faults();
    while (!over() && report_.problems.empty()) live(kStepsBetweenLooks);
    report_.took = world_.clock().now() - began_;
    world_.run_for(kStragglers);
    end_node();
    if (report_.problems.empty() || report_.steps < kMostSteps) finish();
    for (std::string& wrong : auditor_.take_problems()) problem(std::move(wrong));
    return std::move(report_);
  }

 private:
  bool over() { return customers_.satisfied() && all_closed(*disk_); }

  void start_node() {
    NodeOptions options{.faults = options_.faults, .owners = 2, .defect = options_.node_defect, .small_queues = small_queues_};
    node_ = std::make_unique<Node>(world_, disk_, definitions_, script_log_, auditor_, options, random_->next());
    auditor_.node_started();
    if (options_.life.quiet_lives && random_->below(3) == 0) node_->stop_faults();
    customers_.use(node_.get());
    worker_.use(node_.get());
  }

  void live(uint64_t steps) {
    for (uint64_t i = 0; i < steps; ++i) {
      if (!world_.step()) break;
      ++report_.steps;
      digest(static_cast<uint64_t>(absl::ToUnixNanos(world_.clock().now())));
      if (!node_->fatal().empty()) return problem("the process ended itself: " + node_->fatal());
    }
    for (std::string& wrong : auditor_.take_problems()) problem(std::move(wrong));
    if (world_.clock().now() - began_ > kEnd)
      return problem(fmt::format("not all is over after {}", absl::FormatDuration(kEnd)));
    if (report_.steps > kMostSteps) problem(fmt::format("not all is over after {} steps", kMostSteps));
  }

  void end_node() {
    customers_.use(nullptr);
    worker_.use(nullptr);
    if (options_.life.orderly_restarts && random_->below(3) == 0) node_->stop();
    node_.reset();
    auditor_.node_ended();
    // Wherever the kill fell.
    for (std::string& wrong : check_tables(*disk_)) problem(std::move(wrong));
    world_.run_for(random_->unit() * kLongestDown);
  }

  void finish() {
    Findings findings = check(*disk_, customers_, clerks_, chores_, shop_, definitions_, auditor_);
    for (std::string& problem : findings.problems) report_.problems.push_back(std::move(problem));
    report_.outcomes = std::move(findings.outcomes);
    for (const auto& [outcome, count] : report_.outcomes) digest(static_cast<uint64_t>(count));
  }

  void problem(std::string text) { report_.problems.push_back(std::move(text)); }

  // FNV-1a over what happened when.
  void digest(uint64_t value) {
    for (int i = 0; i < 8; ++i) report_.digest = (report_.digest ^ ((value >> (8 * i)) & 0xff)) * 0x100000001b3;
  }

  const Options options_;
  const lua::Definitions& definitions_;
  Report report_;
  std::unique_ptr<base::Random> random_;
  base::SimulatedWorld world_;
  Auditor auditor_;
  LogWitness log_witness_;
  ScriptLogWitness script_log_;
  std::shared_ptr<store::MemoryDisk> disk_;
  Shop shop_;
  ShopWorker worker_;
  Customers customers_;
  Clerks clerks_;
  Chores chores_;
  const absl::Time began_;
  const bool small_queues_;
  std::unique_ptr<Node> node_;
};

}  // namespace

void load_definitions(lua::Definitions& definitions, const std::string& workflows, const std::string& own) {
  lua::ModuleSources modules;
  for (const auto& entry : std::filesystem::directory_iterator(workflows + "/lib"))
    modules[entry.path().stem()] = read_file(entry.path());
  std::vector<std::string> files = {workflows + "/order_fulfillment.lua", workflows + "/assisted_order.lua"};
  for (const auto& entry : std::filesystem::directory_iterator(own)) files.push_back(entry.path());
  for (const std::string& file : files) {
    const std::filesystem::path path(file);
    auto definition = lua::compile_definition(path.stem(), read_file(path), modules);
    if (!definition->error.empty()) throw std::runtime_error(definition->error);
    definitions.add(std::move(definition));
  }
}

Report simulate(const Options& options, const lua::Definitions& definitions) {
  return Simulation(options, definitions).play();
}

}  // namespace skald::sim

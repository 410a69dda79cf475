// Throws every function of the Lua library against hostile values, and looks at how long an owner's loop is held: by the
// work that scripts did between two chances to interrupt them, which is the same every time, and by the clock, which is
// told but judges nothing. A seed gives the same script again.
#include <ctime>

#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>
#include <fmt/core.h>

#include "lua/workflow_task_handler.h"
#include "tests/fuzz/lua/script_maker.h"

namespace skald::lua::testing {
namespace {

using namespace temporal::api::enums::v1;
using Handler = WorkflowTaskHandler;

class Silent final : public LogSink {
 public:
  void write(Level, const RunIdentity&, std::string_view, std::string_view) override {}
};

struct Options {
  uint64_t seed = 1;
  uint64_t count = 1000;
  int turns = 3;
  bool show = false;
};

struct Pause {
  double milliseconds = 0;
  uint64_t seed = 0;
};

double thread_ms() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Handler::Task task_of(uint64_t seed) {
  Handler::Task task;
  task.mutable_workflow_type()->set_name("hostile");
  task.mutable_workflow_execution()->set_run_id(absl::StrCat("run-", seed));
  int64_t id = 0;
  for (const EventType type :
       {EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EVENT_TYPE_WORKFLOW_TASK_STARTED}) {
    auto& event = *task.mutable_history()->add_events();
    event.set_event_id(++id);
    event.set_event_type(type);
  }
  task.mutable_history()->mutable_events(0)->mutable_workflow_execution_started_event_attributes();
  return task;
}

struct Figures {
  uint64_t unfinished = 0;
  uint64_t failed = 0;
  uint64_t longest_stretch = 0;
  Pause fast;
  Pause slow;
};

void note(Pause& longest, double milliseconds, uint64_t seed) {
  if (milliseconds > longest.milliseconds) longest = {milliseconds, seed};
}

// One task, some turns in the slow lane, and the end of it wherever it is.
void drive(Handler& handler, const Handler::Task& task, const Options& options, uint64_t seed, Figures& figures) {
  Handler::Answer answer;
  std::unique_ptr<Handler::Unfinished> unfinished;
  double before = thread_ms();
  const auto verdict = handler.handle(task, "default", SandboxLimits().slice, answer, unfinished);
  note(figures.fast, thread_ms() - before, seed);
  if (verdict == Handler::Verdict::kUnfinished) {
    ++figures.unfinished;
    for (int turn = 0; turn < options.turns; ++turn) {
      before = thread_ms();
      const bool ended = unfinished->go_on(1'000'000, answer);
      note(figures.slow, thread_ms() - before, seed);
      if (ended) break;
    }
  }
  if (answer.index() == 1) ++figures.failed;
}

int fuzz(const Options& options) {
  Figures figures;
  for (uint64_t seed = options.seed; seed < options.seed + options.count; ++seed) {
    const std::string source = ScriptMaker(seed).make();
    if (options.show) fmt::print("-- seed {}\n{}\n", seed, source);
    Definitions definitions;
    Silent log;
    Handler handler(definitions, log, {});
    auto definition = compile_definition("hostile", source, {});
    if (!definition->error.empty()) {
      fmt::print(stderr, "seed {} makes no Lua: {}\n", seed, definition->error);
      return 2;
    }
    definitions.add(std::move(definition));
    Handler::Task task = task_of(seed);
    drive(handler, task, options, seed, figures);
    task.clear_history();
    task.mutable_query()->set_query_type("probe");
    drive(handler, task, options, seed, figures);
    if (handler.longest_stretch() > SandboxLimits().slice + 10'000) {
      fmt::print(stderr, "seed {}: {} instructions between two chances to interrupt it\n", seed, handler.longest_stretch());
      return 1;
    }
    figures.longest_stretch = std::max(figures.longest_stretch, handler.longest_stretch());
  }
  fmt::print(
      "{} scripts: {} activations left the owner's loop, {} failed; longest stretch {} instructions\n"
      "longest pause of an owner's loop {:.1f} ms (seed {}), of the slow lane {:.1f} ms (seed {}); CPU time\n",
      options.count, figures.unfinished, figures.failed, figures.longest_stretch, figures.fast.milliseconds,
      figures.fast.seed, figures.slow.milliseconds, figures.slow.seed);
  return 0;
}

}  // namespace
}  // namespace skald::lua::testing

int main(int argc, char** argv) {
  skald::lua::testing::Options options;
  CLI::App app("Runs hostile Lua workflows and looks at how long they hold an owner's loop");
  app.add_option("--seed", options.seed, "of the first script")->capture_default_str();
  app.add_option("--count", options.count, "scripts")->capture_default_str();
  app.add_option("--turns", options.turns, "in the slow lane, for each activation")->capture_default_str();
  app.add_flag("--show", options.show, "print the scripts");
  CLI11_PARSE(app, argc, argv);
  return skald::lua::testing::fuzz(options);
}

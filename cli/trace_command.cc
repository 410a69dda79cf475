#include <algorithm>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/history.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/time_text.h"
#include "cli/trace.h"
#include "cli/trace_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using workflowservice::DescribeWorkflowExecutionResponse;

// Children of children are told to this depth.
constexpr size_t kMaxDepth = 10;
constexpr size_t kIndent = 4;
constexpr size_t kInputColumns = 200;

struct TraceOptions {
  Target target;
  bool children = false;
  bool full = false;
};

Outcome read_description(Session& session, const Target& target, DescribeWorkflowExecutionResponse& description) {
  workflowservice::DescribeWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  target.write(*request.mutable_execution());
  return session.client.call(request, description);
}

void print_head(const Session& session, const TraceLayout& layout, const DescribeWorkflowExecutionResponse& description,
                const Trace& trace) {
  const auto& info = description.workflow_execution_info();
  const std::string margin(layout.indent, ' ');
  const std::string status = status_name(info.status());
  const absl::Time start = to_time(info.start_time());
  const absl::Time end = info.has_close_time() ? to_time(info.close_time()) : absl::Now();
  std::ostream& out = session.console.out;
  out << margin << fmt::format("{} {}: ", info.type().name(), info.execution().workflow_id())
      << session.console.paint(status_colour(status), status)
      << fmt::format(" {} {}\n", info.has_close_time() ? "after" : "for",
                     duration_text(std::max(end - start, absl::ZeroDuration())));
  out << margin
      << fmt::format("run {}, started {} on task queue {}\n", info.execution().run_id(), time_text(start),
                     description.execution_config().task_queue().name());
  const auto& first = trace.first_event().workflow_execution_started_event_attributes();
  if (!first.continued_execution_run_id().empty())
    out << margin << fmt::format("it goes on from run {}\n", first.continued_execution_run_id());
  if (first.attempt() > 1) out << margin << fmt::format("attempt {} of the workflow\n", first.attempt());
  const std::string input = payloads_text(first.input());
  if (!input.empty()) out << margin << "input " << one_line(input, layout.full ? 0 : kInputColumns) << '\n';
}

void print_end(const Session& session, const TraceLayout& layout, const DescribeWorkflowExecutionResponse& description,
               const Trace& trace) {
  const std::string margin(layout.indent, ' ');
  std::ostream& out = session.console.out;
  if (!closes(trace.last_event())) {
    out << margin << session.console.paint(Colour::kYellow, "It waits for") << '\n';
    for (const std::string& sentence : waits(trace.steps(), description, absl::Now()))
      out << margin << "  " << one_line(sentence) << '\n';
    return;
  }
  const Ending end = ending(trace.last_event());
  const absl::Duration took = to_time(trace.last_event().event_time()) - to_time(trace.first_event().event_time());
  out << margin
      << session.console.paint(status_colour(end.status),
                               fmt::format("{:>9}  {}", "+" + duration_text(took), end.status));
  if (!end.detail.empty()) out << ": " << (layout.indent > 0 ? one_line(end.detail) : printable(end.detail));
  out << '\n';
  if (const std::string next = successor(trace.last_event()); !next.empty()) {
    out << margin
        << fmt::format("It goes on: skald workflow trace {} --run-id {}\n",
                       description.workflow_execution_info().execution().workflow_id(), next);
  }
}

// Tells one run's story, and within it that of its children if they are wanted.
Outcome tell(const TraceOptions& options, const Target& target, size_t depth, Session& session) {
  DescribeWorkflowExecutionResponse description;
  if (Outcome described = read_description(session, target, description); !described.ok()) return described;
  const Target run{target.id, description.workflow_execution_info().execution().run_id()};
  Trace trace;
  if (Outcome read = read_history(session, run, false, [&trace](auto& event) { trace.add(event); }); !read.ok())
    return read;
  const TraceLayout layout{depth * kIndent, options.full, closes(trace.last_event())};
  print_head(session, layout, description, trace);
  if (depth == 0) session.console.out << '\n';
  for (const Step& step : trace.steps()) {
    print_step(session.console, layout, to_time(trace.first_event().event_time()), step);
    if (!options.children || step.run_id.empty() || depth == kMaxDepth) continue;
    if (Outcome told = tell(options, {step.id, step.run_id}, depth + 1, session); !told.ok()) return told;
  }
  if (depth == 0 && !trace.steps().empty()) session.console.out << '\n';
  print_end(session, layout, description, trace);
  return {};
}

Outcome tell_json(const Target& target, Session& session) {
  DescribeWorkflowExecutionResponse description;
  if (Outcome described = read_description(session, target, description); !described.ok()) return described;
  const Target run{target.id, description.workflow_execution_info().execution().run_id()};
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  if (Outcome read = read_history(session, run, false, [&events](auto& event) { events.push_back(to_json(event)); });
      !read.ok())
    return read;
  print_json(session.console, {{"description", to_json(description)}, {"events", std::move(events)}});
  return {};
}

}  // namespace

void add_trace_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command = group->add_subcommand(
      "trace", "Tell a run's story: what it did, how long each step took, what failed, what it waits for");
  auto options = std::make_shared<TraceOptions>();
  add_target(command, options->target);
  command->add_flag("--children", options->children, "Tell the stories of its child workflows too");
  command->add_flag("--full", options->full, "Do not cut long inputs and results");
  adder.complete(
      command, Scope::kNamespace, "  skald workflow trace order-1\n  skald workflow trace order-1 --children --full",
      [options](Session& session) {
        return session.json ? tell_json(options->target, session) : tell(*options, options->target, 0, session);
      });
}

}  // namespace skald::cli

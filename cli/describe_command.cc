#include <algorithm>
#include <map>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/dropped_signals.h"
#include "cli/failure_text.h"
#include "cli/history.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::common::v1::Payload;
using temporal::api::workflow::v1::PendingActivityInfo;
using temporal::api::workflow::v1::WorkflowExecutionInfo;
using workflowservice::DescribeWorkflowExecutionResponse;

std::string moment(const google::protobuf::Timestamp& time) {
  return fmt::format("{} ({} ago)", time_text(time),
                     duration_text(std::max(absl::Now() - to_time(time), absl::ZeroDuration())));
}

std::string timeouts(const temporal::api::workflow::v1::WorkflowExecutionConfig& config) {
  std::string text;
  const auto add = [&text](const char* name, const google::protobuf::Duration& duration) {
    if (to_duration(duration) <= absl::ZeroDuration()) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, duration_text(to_duration(duration)));
  };
  add("execution", config.workflow_execution_timeout());
  add("run", config.workflow_run_timeout());
  add("workflow task", config.default_workflow_task_timeout());
  return text;
}

void print_fields(const Console& console, const std::string& title,
                  const google::protobuf::Map<std::string, Payload>& fields) {
  if (fields.empty()) return;
  std::vector<Row> rows;
  for (const auto& [name, payload] : std::map<std::string, Payload>(fields.begin(), fields.end()))
    rows.push_back({name, payload_text(payload)});
  console.out << '\n' << title << '\n';
  print_table(console, {}, rows, 2);
}

void print_head(const Console& console, const DescribeWorkflowExecutionResponse& response) {
  const WorkflowExecutionInfo& info = response.workflow_execution_info();
  const std::string status = status_name(info.status());
  const bool cancelling =
      response.workflow_extended_info().cancel_requested() && info.status() == enums::WORKFLOW_EXECUTION_STATUS_RUNNING;
  print_field(console, "Workflow", info.execution().workflow_id());
  print_field(console, "Run", info.execution().run_id());
  print_field(console, "Type", info.type().name());
  print_field(console, "Task queue",
              info.task_queue().empty() ? response.execution_config().task_queue().name() : info.task_queue());
  print_field(console, "Status", status + (cancelling ? ", its cancellation was requested" : ""),
              status_colour(status));
  if (response.workflow_extended_info().has_pause_info()) {
    const auto& pause = response.workflow_extended_info().pause_info();
    print_field(console, "Quarantine",
                fmt::format("since {}: {}; it is not driven, try it with `skald workflow retry {}`", moment(pause.paused_time()), pause.reason(),
                            info.execution().workflow_id()),
                Colour::kRed);
  }
  print_field(console, "Started", info.has_start_time() ? moment(info.start_time()) : "");
  if (info.has_close_time()) {
    const absl::Duration took = to_time(info.close_time()) - to_time(info.start_time());
    print_field(console, "Closed", fmt::format("{}, it took {}", moment(info.close_time()), duration_text(took)));
  }
  print_field(console, "Timeouts", timeouts(response.execution_config()));
  print_field(console, "History", fmt::format("{} events, {} bytes", info.history_length(), info.history_size_bytes()));
  print_field(console, "Parent", info.parent_execution().workflow_id());
  print_field(console, "First run", info.first_run_id() == info.execution().run_id() ? "" : info.first_run_id());
}

std::string next_of(const PendingActivityInfo& activity) {
  if (activity.state() == enums::PENDING_ACTIVITY_STATE_STARTED)
    return "runs for " + duration_text(absl::Now() - to_time(activity.last_started_time()));
  if (!activity.has_next_attempt_schedule_time()) return "waits for a worker";
  const absl::Duration wait = to_time(activity.next_attempt_schedule_time()) - absl::Now();
  return wait > absl::ZeroDuration() ? "again in " + duration_text(wait) : "waits for a worker";
}

void print_pending(const Console& console, const DescribeWorkflowExecutionResponse& response) {
  if (response.has_pending_workflow_task()) {
    const auto& task = response.pending_workflow_task();
    console.out << fmt::format(
        "\nPending workflow task: {} since {}, attempt {}{}\n", words(task.state()),
        time_text(task.state() == enums::PENDING_WORKFLOW_TASK_STATE_STARTED ? task.started_time()
                                                                             : task.scheduled_time()),
        task.attempt(), task.attempt() > 1 ? "; its worker's log, or `skald workflow trace`, tells why it failed" : "");
  }
  std::vector<Row> activities;
  for (const PendingActivityInfo& activity : response.pending_activities()) {
    const std::string attempt = activity.maximum_attempts() > 0
                                    ? fmt::format("{} of {}", activity.attempt(), activity.maximum_attempts())
                                    : std::to_string(activity.attempt());
    activities.push_back(
        {activity.activity_id(), activity.activity_type().name(), words(activity.state()), attempt, next_of(activity),
         Cell(activity.has_last_failure() ? root_failure_line(activity.last_failure()) : "", Colour::kRed)});
  }
  if (!activities.empty()) {
    console.out << "\nPending activities\n";
    print_table(console, {"ID", "TYPE", "STATE", "ATTEMPT", "NEXT", "LAST FAILURE"}, activities, 2);
  }
  std::vector<Row> children;
  for (const auto& child : response.pending_children())
    children.push_back(
        {child.workflow_id(), child.workflow_type_name(), child.run_id(), words(child.parent_close_policy())});
  if (!children.empty()) {
    console.out << "\nPending children\n";
    print_table(console, {"WORKFLOW", "TYPE", "RUN", "IF THE PARENT CLOSES"}, children, 2);
  }
}

constexpr int kLooksBack = 1'000;  // events
constexpr size_t kSignalsShown = 10;

// Signals that the run could not read, of its latest events. A server that does not tell is none that dropped any.
void print_dropped(const Target& target, Session& session, const WorkflowExecutionInfo& info) {
  workflowservice::GetWorkflowExecutionHistoryReverseRequest request;
  request.set_namespace_(session.namespace_name);
  request.mutable_execution()->set_workflow_id(target.id);
  request.mutable_execution()->set_run_id(info.execution().run_id());
  request.set_maximum_page_size(kLooksBack);
  workflowservice::GetWorkflowExecutionHistoryReverseResponse response;
  if (!session.client.call(request, response).ok()) return;
  std::vector<Row> rows;
  size_t count = 0;
  for (const auto& event : response.history().events()) {
    for (const DroppedSignal& signal : dropped_signals(event)) {
      if (++count <= kSignalsShown)
        rows.push_back({signal.name, signal.event_id, Cell(one_line(signal.reason, 200), Colour::kRed)});
    }
  }
  if (rows.empty()) return;
  session.console.out << fmt::format("\nDropped signals: {}, they could not be read; the latest:\n", count);
  print_table(session.console, {"SIGNAL", "EVENT", "WHY"}, rows, 2);
}

// How a closed run ended, and what to type to know more.
Outcome print_outcome(const Target& target, Session& session, const WorkflowExecutionInfo& info) {
  if (info.status() == enums::WORKFLOW_EXECUTION_STATUS_RUNNING) return {};
  temporal::api::history::v1::HistoryEvent event;
  if (Outcome read = read_last_event(session, {target.id, info.execution().run_id()}, event); !read.ok()) return read;
  const Ending end = ending(event);
  print_field(session.console, end.completed ? "Result" : "Outcome", one_line(end.summary, 200),
              status_colour(end.status));
  if (!end.completed)
    print_field(session.console, "Its story",
                fmt::format("skald workflow trace {} --run-id {}", target.id, info.execution().run_id()));
  return {};
}

Outcome describe(const Target& target, Session& session) {
  workflowservice::DescribeWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  target.write(*request.mutable_execution());
  DescribeWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (session.json) {
    print_json(session.console, to_json(response));
    return {};
  }
  const WorkflowExecutionInfo& info = response.workflow_execution_info();
  print_head(session.console, response);
  if (Outcome printed = print_outcome(target, session, info); !printed.ok()) return printed;
  print_fields(session.console, "Memo", info.memo().fields());
  print_fields(session.console, "Search attributes", info.search_attributes().indexed_fields());
  print_pending(session.console, response);
  print_dropped(target, session, info);
  return {};
}

}  // namespace

void add_describe_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command = group->add_subcommand("describe", "Describe a run: where it stands, and what it waits for");
  auto target = std::make_shared<Target>();
  add_target(command, *target);
  adder.complete(command, Scope::kNamespace,
                 "  skald workflow describe order-1\n  skald workflow describe order-1 -o json | jq .pendingActivities",
                 [target](Session& session) { return describe(*target, session); });
}

}  // namespace skald::cli

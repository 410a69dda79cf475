#include "cli/trace_text.h"

#include <algorithm>
#include <sstream>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/failure_text.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::workflow::v1::PendingActivityInfo;
using Description = temporal::api::workflowservice::v1::DescribeWorkflowExecutionResponse;

constexpr size_t kOffsetColumns = 9;
constexpr size_t kTitleColumns = 40;
constexpr size_t kDetailColumns = 110;
constexpr size_t kLabelColumns = 13;
// A task that no worker took for so long is worth a hint.
constexpr absl::Duration kUnattended = absl::Seconds(3);

Colour colour_of(const Step& step) {
  switch (step.state) {
    case StepState::kDone:
      return Colour::kGreen;
    case StepState::kFailed:
      return Colour::kRed;
    case StepState::kOpen:
    case StepState::kCanceled:
      return Colour::kYellow;
    case StepState::kInstant:
      break;
  }
  return Colour::kNone;
}

std::string title_of(const Step& step) {
  std::string title = step.kind;
  if (!step.name.empty()) title += " " + step.name;
  if (!step.id.empty()) title += fmt::format(" ({})", step.id);
  return title;
}

std::string span_text(absl::Duration duration) { return duration_text(std::max(duration, absl::ZeroDuration())); }

// completed in 1.2s (waited 2ms, ran 1.19s), attempt 3
std::string state_of(const Step& step, bool closed) {
  if (step.state == StepState::kInstant || step.kind.rfind("workflow task", 0) == 0) return "";
  if (step.finished == absl::InfinitePast()) {
    if (step.state_text.empty()) return closed ? "not awaited" : "pending";
    return closed ? step.state_text + ", not awaited" : "pending, " + step.state_text;
  }
  std::string text = fmt::format("{} after {}", step.state_text, span_text(step.finished - step.scheduled));
  // A start written only when the activity closed tells nothing of how long it ran.
  const bool start_known = step.started > step.scheduled && step.started < step.finished;
  if (step.attempts > 1 && !start_known) return fmt::format("{}, on attempt {}", text, step.attempts);
  if (step.kind != "activity" || !start_known) return text;
  if (step.attempts > 1)
    return fmt::format("{}, on attempt {}, which ran {}", text, step.attempts, span_text(step.finished - step.started));
  return fmt::format("{} (waited {}, ran {})", text, span_text(step.started - step.scheduled),
                     span_text(step.finished - step.started));
}

void print_detail(const Console& console, const TraceLayout& layout, std::string_view label, const std::string& text,
                  Colour colour = Colour::kNone) {
  if (text.empty()) return;
  const std::string margin(layout.indent + kOffsetColumns + 4, ' ');
  std::istringstream lines(text);
  std::string head = fmt::format("{:<{}}", label, kLabelColumns);
  for (std::string line; std::getline(lines, line);) {
    console.out << margin << console.paint(Colour::kDim, head)
                << console.paint(colour, one_line(line, layout.full ? 0 : kDetailColumns)) << '\n';
    head.assign(kLabelColumns, ' ');
  }
}

std::string with_last_failure(std::string text, const PendingActivityInfo& activity) {
  return activity.has_last_failure() ? text + "; last failure: " + root_failure_line(activity.last_failure()) : text;
}

std::string wait_of(const PendingActivityInfo& activity, absl::Time now) {
  const std::string name = fmt::format("activity {} ({})", activity.activity_type().name(), activity.activity_id());
  const std::string attempt = activity.maximum_attempts() > 0
                                  ? fmt::format("attempt {} of {}", activity.attempt(), activity.maximum_attempts())
                                  : fmt::format("attempt {}", activity.attempt());
  if (activity.state() != enums::PENDING_ACTIVITY_STATE_SCHEDULED) {
    return with_last_failure(
        fmt::format("{}: {} has been running for {} at {}", name, attempt,
                    span_text(now - to_time(activity.last_started_time())),
                    activity.last_worker_identity().empty() ? "a worker" : activity.last_worker_identity()),
        activity);
  }
  const absl::Time due =
      activity.has_next_attempt_schedule_time() ? to_time(activity.next_attempt_schedule_time()) : absl::InfinitePast();
  if (due > now)
    return with_last_failure(fmt::format("{}: {} begins in {}", name, attempt, span_text(due - now)), activity);
  const absl::Time since = std::max(due, to_time(activity.scheduled_time()));
  return with_last_failure(
      fmt::format("{}: {} has waited {} for a worker that offers it", name, attempt, span_text(now - since)), activity);
}

std::string wait_of_task(const Description& description, absl::Time now) {
  const auto& task = description.pending_workflow_task();
  const std::string queue = description.execution_config().task_queue().name();
  if (task.attempt() > 1) {
    return fmt::format(
        "workflow task: attempt {}, its worker keeps failing it: see the failure above, and the log of the worker on "
        "task queue {}",
        task.attempt(), queue);
  }
  if (task.state() == enums::PENDING_WORKFLOW_TASK_STATE_STARTED) {
    return fmt::format("workflow task: a worker has had it for {}", span_text(now - to_time(task.started_time())));
  }
  const absl::Duration waited = now - to_time(task.scheduled_time());
  const std::string hint = fmt::format("; does one that knows {} poll task queue {}?",
                                       description.workflow_execution_info().type().name(), queue);
  return fmt::format("workflow task: it has waited {} for a worker{}", span_text(waited),
                     waited >= kUnattended ? hint : "");
}

}  // namespace

void print_step(const Console& console, const TraceLayout& layout, absl::Time run_start, const Step& step) {
  std::string title = title_of(step);
  const std::string state = state_of(step, layout.closed);
  if (!state.empty() && columns(title) < kTitleColumns) title.append(kTitleColumns - columns(title), ' ');
  console.out << std::string(layout.indent, ' ')
              << fmt::format("{:>{}}", "+" + span_text(step.scheduled - run_start), kOffsetColumns) << "  "
              << (state.empty() ? console.paint(colour_of(step), one_line(title))
                                : one_line(title) + "  " + console.paint(colour_of(step), state))
              << '\n';
  print_detail(console, layout, "input", step.input);
  if (step.failure != step.last_failure)
    print_detail(console, layout, "last failure", step.last_failure, Colour::kYellow);
  print_detail(console, layout, "failure", step.failure, Colour::kRed);
  print_detail(console, layout, "result", step.result == "null" ? "" : step.result);
}

std::vector<std::string> waits(const std::vector<Step>& steps, const Description& description, absl::Time now) {
  std::vector<std::string> sentences;
  if (description.has_pending_workflow_task()) sentences.push_back(wait_of_task(description, now));
  for (const PendingActivityInfo& activity : description.pending_activities())
    sentences.push_back(wait_of(activity, now));
  for (const Step& step : steps) {
    if (step.state == StepState::kOpen && step.kind == "timer") {
      sentences.push_back(fmt::format("timer {} ({}): fires in {}", step.name, step.id, span_text(step.due - now)));
    }
  }
  for (const auto& child : description.pending_children()) {
    sentences.push_back(fmt::format("child {} ({}): skald workflow trace {}", child.workflow_type_name(),
                                    child.workflow_id(), child.workflow_id()));
  }
  if (sentences.empty()) sentences.push_back("nothing is scheduled: it waits for a signal or an update");
  return sentences;
}

}  // namespace skald::cli

#include "cli/close_text.h"

#include <fmt/format.h>

#include "cli/failure_text.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::history::v1::HistoryEvent;

// The whole result, one payload a line; null if there is none.
std::string result_lines(const temporal::api::common::v1::Payloads& result) {
  if (result.payloads_size() == 0) return "null";
  std::string lines;
  for (const auto& payload : result.payloads()) lines.append(lines.empty() ? "" : "\n").append(payload_text(payload));
  return lines;
}

Ending not_completed(std::string status, std::string why) { return {false, std::move(status), why, why}; }

Ending terminated(const HistoryEvent& close) {
  const auto& attributes = close.workflow_execution_terminated_event_attributes();
  std::string why = attributes.reason().empty() ? "no reason was given" : attributes.reason();
  if (!attributes.identity().empty()) why += fmt::format(" (by {})", attributes.identity());
  return not_completed("Terminated", std::move(why));
}

}  // namespace

Ending ending(const HistoryEvent& close) {
  switch (close.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: {
      const std::string lines = result_lines(close.workflow_execution_completed_event_attributes().result());
      return {true, "Completed", one_line(lines), lines};
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: {
      const auto& failure = close.workflow_execution_failed_event_attributes().failure();
      std::string summary = failure_line(failure);
      if (failure.has_cause()) summary += ", caused by " + root_failure_line(failure);
      return {false, "Failed", std::move(summary), failure_chain(failure)};
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
      return not_completed("TimedOut", "it ran out of its time");
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
      return not_completed("Canceled", payloads_text(close.workflow_execution_canceled_event_attributes().details()));
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
      return terminated(close);
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
      return not_completed("ContinuedAsNew", "as run " + successor(close));
    default:
      return {};
  }
}

Colour status_colour(const std::string& status) {
  if (status == "Completed") return Colour::kGreen;
  if (status == "Failed" || status == "TimedOut" || status == "Terminated") return Colour::kRed;
  return status == "Running" ? Colour::kNone : Colour::kYellow;
}

Outcome report(const Session& session, const std::string& workflow_id, const Close& close) {
  const Ending end = ending(close.event);
  if (session.json) {
    nlohmann::ordered_json document{{"workflowId", workflow_id}};
    if (!close.run_id.empty()) document["runId"] = close.run_id;
    document["status"] = end.status;
    document["closeEvent"] = to_json(close.event);
    print_json(session.console, document);
  } else if (end.completed) {
    session.console.out << printable(end.detail) << '\n';
  }
  if (end.completed) return {};
  std::string verb = end.status == "Failed"     ? "failed"
                     : end.status == "TimedOut" ? "timed out"
                     : end.status == "Canceled" ? "was canceled"
                                                : "was terminated";
  return failed(fmt::format("workflow {} {}{}{}", workflow_id, verb, end.detail.empty() ? "" : ": ", end.detail));
}

}  // namespace skald::cli

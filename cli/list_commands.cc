#include <algorithm>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <absl/strings/match.h>
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

using temporal::api::workflow::v1::WorkflowExecutionInfo;

constexpr int kExecutionsAtOnce = 1'000;

struct ListOptions {
  std::string query;
  int limit = 100;
};

// Collects up to `limit` executions (0: all); `more` tells whether there are others.
Outcome collect(const ListOptions& options, Session& session, std::vector<WorkflowExecutionInfo>& executions,
                bool& more) {
  workflowservice::ListWorkflowExecutionsRequest request;
  request.set_namespace_(session.namespace_name);
  request.set_query(options.query);
  const size_t limit = options.limit == 0 ? SIZE_MAX : static_cast<size_t>(options.limit);
  while (true) {
    request.set_page_size(static_cast<int>(std::min<size_t>(kExecutionsAtOnce, limit - executions.size())));
    workflowservice::ListWorkflowExecutionsResponse response;
    if (Outcome called = session.client.call(request, response); !called.ok()) return called;
    for (WorkflowExecutionInfo& info : *response.mutable_executions()) {
      if (executions.size() < limit) executions.push_back(std::move(info));
    }
    more = !response.next_page_token().empty();
    if (!more || executions.size() >= limit) return {};
    request.set_next_page_token(response.next_page_token());
  }
}

// What the server reports to keep the workflow from going on: `Quarantine`.
bool is_quarantined(const WorkflowExecutionInfo& info) {
  const auto reported = info.search_attributes().indexed_fields().find("TemporalReportedProblems");
  return reported != info.search_attributes().indexed_fields().end() && absl::StrContains(reported->second.data(), "category=Quarantine");
}

Row row_of(const WorkflowExecutionInfo& info) {
  const std::string status = is_quarantined(info) ? "Quarantined" : status_name(info.status());
  const absl::Time start = to_time(info.start_time());
  const absl::Time end = info.has_close_time() ? to_time(info.close_time()) : absl::Now();
  return {Cell(status, status_colour(status)),
          info.execution().workflow_id(),
          info.type().name(),
          time_text(start),
          duration_text(std::max(end - start, absl::ZeroDuration())),
          Cell(info.execution().run_id(), Colour::kDim)};
}

Outcome list(const ListOptions& options, Session& session) {
  std::vector<WorkflowExecutionInfo> executions;
  bool more = false;
  if (Outcome collected = collect(options, session, executions, more); !collected.ok()) return collected;
  if (session.json) {
    nlohmann::ordered_json documents = nlohmann::ordered_json::array();
    for (const WorkflowExecutionInfo& info : executions) documents.push_back(to_json(info));
    print_json(session.console, {{"executions", std::move(documents)}});
    return {};
  }
  std::vector<Row> rows;
  for (const WorkflowExecutionInfo& info : executions) rows.push_back(row_of(info));
  print_table(session.console, {"STATUS", "WORKFLOW", "TYPE", "STARTED", "TOOK", "RUN"}, rows);
  if (more) session.console.err << fmt::format("skald: there are more; --limit 0 shows all, --query narrows it down\n");
  return {};
}

Outcome count(const ListOptions& options, Session& session) {
  workflowservice::CountWorkflowExecutionsRequest request;
  request.set_namespace_(session.namespace_name);
  request.set_query(options.query);
  workflowservice::CountWorkflowExecutionsResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (session.json) {
    nlohmann::ordered_json document = to_json(response);
    if (!document.contains("count")) document["count"] = "0";
    print_json(session.console, document);
    return {};
  }
  std::vector<Row> rows;
  for (const auto& group : response.groups()) {
    std::string values;
    for (const auto& value : group.group_values())
      values.append(values.empty() ? "" : ", ").append(payload_text(value));
    rows.push_back({values, std::to_string(group.count())});
  }
  if (!rows.empty()) print_table(session.console, {"GROUP", "COUNT"}, rows);
  if (rows.empty()) session.console.out << response.count() << '\n';
  return {};
}

}  // namespace

void add_list_commands(CLI::App* group, const CommandAdder& adder) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* list_command = group->add_subcommand("list", "List workflows, the latest first");
  list_command->add_option("-q,--query", options->query, "Only those that match this filter")->type_name("FILTER");
  list_command->add_option("--limit", options->limit, "At most so many; 0 for all")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->capture_default_str();
  adder.complete(list_command, Scope::kNamespace,
                 "  skald workflow list\n  skald workflow list -q 'ExecutionStatus = \"Failed\" AND WorkflowType = "
                 "\"order_fulfillment\"' --limit 20",
                 [options](Session& session) { return list(*options, session); });

  CLI::App* count_command = group->add_subcommand("count", "Count workflows");
  count_command
      ->add_option("-q,--query", options->query,
                   "Only those that match this filter; may end with GROUP BY ExecutionStatus")
      ->type_name("FILTER");
  adder.complete(
      count_command, Scope::kNamespace,
      "  skald workflow count -q 'ExecutionStatus = \"Running\"'\n  skald workflow count -q 'GROUP BY ExecutionStatus'",
      [options](Session& session) { return count(*options, session); });
}

}  // namespace skald::cli

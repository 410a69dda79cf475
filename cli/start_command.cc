#include <algorithm>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/history.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "engine/base/random.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using workflowservice::StartWorkflowExecutionRequest;
using workflowservice::StartWorkflowExecutionResponse;

struct StartOptions {
  std::string type, task_queue = "skald", id, input_file, reuse, conflict, cron;
  std::vector<std::string> inputs, memo, search_attributes;
  absl::Duration run_timeout, execution_timeout, task_timeout, delay;
  bool wait = false;
};

// The API's name of a policy that was typed as `reject-duplicate`.
std::string policy_name(const std::string& prefix, std::string typed) {
  std::transform(typed.begin(), typed.end(), typed.begin(),
                 [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
  return prefix + typed;
}

void write_policies(const StartOptions& options, StartWorkflowExecutionRequest& request) {
  enums::WorkflowIdReusePolicy reuse = enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED;
  enums::WorkflowIdConflictPolicy conflict = enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED;
  enums::WorkflowIdReusePolicy_Parse(policy_name("WORKFLOW_ID_REUSE_POLICY_", options.reuse), &reuse);
  enums::WorkflowIdConflictPolicy_Parse(policy_name("WORKFLOW_ID_CONFLICT_POLICY_", options.conflict), &conflict);
  request.set_workflow_id_reuse_policy(reuse);
  request.set_workflow_id_conflict_policy(conflict);
}

void write_durations(const StartOptions& options, StartWorkflowExecutionRequest& request) {
  const auto given = [](absl::Duration duration) { return duration > absl::ZeroDuration(); };
  if (given(options.run_timeout)) *request.mutable_workflow_run_timeout() = to_proto(options.run_timeout);
  if (given(options.execution_timeout))
    *request.mutable_workflow_execution_timeout() = to_proto(options.execution_timeout);
  if (given(options.task_timeout)) *request.mutable_workflow_task_timeout() = to_proto(options.task_timeout);
  if (given(options.delay)) *request.mutable_workflow_start_delay() = to_proto(options.delay);
}

Outcome write_payloads(const StartOptions& options, StartWorkflowExecutionRequest& request) {
  if (!options.inputs.empty() || !options.input_file.empty()) {
    if (Outcome read = read_inputs(options.inputs, options.input_file, *request.mutable_input()); !read.ok())
      return read;
  }
  if (!options.memo.empty()) {
    if (Outcome read = read_fields("--memo", options.memo, *request.mutable_memo()->mutable_fields()); !read.ok())
      return read;
  }
  if (options.search_attributes.empty()) return {};
  return read_fields("--search-attribute", options.search_attributes,
                     *request.mutable_search_attributes()->mutable_indexed_fields());
}

Outcome build_request(const StartOptions& options, const Session& session, StartWorkflowExecutionRequest& request) {
  const std::unique_ptr<base::Random> random = base::make_system_random();
  request.set_namespace_(session.namespace_name);
  request.set_workflow_id(options.id.empty() ? random->uuid() : options.id);
  request.mutable_workflow_type()->set_name(options.type);
  request.mutable_task_queue()->set_name(options.task_queue);
  request.set_identity(identity());
  request.set_request_id(random->uuid());
  request.set_cron_schedule(options.cron);
  write_policies(options, request);
  write_durations(options, request);
  return write_payloads(options, request);
}

void print_started(const Session& session, const std::string& id, const StartWorkflowExecutionResponse& response) {
  if (session.json) {
    nlohmann::ordered_json document{{"workflowId", id}};
    document.update(to_json(response));
    return print_json(session.console, document);
  }
  print_field(session.console, "Workflow", id);
  print_field(session.console, "Run", response.run_id());
  print_field(session.console, "Started", response.started() ? "" : "no, it was running already");
  print_field(session.console, "Result", fmt::format("skald workflow result {}", id));
}

Outcome start(const StartOptions& options, Session& session) {
  StartWorkflowExecutionRequest request;
  if (Outcome built = build_request(options, session, request); !built.ok()) return built;
  StartWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (!options.wait) {
    print_started(session, request.workflow_id(), response);
    return {};
  }
  if (options.id.empty())
    session.console.err << fmt::format("skald: waiting for workflow {}", request.workflow_id()) << std::endl;
  Close close;
  Outcome waited = wait_for_close(session, {request.workflow_id(), response.run_id()}, close);
  return waited.ok() ? report(session, request.workflow_id(), close) : waited;
}

void add_options(CLI::App* command, StartOptions& options) {
  command
      ->add_option("-t,--type", options.type, "The workflow's type: the name it has in its worker, or its Lua file's")
      ->required()
      ->type_name("NAME");
  command->add_option("--task-queue", options.task_queue, "The queue its worker polls")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--id", options.id, "Its id, by which it is found again; without it, a random one")
      ->type_name("ID")
      ->check(not_empty());
  add_inputs(command, options.inputs, options.input_file);
  command
      ->add_option(
          "--id-reuse-policy", options.reuse,
          "If the id's last workflow has closed: allow-duplicate, allow-duplicate-failed-only, reject-duplicate")
      ->type_name("POLICY")
      ->check(CLI::IsMember({"allow-duplicate", "allow-duplicate-failed-only", "reject-duplicate"}).description(""));
  command
      ->add_option("--id-conflict-policy", options.conflict, "If it still runs: fail, use-existing, terminate-existing")
      ->type_name("POLICY")
      ->check(CLI::IsMember({"fail", "use-existing", "terminate-existing"}).description(""));
  add_duration(command, "--run-timeout", options.run_timeout, "How long one run may take");
  add_duration(command, "--execution-timeout", options.execution_timeout,
               "How long it may take with all its retries and continuations");
  add_duration(command, "--task-timeout", options.task_timeout, "How long a worker may take for one workflow task");
  add_duration(command, "--start-delay", options.delay, "Wait before its first workflow task");
  add_repeatable(command, "--memo", options.memo, "NAME=JSON", "A note that lists and describe show");
  add_repeatable(command, "--search-attribute", options.search_attributes, "NAME=JSON", "A value to find it by");
  command->add_option("--cron", options.cron, "Run it again and again at these times (five fields, or @every 1h)")
      ->type_name("SCHEDULE");
  command->add_flag("--wait", options.wait, "Wait until it closes, and print its result as `result` does");
}

}  // namespace

void add_start_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command = group->add_subcommand("start", "Start a workflow");
  auto options = std::make_shared<StartOptions>();
  add_options(command, *options);
  adder.complete(command, Scope::kNamespace,
                 "  skald workflow start --type stock_load --wait --input "
                 "'{\"items\":[{\"sku\":\"T100\",\"quantity\":10}]}'\n"
                 "  skald workflow start --type order_fulfillment --id order-1 --input "
                 "'{\"order_id\":\"1\",\"items\":[{\"sku\":\"T100\",\"quantity\":1}],\"total\":1390,"
                 "\"currency\":\"EUR\",\"country\":\"NO\"}'\n"
                 "  skald workflow start --type ledger_audit --wait",
                 [options](Session& session) { return start(*options, session); });
}

}  // namespace skald::cli

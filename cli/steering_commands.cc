#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/command_groups.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "engine/base/random.h"

namespace skald::cli {
namespace {

struct SignalOptions {
  Target target;
  std::string name, input_file;
  std::vector<std::string> inputs;
};

struct EndOptions {
  Target target;
  std::string reason;
};

// Says that the server took the request: as a sentence, or as its response.
void confirm(const Session& session, const google::protobuf::Message& response, const std::string& sentence) {
  if (session.json) return print_json(session.console, to_json(response));
  session.console.out << sentence << '\n';
}

Outcome signal(const SignalOptions& options, Session& session) {
  workflowservice::SignalWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  options.target.write(*request.mutable_workflow_execution());
  request.set_signal_name(options.name);
  request.set_identity(identity());
  request.set_request_id(base::make_system_random()->uuid());
  if (!options.inputs.empty() || !options.input_file.empty()) {
    if (Outcome read = read_inputs(options.inputs, options.input_file, *request.mutable_input()); !read.ok())
      return read;
  }
  workflowservice::SignalWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  confirm(session, response, fmt::format("Signal {} is with workflow {}.", options.name, options.target.id));
  return {};
}

Outcome cancel(const EndOptions& options, Session& session) {
  workflowservice::RequestCancelWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  options.target.write(*request.mutable_workflow_execution());
  request.set_identity(identity());
  request.set_request_id(base::make_system_random()->uuid());
  request.set_reason(options.reason);
  workflowservice::RequestCancelWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  confirm(session, response,
          fmt::format("Workflow {0} is asked to cancel itself; `skald workflow result {0}` waits for its end.",
                      options.target.id));
  return {};
}

Outcome terminate(const EndOptions& options, Session& session) {
  workflowservice::TerminateWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  options.target.write(*request.mutable_workflow_execution());
  request.set_identity(identity());
  request.set_reason(options.reason);
  workflowservice::TerminateWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  confirm(session, response, fmt::format("Workflow {} is terminated.", options.target.id));
  return {};
}

Outcome retry(const EndOptions& options, Session& session) {
  workflowservice::UnpauseWorkflowExecutionRequest request;
  request.set_namespace_(session.namespace_name);
  request.set_workflow_id(options.target.id);
  request.set_run_id(options.target.run_id);
  request.set_identity(identity());
  request.set_request_id(base::make_system_random()->uuid());
  request.set_reason(options.reason);
  workflowservice::UnpauseWorkflowExecutionResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  confirm(session, response, fmt::format("Workflow {0} goes on; `skald workflow describe {0}` tells how.", options.target.id));
  return {};
}

}  // namespace

void add_steering_commands(CLI::App* group, const CommandAdder& adder) {
  auto signalling = std::make_shared<SignalOptions>();
  CLI::App* signal_command = group->add_subcommand("signal", "Send a signal to a running workflow");
  add_target(signal_command, signalling->target);
  signal_command->add_option("--name", signalling->name, "The signal's name")->required()->type_name("NAME");
  add_inputs(signal_command, signalling->inputs, signalling->input_file);
  adder.complete(signal_command, Scope::kNamespace,
                 "  skald workflow signal order-1 --name cancel --input '\"the customer changed her mind\"'\n  skald "
                 "workflow signal order-1 --name approve",
                 [signalling](Session& session) { return signal(*signalling, session); });

  auto cancelling = std::make_shared<EndOptions>();
  CLI::App* cancel_command =
      group->add_subcommand("cancel", "Ask a running workflow to cancel itself; its own code cleans up");
  add_target(cancel_command, cancelling->target);
  cancel_command->add_option("--reason", cancelling->reason, "Why, for its history")->type_name("TEXT");
  adder.complete(cancel_command, Scope::kNamespace, "  skald workflow cancel order-1 --reason 'double order'",
                 [cancelling](Session& session) { return cancel(*cancelling, session); });

  auto terminating = std::make_shared<EndOptions>();
  CLI::App* terminate_command =
      group->add_subcommand("terminate", "End a running workflow at once; none of its code runs again");
  add_target(terminate_command, terminating->target);
  terminate_command->add_option("--reason", terminating->reason, "Why, for its history")->type_name("TEXT");
  adder.complete(terminate_command, Scope::kNamespace,
                 "  skald workflow terminate order-1 --reason 'stuck, refunded by hand'",
                 [terminating](Session& session) { return terminate(*terminating, session); });

  auto retrying = std::make_shared<EndOptions>();
  CLI::App* retry_command = group->add_subcommand("retry", "Let a workflow go on that is in quarantine: the server died twice while it worked on it");
  add_target(retry_command, retrying->target);
  retry_command->add_option("--reason", retrying->reason, "Why, for the server's log")->type_name("TEXT");
  adder.complete(retry_command, Scope::kNamespace, "  skald workflow retry order-1 --reason 'its workflow is mended'",
                 [retrying](Session& session) { return retry(*retrying, session); });
}

}  // namespace skald::cli

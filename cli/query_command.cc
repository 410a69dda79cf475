#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/command_groups.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;

struct QueryOptions {
  Target target;
  std::string type, input_file, reject;
  std::vector<std::string> inputs;
};

Outcome query(const QueryOptions& options, Session& session) {
  workflowservice::QueryWorkflowRequest request;
  request.set_namespace_(session.namespace_name);
  options.target.write(*request.mutable_execution());
  request.mutable_query()->set_query_type(options.type);
  if (options.reject == "not-open") request.set_query_reject_condition(enums::QUERY_REJECT_CONDITION_NOT_OPEN);
  if (options.reject == "not-completed-cleanly")
    request.set_query_reject_condition(enums::QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY);
  if (!options.inputs.empty() || !options.input_file.empty()) {
    if (Outcome read = read_inputs(options.inputs, options.input_file, *request.mutable_query()->mutable_query_args());
        !read.ok())
      return read;
  }
  workflowservice::QueryWorkflowResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (session.json) print_json(session.console, to_json(response));
  if (response.has_query_rejected()) {
    return failed(fmt::format("the query was rejected: the workflow's status is {}, and --reject-if {} was said",
                              status_name(response.query_rejected().status()), options.reject));
  }
  if (session.json) return {};
  for (const auto& payload : response.query_result().payloads())
    session.console.out << printable(payload_text(payload)) << '\n';
  return {};
}

}  // namespace

void add_query_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command = group->add_subcommand("query", "Ask a workflow, running or closed, and print its answer");
  auto options = std::make_shared<QueryOptions>();
  add_target(command, options->target);
  command->add_option("-t,--type", options->type, "The query's name")->required()->type_name("NAME");
  add_inputs(command, options->inputs, options->input_file);
  command
      ->add_option("--reject-if", options->reject, "Do not answer if the workflow is: not-open, not-completed-cleanly")
      ->type_name("STATE")
      ->check(CLI::IsMember({"not-open", "not-completed-cleanly"}).description(""));
  adder.complete(command, Scope::kNamespace,
                 "  skald workflow query order-1 --type status\n  skald workflow query order-1 --type item --input 3",
                 [options](Session& session) { return query(*options, session); });
}

}  // namespace skald::cli

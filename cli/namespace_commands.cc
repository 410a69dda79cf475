#include <map>
#include <memory>

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <fmt/format.h>

#include "cli/command_groups.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

using workflowservice::DescribeNamespaceResponse;

constexpr int kNamespacesAtOnce = 1'000;

struct NamespaceOptions {
  std::string name, description, owner;
  absl::Duration retention;
  std::vector<std::string> data;
};

using Data = google::protobuf::Map<std::string, std::string>;

Outcome read_data(const std::vector<std::string>& pairs, Data& data) {
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return misused(fmt::format("--data {}: write name=value", pair));
    data[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return {};
}

std::string retention_of(const temporal::api::namespace_::v1::NamespaceConfig& config) {
  return config.has_workflow_execution_retention_ttl()
             ? duration_text(to_duration(config.workflow_execution_retention_ttl()))
             : "";
}

// Of the answers of describe and of update.
template <typename Response>
void print_namespace(const Session& session, const Response& response) {
  if (session.json) return print_json(session.console, to_json(response));
  const auto& info = response.namespace_info();
  print_field(session.console, "Namespace", info.name());
  print_field(session.console, "Id", info.id());
  print_field(session.console, "State", words(info.state()));
  print_field(session.console, "Description", info.description());
  print_field(session.console, "Owner", info.owner_email());
  print_field(session.console, "Retention", retention_of(response.config()));
  for (const auto& [name, value] : std::map<std::string, std::string>(info.data().begin(), info.data().end())) {
    print_field(session.console, "Data " + name, value);
  }
}

Outcome register_namespace(const NamespaceOptions& options, Session& session) {
  workflowservice::RegisterNamespaceRequest request;
  request.set_namespace_(options.name);
  request.set_description(options.description);
  request.set_owner_email(options.owner);
  *request.mutable_workflow_execution_retention_period() = to_proto(options.retention);
  if (Outcome read = read_data(options.data, *request.mutable_data()); !read.ok()) return read;
  workflowservice::RegisterNamespaceResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  if (session.json) {
    print_json(session.console, to_json(response));
  } else {
    session.console.out << fmt::format("Namespace {} is registered; closed workflows are kept for {}.\n", options.name,
                                       duration_text(options.retention));
  }
  return {};
}

Outcome describe_namespace(const NamespaceOptions& options, Session& session) {
  workflowservice::DescribeNamespaceRequest request;
  request.set_namespace_(options.name);
  DescribeNamespaceResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  print_namespace(session, response);
  return {};
}

Outcome update_namespace(const NamespaceOptions& options, Session& session) {
  workflowservice::UpdateNamespaceRequest request;
  request.set_namespace_(options.name);
  if (!options.description.empty()) request.mutable_update_info()->set_description(options.description);
  if (!options.owner.empty()) request.mutable_update_info()->set_owner_email(options.owner);
  if (!options.data.empty()) {
    if (Outcome read = read_data(options.data, *request.mutable_update_info()->mutable_data()); !read.ok()) return read;
  }
  if (options.retention > absl::ZeroDuration())
    *request.mutable_config()->mutable_workflow_execution_retention_ttl() = to_proto(options.retention);
  if (!request.has_update_info() && !request.has_config())
    return misused("nothing to change: give --description, --owner-email, --retention or --data");
  workflowservice::UpdateNamespaceResponse response;
  if (Outcome called = session.client.call(request, response); !called.ok()) return called;
  print_namespace(session, response);
  return {};
}

Outcome list_namespaces(Session& session) {
  workflowservice::ListNamespacesRequest request;
  request.set_page_size(kNamespacesAtOnce);
  nlohmann::ordered_json documents = nlohmann::ordered_json::array();
  std::vector<Row> rows;
  do {
    workflowservice::ListNamespacesResponse response;
    if (Outcome called = session.client.call(request, response); !called.ok()) return called;
    for (const DescribeNamespaceResponse& each : response.namespaces()) {
      if (session.json) documents.push_back(to_json(each));
      rows.push_back({each.namespace_info().name(), words(each.namespace_info().state()), retention_of(each.config()),
                      each.namespace_info().description()});
    }
    request.set_next_page_token(response.next_page_token());
  } while (!request.next_page_token().empty());
  if (session.json) {
    print_json(session.console, {{"namespaces", std::move(documents)}});
  } else {
    print_table(session.console, {"NAMESPACE", "STATE", "RETENTION", "DESCRIPTION"}, rows);
  }
  return {};
}

void add_properties(CLI::App* command, NamespaceOptions& options) {
  command->add_option("NAME,--name", options.name, "The namespace's name")->type_name("")->required();
  command->add_option("--description", options.description, "What it is for")->type_name("TEXT");
  command->add_option("--owner-email", options.owner, "Whom to ask about it")->type_name("ADDRESS");
  add_duration(command, "--retention", options.retention, "How long closed workflows are kept");
  add_repeatable(command, "--data", options.data, "NAME=VALUE", "A property of your own");
}

}  // namespace

void add_namespace_commands(CLI::App* group, const CommandAdder& adder) {
  auto registering = std::make_shared<NamespaceOptions>();
  registering->retention = absl::Hours(72);
  CLI::App* register_command = group->add_subcommand("register", "Make a namespace");
  add_properties(register_command, *registering);
  adder.complete(register_command, Scope::kServer,
                 "  skald namespace register shop --retention 30d --description 'orders of the shop'",
                 [registering](Session& session) { return register_namespace(*registering, session); });

  auto describing = std::make_shared<NamespaceOptions>();
  CLI::App* describe_command = group->add_subcommand("describe", "Describe a namespace");
  describe_command->add_option("NAME,--name", describing->name, "The namespace's name; without it, default")
      ->type_name("");
  describing->name = "default";
  adder.complete(describe_command, Scope::kServer, "  skald namespace describe shop",
                 [describing](Session& session) { return describe_namespace(*describing, session); });

  CLI::App* list_command = group->add_subcommand("list", "List the namespaces");
  adder.complete(list_command, Scope::kServer,
                 "  skald namespace list\n  skald namespace list -o json | jq -r '.namespaces[].namespaceInfo.name'",
                 list_namespaces);

  auto updating = std::make_shared<NamespaceOptions>();
  CLI::App* update_command = group->add_subcommand("update", "Change a namespace's properties");
  add_properties(update_command, *updating);
  adder.complete(update_command, Scope::kServer, "  skald namespace update shop --retention 7d",
                 [updating](Session& session) { return update_namespace(*updating, session); });
}

}  // namespace skald::cli

#include "cli/command.h"

#include <optional>

#include "temporal/api/common/v1/message.pb.h"
#include <absl/strings/numbers.h>
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "cli/time_text.h"

namespace skald::cli {
namespace {

// What all client commands can be told.
struct CommonOptions {
  std::string address = "127.0.0.1:7233";
  std::string namespace_name = "default";
  std::string output = "table";
  absl::Duration timeout = absl::ZeroDuration();  // zero: not given
};

// Why an address is none; empty if it is.
std::string address_mistake(const std::string& address) {
  if (address.rfind("unix:", 0) == 0) return "";
  const size_t colon = address.rfind(':');
  int port = 0;
  const bool whole = colon != std::string::npos && colon > 0 && absl::SimpleAtoi(address.substr(colon + 1), &port) &&
                     port > 0 && port < 65'536;
  return whole ? "" : fmt::format("'{}' is no HOST:PORT, for example 127.0.0.1:7233", address);
}

void add_common_options(CLI::App* command, Scope scope, CommonOptions& options) {
  command->add_option("--address", options.address, "The server")
      ->envname("SKALD_ADDRESS")
      ->type_name("HOST:PORT")
      ->check(CLI::Validator(address_mistake, ""))
      ->capture_default_str();
  if (scope == Scope::kNamespace) {
    command->add_option("-n,--namespace", options.namespace_name, "The namespace")
        ->type_name("NAME")
        ->capture_default_str();
  }
  command->add_option("-o,--output", options.output, "table for people, json for programs")
      ->type_name("FORM")
      ->check(CLI::Validator(
          [](const std::string& form) {
            return form == "table" || form == "json" ? "" : fmt::format("'{}' is neither table nor json", form);
          },
          ""))
      ->capture_default_str();
  add_duration(command, "--timeout", options.timeout,
               "Give up after this time (10s for a call; commands that wait, wait for ever)");
}

Outcome run(const CommonOptions& options, ClientOptions client_options, const Console& console,
            const std::function<Outcome(Session&)>& body) {
  client_options.address = options.address;
  if (options.timeout > absl::ZeroDuration()) {
    client_options.call_timeout = options.timeout;
    client_options.deadline = absl::Now() + options.timeout;
  }
  Client client(std::move(client_options));
  Session session{client, console, options.namespace_name, options.output == "json"};
  return body(session);
}

}  // namespace

void CommandAdder::complete(CLI::App* command, Scope scope, const std::string& examples,
                            std::function<Outcome(Session&)> body) const {
  auto options = std::make_shared<CommonOptions>();
  add_common_options(command, scope, *options);
  command->footer("Examples:\n" + examples);
  command->callback([this_console = &console, code = &exit_code, client = client, options, body = std::move(body)] {
    Outcome outcome = run(*options, client, *this_console, body);
    if (Outcome written = this_console->finish(); outcome.ok()) outcome = std::move(written);
    if (!outcome.sentence.empty()) this_console->err << "skald: " << printable(outcome.sentence) << std::endl;
    *code = static_cast<int>(outcome.code);
  });
}

void Target::write(temporal::api::common::v1::WorkflowExecution& execution) const {
  execution.set_workflow_id(id);
  execution.set_run_id(run_id);
}

CLI::Validator not_empty() {
  return {[](const std::string& text) { return text.empty() ? "it may not be empty" : ""; }, ""};
}

void add_target(CLI::App* command, Target& target) {
  command->add_option("ID,--id", target.id, "The workflow's id")->type_name("")->required()->check(not_empty());
  command->add_option("-r,--run-id", target.run_id, "One of its runs; without it, the current or last")
      ->type_name("UUID");
}

void add_duration(CLI::App* command, const std::string& name, absl::Duration& value, const std::string& description) {
  const auto read = [name, &value](const std::string& text) {
    const std::optional<absl::Duration> duration = parse_duration(text);
    if (!duration)
      throw CLI::ValidationError(name, fmt::format("'{}' is no duration; write 30s, 5m, 1h30m or 2d", text));
    value = *duration;
  };
  command->add_option_function<std::string>(name, read, description)->type_name("DURATION");
}

void add_repeatable(CLI::App* command, const std::string& name, std::vector<std::string>& values,
                    const std::string& type, const std::string& description) {
  command->add_option(name, values, description)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

void add_inputs(CLI::App* command, std::vector<std::string>& inputs, std::string& file) {
  add_repeatable(command, "-i,--input", inputs, "JSON", "An argument; give it again for the next one");
  command->add_option("--input-file", file, "A file whose content is the argument (-: standard input)")
      ->type_name("FILE")
      ->excludes("--input");
}

}  // namespace skald::cli

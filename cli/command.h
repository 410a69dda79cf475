#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/time/time.h>

#include "cli/client.h"
#include "cli/console.h"
#include "cli/outcome.h"

namespace temporal::api::common::v1 {
class WorkflowExecution;
}

namespace skald::cli {

// What the body of a chosen command works with.
struct Session {
  Client& client;
  const Console& console;
  std::string namespace_name;
  bool json = false;  // -o json: one JSON document on stdout
};

// Whether the command's calls are made for one namespace, and so have the option --namespace.
enum class Scope { kNamespace, kServer };

// Adds commands to the command line. Console and exit code must live until it is parsed.
struct CommandAdder {
  const Console& console;
  int& exit_code;
  ClientOptions client;  // what options of the command line do not override

  // Gives `command` the options all client commands have, and `examples` below its help. When it is chosen, `body`
  // runs, its sentence goes to stderr, and the exit code is set.
  void complete(CLI::App* command, Scope scope, const std::string& examples,
                std::function<Outcome(Session&)> body) const;
};

// Which workflow a command is about.
struct Target {
  std::string id;
  std::string run_id;  // empty: the current, or the last, run

  void write(temporal::api::common::v1::WorkflowExecution& execution) const;
};

// A check of options: an empty text is a mistake.
CLI::Validator not_empty();

// The positional ID and --run-id. `target` must outlive the parse, as all targets of options.
void add_target(CLI::App* command, Target& target);

// An option whose value is a duration as people type it.
void add_duration(CLI::App* command, const std::string& name, absl::Duration& value, const std::string& description);

// An option of JSON texts that may be given several times.
void add_repeatable(CLI::App* command, const std::string& name, std::vector<std::string>& values,
                    const std::string& type, const std::string& description);

// --input, repeatable, and --input-file.
void add_inputs(CLI::App* command, std::vector<std::string>& inputs, std::string& file);

}  // namespace skald::cli

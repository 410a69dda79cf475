#include <memory>

#include "cli/close_text.h"
#include "cli/command_groups.h"
#include "cli/history.h"

namespace skald::cli {

void add_result_command(CLI::App* group, const CommandAdder& adder) {
  CLI::App* command =
      group->add_subcommand("result", "Wait until a workflow closes, and print its result or why it has none");
  auto target = std::make_shared<Target>();
  add_target(command, *target);
  adder.complete(command, Scope::kNamespace,
                 "  skald workflow result order-1\n  skald workflow result order-1 --timeout 30s | jq .outcome",
                 [target](Session& session) {
                   Close close;
                   Outcome waited = wait_for_close(session, *target, close);
                   return waited.ok() ? report(session, target->id, close) : waited;
                 });
}

}  // namespace skald::cli

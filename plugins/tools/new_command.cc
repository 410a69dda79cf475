// `skald plugin new`
#include <filesystem>
#include <memory>
#include <string>

#include "engine/base/text.h"
#include "plugins/tools/command_groups.h"
#include "plugins/tools/scaffold.h"

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string name, folder, tree, build;
};

cli::Outcome new_plugin(const NewArguments& given, const cli::Console& console) {
  const auto tree = find_tree(given.tree);
  if (!tree.ok()) return cli::misused(std::string(base::text(tree.status())));
  ScaffoldOptions options{given.name, given.folder.empty() ? fs::path(given.name) : fs::path(given.folder), *tree,
                          given.build.empty() ? *tree / "build" : fs::absolute(given.build)};
  const auto written = scaffold(options);
  if (!written.ok()) {
    return absl::IsInvalidArgument(written.status()) ? cli::misused(std::string(base::text(written.status())))
                                                     : cli::failed(std::string(base::text(written.status())));
  }
  const std::string folder = options.folder.string();
  for (const std::string& file : *written) console.out << folder << "/" << file << "\n";
  console.out << "\nBuild and test it:\n  cd " << folder
              << " && cmake -G Ninja -S . -B build && cmake --build build && build/" << given.name
              << "_test\nThen see README.md.\n";
  return {};
}

}  // namespace

void add_new_command(const PluginCommandAdder& adder) {
  auto arguments = std::make_shared<NewArguments>();
  CLI::App* command = adder.group->add_subcommand("new", "Write a plugin that works, to begin with");
  command->add_option("NAME", arguments->name, "The plugin's name: lower-case letters, digits and _")->required();
  command->add_option("--dir", arguments->folder, "The folder to make (by default NAME)")->type_name("DIR");
  command->add_option("--skald", arguments->tree, "Skald's source tree (by default the one around this binary)")
      ->type_name("DIR");
  command->add_option("--skald-build", arguments->build, "Where it was built (by default its folder build)")
      ->type_name("DIR");
  adder.complete(command, "  skald plugin new loyalty\n  skald plugin new loyalty --dir plugins/loyalty",
                 [arguments, console = &adder.console] { return new_plugin(*arguments, *console); });
}

}  // namespace skald::plugins

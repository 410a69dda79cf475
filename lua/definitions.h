#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace skald::lua {

// Warnings that are written once in a process. Thread-safe.
class Warnings {
 public:
  bool first(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return seen_.size() < kMost && seen_.insert(text).second;
  }

 private:
  static constexpr size_t kMost = 1000;
  std::mutex mutex_;
  std::set<std::string> seen_;
};

// A workflow's code as it was at one moment: the file and the modules it requires. Immutable.
struct Definition {
  std::string name;     // = workflow type = file name
  std::string version;  // of the file's "-- @version" line, or empty
  std::string hash;     // of the content, SHA-256 in hexadecimal
  std::string error;    // why it cannot run ("file:line: …"); then there is no code
  std::string code;     // compiled
  std::map<std::string, std::string, std::less<>> modules;  // required name → compiled
  std::unique_ptr<Warnings> warnings = std::make_unique<Warnings>();
};

// Sources of one workflow, as read from files: module name → text.
using ModuleSources = std::map<std::string, std::string, std::less<>>;

// Compiles one definition; what is wrong with it stands in its `error`.
std::shared_ptr<const Definition> compile_definition(const std::string& name, const std::string& source,
                                                     const ModuleSources& modules);

// The workflow definitions of a process, the current ones and those that runs began with. Thread-safe.
class Definitions {
 public:
  // Reads all *.lua of `directory`, and its lib/*.lua as modules, in place of what was current. A definition with an
  // error is kept as such; it is not an error of this call. An unreadable directory is, and changes nothing.
  absl::Status load(const std::string& directory);

  // Makes this the current definition of its name.
  void add(std::shared_ptr<const Definition> definition);

  // Null if there is none.
  std::shared_ptr<const Definition> current(std::string_view name) const;
  // The definition of this name whose hash begins so, current or not.
  std::shared_ptr<const Definition> with_hash(std::string_view name, std::string_view hash_prefix) const;
  // By name.
  std::vector<std::shared_ptr<const Definition>> all_current() const;

 private:
  using ByName = std::map<std::string, std::shared_ptr<const Definition>, std::less<>>;

  mutable std::mutex mutex_;
  ByName current_;
  std::map<std::string, std::map<std::string, std::shared_ptr<const Definition>, std::less<>>, std::less<>>
      known_;  // name → hash → definition
};

// The modules that come with the worker, compiled: "skald.saga". Null if there is none of this name.
const std::string* built_in_module(std::string_view name);

}  // namespace skald::lua

#pragma once

#include <string>
#include <utility>

namespace skald::cli {

// What scripts may rely on.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,       // the server refused the call, or the workflow did not complete
  kUsage = 2,        // the command line makes no sense
  kUnreachable = 3,  // no server answered, or not in time
};

// How a command, or a part of one, ended.
struct [[nodiscard]] Outcome {
  ExitCode code = ExitCode::kOk;
  // For the user, on stderr after `skald: `: what went wrong and what to do. May have further lines of detail.
  std::string sentence;

  bool ok() const { return code == ExitCode::kOk; }
};

inline Outcome failed(std::string sentence) { return {ExitCode::kFailed, std::move(sentence)}; }
inline Outcome misused(std::string sentence) { return {ExitCode::kUsage, std::move(sentence)}; }

}  // namespace skald::cli

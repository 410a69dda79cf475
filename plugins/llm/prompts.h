#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/llm/prompt_template.h"
#include "plugins/llm/structured_output.h"
#include "plugins/llm/tools.h"

namespace skald::plugin::llm {

// One version of a prompt, as its three files say. Immutable.
struct Prompt {
  std::string name;
  int64_t version = 0;
  std::string hash;  // SHA-256 of the files
  std::string system;
  PromptTemplate user;

  std::string model;  // empty, 0 or nothing: the configuration's
  std::optional<double> temperature;
  int64_t max_tokens = 0, timeout_ms = 0;
  std::optional<bool> stream;

  std::shared_ptr<const AnswerForm> form;
  std::vector<Tool> tools;
  int64_t max_tool_rounds = 4;
  PromptTemplate knowledge_query;  // empty: no search
  int64_t knowledge_top = 3;
  double knowledge_least = 0;
  int64_t cache_seconds = 0;
};

// Reads one version's folder; throws PromptInvalid.
std::shared_ptr<const Prompt> read_prompt(const std::string& folder, const std::string& name, int64_t version);

// The prompts of a folder, read when they are asked for, and again when their files have changed: it looks for that
// once a second. Thread-safe.
class PromptLibrary {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PromptLibrary(std::string folder, std::function<Clock::time_point()> now = Clock::now)
      : folder_(std::move(folder)), now_(std::move(now)) {}

  // The highest version when none is asked for. Throws ActivityError "PromptNotFound" or "PromptInvalid".
  std::shared_ptr<const Prompt> get(const std::string& name, std::optional<int64_t> version);

 private:
  struct Known {
    std::shared_ptr<const Prompt> prompt;
    std::string stamps;  // of its files
    Clock::time_point looked;
  };
  struct Latest {
    int64_t version = 0;
    Clock::time_point looked;
  };
  int64_t latest(const std::string& name);

  const std::string folder_;
  const std::function<Clock::time_point()> now_;
  std::mutex mutex_;
  std::map<std::pair<std::string, int64_t>, Known> known_;
  std::map<std::string, Latest> latest_;
};

}  // namespace skald::plugin::llm

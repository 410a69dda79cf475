#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/sdk/skald_plugin.h"

// For the tests of plugins: runs their activities in the test's own process, without a server.
namespace skald::plugin::testing {

using json = nlohmann::json;

// An attempt as the server would give it.
struct Attempt {
  std::string activity;
  json input = json::object();
  int number = 1;
  std::string workflow_id = "workflow-1", activity_id = "1", namespace_name = "default", workflow_type = "test";
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  json heartbeat_details = nullptr;  // of the attempt before
  std::string run_id;                // "run-of-" and the workflow's id, if it is empty
  std::string chain;                 // the first run's id, if the run follows another; else it is its own first
};

// What became of it.
struct Answer {
  enum class Kind { kCompleted, kFailed, kCancelled, kTimedOut };
  Kind kind = Kind::kTimedOut;
  json result = nullptr;       // kCompleted
  std::string error, message;  // kFailed: the failure's type and text
  json details = nullptr;
  bool non_retryable = false;
  std::chrono::milliseconds next_retry_delay{0};
};

// An attempt that the plugin has. Thread-safe.
class RunningAttempt {
 public:
  Answer wait();                      // until it is answered, or its deadline
  json wait_heartbeat(size_t which);  // the details of one, from 0; null if the attempt ended without it
  std::vector<json> heartbeats() const;
  void cancel();  // what the plugin asks for with cancelled()

 private:
  friend class TestHost;
  friend struct TestHostFunctions;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool answered_ = false, cancelled_ = false;
  Answer answer_;
  std::vector<json> heartbeats_;
  std::chrono::system_clock::time_point deadline_;
};

// A host of one plugin, with books of its own that are removed with it. A plugin has one host at a time. Thread-safe.
class TestHost {
 public:
  // `config` is what the plugin's init gets, after a look at its schema: secrets as they are. Throws std::runtime_error
  // with a sentence if the plugin does not start.
  explicit TestHost(const skald_plugin* plugin, json config = json::object());
  ~TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  Answer run(const Attempt& attempt) { return start(attempt)->wait(); }
  // The result; a std::runtime_error with what else became of it.
  json result(const Attempt& attempt);
  std::shared_ptr<RunningAttempt> start(const Attempt& attempt);
  void restart();  // ends the plugin and starts it again on the same books
  std::vector<std::string> logs() const;

 private:
  friend struct TestHostFunctions;
  void open();

  const skald_plugin* const plugin_;
  json config_;
  std::string folder_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RunningAttempt>> attempts_;  // all: plugins may hold handles until they are shut down
  std::vector<std::string> logs_;
};

}  // namespace skald::plugin::testing

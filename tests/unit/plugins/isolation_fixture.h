#pragma once

#include <csignal>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {

// The plugin that crashes, in a process of its own; the log is kept.
class IsolationHostTest : public HostTest {
 protected:
  IsolationHostTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  ~IsolationHostTest() override {
    host_.reset();
    spdlog::set_default_logger(before_);
  }

  void load_crashing(json limits = json::object(), json more = json::object()) {
    more["isolation"] = "process";
    more["limits"] = std::move(limits);
    configure("crashing", more);
    add(TEST_PLUGINS_FOLDER, "crashing");
    load();
    ASSERT_THAT(host_->problems(), testing::IsEmpty());
  }
  pid_t process() { return result({"crashing.process"})["pid"].get<pid_t>(); }

  // Fails with PluginCrashed, which is retried; the sentence.
  std::string crash(const Task& task) {
    const Failure failed = failure(task);
    EXPECT_EQ(failed.application_failure_info().type(), "PluginCrashed");
    EXPECT_FALSE(failed.application_failure_info().non_retryable());
    return failed.message();
  }
  // The log, once nothing writes to it any more.
  std::string log_at_end() {
    host_.reset();
    return log_.str();
  }

 private:
  std::ostringstream log_;
  const std::shared_ptr<spdlog::logger> before_;
};

}  // namespace skald::plugins

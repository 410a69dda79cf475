#include "engine/worker/connection_report.h"

#include <memory>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "engine/base/simulated.h"

namespace skald::worker {
namespace {

class ConnectionReportTest : public testing::Test {
 protected:
  ConnectionReportTest() {
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_));
    logger->set_pattern("%v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~ConnectionReportTest() override { spdlog::set_default_logger(before_); }
  int lines() const {
    const std::string text = log_.str();
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  base::SimulatedWorld world_;
  std::ostringstream log_;
  ConnectionReport report_{"shop:7233", world_.clock()};
};

TEST_F(ConnectionReportTest, SaysOnceInAWhileThatTheServerIsAway) {
  for (int i = 0; i < 100; ++i) {
    report_.poll_ended(absl::UnavailableError("connection refused"));
    world_.run_for(absl::Milliseconds(500));
  }
  EXPECT_EQ(log_.str(),
            "cannot get tasks from shop:7233: connection refused; trying again\n"
            "cannot get tasks from shop:7233: connection refused; trying again\n");
}

TEST_F(ConnectionReportTest, SaysWhenItIsBack) {
  report_.poll_ended(absl::UnavailableError("connection refused"));
  report_.connected();
  report_.connected();
  EXPECT_EQ(lines(), 2);
  EXPECT_TRUE(log_.str().ends_with("getting tasks from shop:7233 again\n"));
}

TEST_F(ConnectionReportTest, AConnectionDoesNotEndAnotherTrouble) {
  report_.poll_ended(absl::NotFoundError("Namespace shop is not found."));
  report_.connected();
  EXPECT_EQ(log_.str(), "cannot get tasks from shop:7233: Namespace shop is not found; trying again\n");
  report_.poll_ended(absl::OkStatus());
  EXPECT_EQ(lines(), 2);
}

TEST_F(ConnectionReportTest, IsSilentWhenAllIsWell) {
  report_.poll_ended(absl::OkStatus());
  report_.connected();
  EXPECT_EQ(log_.str(), "");
}

}  // namespace
}  // namespace skald::worker

#include "engine/core/step.h"

#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

// 2023-11-14, a Tuesday, 22:13:20 UTC.
constexpr int64_t kBegin = 1'700'000'000;

absl::Time at(int64_t seconds) { return absl::FromUnixSeconds(kBegin + seconds); }

struct Case {
  const char* schedule;
  int64_t last;
  int64_t now;
  int64_t next;
};

TEST(CronTest, NamesTheNextTime) {
  const Case cases[] = {
      {"* * * * *", 0, 0, 40},                       // 22:14
      {"14 * * * *", 0, 0, 40},                      //
      {"13 * * * *", 0, 0, 3'580},                   // 23:13
      {"0 0 * * *", 0, 0, 6'400},                    // midnight
      {"@daily", 0, 0, 6'400},                       //
      {"@midnight", 0, 0, 6'400},                    //
      {"@hourly", 0, 0, 2'800},                      // 23:00
      {"@weekly", 0, 0, 352'000},                    // Sunday
      {"0 0 * * sun", 0, 0, 352'000},                //
      {"0 0 * * 7", 0, 0, 352'000},                  //
      {"0 0 1 * *", 0, 0, 1'388'800},                // 1 December
      {"@monthly", 0, 0, 1'388'800},                 //
      {"0 0 1 jan *", 0, 0, 4'067'200},              //
      {"@yearly", 0, 0, 4'067'200},                  //
      {"@annually", 0, 0, 4'067'200},                //
      {"0 0 20 * wed", 0, 0, 6'400},                 // both days restricted: either will do
      {"*/20 * * * *", 0, 0, 400},                   // 22:20
      {"5-6/1 23 * * *", 0, 0, 3'100},               // 23:05
      {"15,50 22 14 11 2", 0, 0, 100},               // 22:15
      {"0 12 29 2 *", 0, 0, 9'208'000},              // the next leap day
      {"@every 1m", 0, 0, 60},                       //
      {"@every 1m", 0, 60, 60},                      // just now is not over
      {"@every 1m", 0, 61, 120},                     // counts from the last run, not from its end
      {"@every 1m", 0, 3'599, 3'600},                //
      {"* * * * *", 0, 40, 40},                      //
      {"* * * * *", 40, 40, 100},                    // the run that was due then has been
      {"@every 1m", 60, 10, 60},                     // begun before its time: that is still to come
      {"0 0 * * *", 6'400, 10, 6'400},               //
  };
  for (const Case& test : cases) {
    const auto next = next_cron_time(test.schedule, at(test.last), at(test.now));
    ASSERT_TRUE(next.has_value()) << test.schedule;
    EXPECT_EQ(absl::ToUnixSeconds(*next) - kBegin, test.next) << test.schedule << " after " << test.last << " at " << test.now;
  }
}

TEST(CronTest, RefusesWhatIsNoSchedule) {
  for (const char* schedule : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *",
                               "* * * * 8", "a * * * *", "5-1 * * * *", "*/0 * * * *", "1/2/3 * * * *", "1-2-3 * * * *", "/5 * * * *",
                               ", * * * *", "@every", "@every 0s", "@every 999ms", "@every x", "@never", "* * * foo *", "* * * * bar"}) {
    EXPECT_FALSE(check_cron(schedule).ok()) << schedule;
    EXPECT_FALSE(next_cron_time(schedule, at(0), at(0)).has_value()) << schedule;
  }
  EXPECT_FALSE(next_cron_time("0 0 30 2 *", at(0), at(0)).has_value()) << "a day that never comes";
}

class CronRunTest : public RunTest {
 protected:
  void begin_every_minute() {
    auto every = request();
    every.set_cron_schedule("@every 1m");
    begin(every);
    now_ += absl::Seconds(60);
    apply_input(Tick{});
  }
  void go_on_in(Transition& closed) {
    run_ = std::move(closed.successor->state);
    events_.clear();
    record(closed.successor->effects);
  }
  absl::Time begun_ = now_;
};

TEST_F(CronRunTest, RunsOfAnIntervalDoNotDriftByTheirLength) {
  begin_every_minute();
  for (int run = 2; run < 6; ++run) {
    now_ += absl::Seconds(7);
    Transition closed = complete(take_task(), {complete_workflow()});
    ASSERT_TRUE(closed.successor.has_value());
    go_on_in(closed);
    EXPECT_EQ(next_wake(run_), begun_ + run * absl::Minutes(1));
    now_ = next_wake(run_);
    apply_input(Tick{});
  }
}

TEST_F(CronRunTest, NorByRetries) {
  auto every = request();
  every.set_cron_schedule("@every 1m");
  every.mutable_retry_policy()->mutable_initial_interval()->set_seconds(5);
  begin(every);
  now_ += absl::Seconds(60);
  apply_input(Tick{});
  temporal::api::command::v1::Command fail;
  fail.set_command_type(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  fail.mutable_fail_workflow_execution_command_attributes()->mutable_failure()->set_message("once");
  Transition failed = complete(take_task(), {fail});
  ASSERT_TRUE(failed.successor.has_value());
  go_on_in(failed);
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(5));
  now_ += absl::Seconds(5);
  apply_input(Tick{});
  Transition closed = complete(take_task(), {complete_workflow()});
  go_on_in(closed);
  EXPECT_EQ(next_wake(run_), begun_ + absl::Minutes(2));
}

TEST_F(CronRunTest, ARunThatTakesLongerThanItsIntervalSkipsWhatPassed) {
  begin_every_minute();
  now_ += absl::Seconds(130);
  Transition closed = complete(take_task(), {complete_workflow()});
  EXPECT_EQ(next_wake(closed.successor->state), begun_ + absl::Minutes(4));
}

}  // namespace
}  // namespace skald::core

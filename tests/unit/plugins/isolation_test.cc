#include <fstream>

#include "tests/unit/plugins/isolation_fixture.h"

namespace skald::plugins {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class IsolationTest : public IsolationHostTest {
 protected:
  static std::string contents(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Whoever is waited for by nobody may remain as a zombie.
  static bool runs(pid_t pid) {
    const std::string status = contents("/proc/" + std::to_string(pid) + "/status");
    return !status.empty() && status.find("State:\tZ") == std::string::npos;
  }
  static void expect_end(pid_t pid) {
    for (int i = 0; i < 500 && runs(pid); ++i) usleep(10000);
    EXPECT_FALSE(runs(pid));
    kill(pid, SIGKILL);
  }
  // Fails so, and the next attempt finds the plugin there again, in another process.
  void expect_crash(const Task& task, const testing::Matcher<std::string>& how) {
    const pid_t before = process();
    EXPECT_THAT(crash(task), AllOf(HasSubstr("plugin crashing "), how, HasSubstr("it held " + task.type)));
    EXPECT_NE(process(), before);
    EXPECT_EQ(kill(before, 0), -1) << "no zombie is left";
  }
};

TEST_F(IsolationTest, RunsThePluginElsewhereAsItWouldHere) {
  load_crashing();
  EXPECT_NE(process(), getpid());
  EXPECT_EQ(result({"crashing.echo", {{"text", "ünïcode"}}}), json({{"text", "ünïcode"}}));
  EXPECT_EQ(result({"crashing.add", {{"id", "1"}, {"n", 3}}})["added"], true);
  EXPECT_EQ(result({"crashing.sum"}), 3);
  EXPECT_EQ(error({"crashing.add", {{"id", "2"}}}), "InvalidInput");
  EXPECT_EQ(error({"crashing.large", {{"bytes", 3 << 20}}}), "OutputTooLarge");
  EXPECT_EQ(host_->meters()["crashing.echo"].completed, 1);
}

TEST_F(IsolationTest, PluginElsewhereKnowsWhichRunsBelongTogether) {
  add(PLUGINS_FOLDER, "logistics");
  configure("logistics", {{"isolation", "process"}});
  load();
  const json parcel = {{"order_id", "1"}, {"country", "SE"}};
  const auto in_run = [&](const std::string& type, const std::string& run_id, const std::string& chain) {
    return run({.type = "logistics." + type, .input = parcel, .run_id = run_id, .chain = chain});
  };
  EXPECT_EQ(error(in_run("create_waybill", "first", "first")), "");
  EXPECT_EQ(result(in_run("cancel_waybill", "stranger", "stranger"))["undone"], false);
  EXPECT_EQ(result(in_run("cancel_waybill", "second", "first"))["undone"], true);
  EXPECT_EQ(error(in_run("create_waybill", "third", "first")), "") << "scheduled after it was undone";
}

TEST_F(IsolationTest, InheritsNothingAndIsToldItsSecretsInPrivate) {
  std::ofstream(folder_ + "/key") << "a-secret-value\n";
  load_crashing(json::object(), {{"key", "file:key"}});
  const json seen = result({"crashing.process"});
  for (const int file : {0, 1, 2, 3, 4}) EXPECT_THAT(seen["files"], testing::Contains(file));
  EXPECT_LE(seen["files"].size(), 9) << "its own books and the folder it lists beside those: " << seen;
  EXPECT_EQ(seen["blocks_termination"], false);
  EXPECT_EQ(seen["secret_is_seen"], false);
  EXPECT_EQ(failure(Task{"crashing.tell_secret"}).message(), "the key is ***");
}

TEST_F(IsolationTest, InheritsNoSecretsOfTheEnvironment) {
  setenv("SKALD_STORE_PASSWORD", "a-secret-value", 1);
  setenv("SKALD_TEST_TOKEN", "another-plugins", 1);
  setenv("LC_TEST", "C.UTF-8", 1);
  load_crashing();
  const std::string environment = contents("/proc/" + std::to_string(process()) + "/environ");
  for (const char* name : {"SKALD_STORE_PASSWORD", "SKALD_TEST_TOKEN", "LC_TEST"}) unsetenv(name);
  EXPECT_THAT(environment, Not(HasSubstr("SKALD_")));
  EXPECT_THAT(environment, AllOf(HasSubstr("PATH="), HasSubstr("LC_TEST=C.UTF-8")));
}

TEST_F(IsolationTest, AbortCostsTheAttempt) {
  load_crashing();
  expect_crash({"crashing.abort"}, HasSubstr("was ended by signal 6 (SIGABRT)"));
  EXPECT_THAT(log_at_end(), HasSubstr("plugin crashing was ended by signal 6 (SIGABRT)"));
}

TEST_F(IsolationTest, SegmentationFaultCostsTheAttempt) {
  load_crashing();
  // A sanitizer makes an exit of it.
  expect_crash({"crashing.segfault"},
               testing::AnyOf(HasSubstr("was ended by signal 11 (SIGSEGV)"), HasSubstr("ended with exit code")));
}

TEST_F(IsolationTest, CorruptedHeapCostsTheAttempt) {
  load_crashing();
  expect_crash({"crashing.overrun"}, HasSubstr("ended"));
}

TEST_F(IsolationTest, ExitCostsTheAttempt) {
  load_crashing();
  expect_crash({"crashing.exit", {{"code", 3}}}, HasSubstr("ended with exit code 3"));
}

TEST_F(IsolationTest, LostConnectionIsACrash) {
  load_crashing();
  expect_crash({"crashing.close_connection"},
               testing::AnyOf(HasSubstr("closed its connection"), HasSubstr("ended with exit code")));
}

TEST_F(IsolationTest, MessageOfAnImpossibleSizeIsACrash) {
  load_crashing();
  expect_crash({"crashing.write_to_host", {{"bytes", {255, 255, 255, 255}}}}, HasSubstr("a message that is too large"));
}

TEST_F(IsolationTest, MessageThatIsNoneIsACrash) {
  load_crashing();
  expect_crash({"crashing.write_to_host", {{"bytes", {3, 0, 0, 0, 255, 255, 255}}}},
               HasSubstr("sent what is no message"));
}

TEST_F(IsolationTest, MessageOfTheWrongTimeIsACrash) {
  load_crashing();
  expect_crash({"crashing.write_to_host", {{"bytes", {2, 0, 0, 0, 26, 0}}}}, HasSubstr("sent what is no message"));
}

TEST_F(IsolationTest, AnswerToAnAttemptThatItDoesNotHoldIsACrash) {
  load_crashing();
  expect_crash({"crashing.write_to_host", {{"bytes", {5, 0, 0, 0, 34, 3, 8, 231, 7}}}},
               HasSubstr("an attempt that it does not hold"));
}

TEST_F(IsolationTest, EveryAttemptThatItHeldIsAnsweredAndTheNextOnesWaitForTheNewProcess) {
  load_crashing();
  std::vector<std::future<Outcome>> held;
  for (int i = 0; i < 20; ++i) held.push_back(start({"crashing.hold"}));
  process();  // all have been given to it before
  auto crashing = start({"crashing.abort"});
  EXPECT_EQ(error(crashing.get()), "PluginCrashed");
  for (auto& one : held) {
    const Failure failed = failure(one.get());
    EXPECT_EQ(failed.application_failure_info().type(), "PluginCrashed");
    EXPECT_THAT(failed.message(), HasSubstr("crashing.abort, crashing.hold (20)"));
  }
  EXPECT_EQ(result({"crashing.echo", 1}), 1);
  host_->stop(absl::Seconds(10));
  EXPECT_EQ(host_->plugin_meters()["crashing"].held, 0);
}

TEST_F(IsolationTest, CrashInTheMiddleOfAnEffectLeavesTheLedgerExact) {
  load_crashing();
  EXPECT_EQ(error({"crashing.add", {{"id", "1"}, {"n", 5}, {"crash_until", 2}}, 1}), "PluginCrashed");
  EXPECT_EQ(result({"crashing.sum"}), 0);
  EXPECT_EQ(error({"crashing.add", {{"id", "1"}, {"n", 5}, {"crash_until", 2}}, 2}), "PluginCrashed");
  EXPECT_EQ(result({"crashing.add", {{"id", "1"}, {"n", 5}, {"crash_until", 2}}, 3})["added"], true);
  EXPECT_EQ(result({"crashing.add", {{"id", "1"}, {"n", 5}, {"crash_until", 2}}, 4})["added"], true);
  EXPECT_EQ(result({"crashing.sum"}), 5);
}

TEST_F(IsolationTest, CrashesAtAnyTimeLoseAndDoubleNoEffect) {
  load_crashing();
  constexpr int kEffects = 300;
  const auto add = [](int i, int attempt) {
    return Task{"crashing.add", {{"id", std::to_string(i)}, {"n", 1}}, attempt};
  };
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < kEffects; ++i) {
    answers.push_back(start(add(i, 1)));
    if (i % 100 == 50) start({"crashing.abort"});
  }
  for (int i = 0; i < kEffects; ++i) {
    auto& answer = answers[static_cast<size_t>(i)];
    for (int attempt = 2; error(answer.get()) != ""; ++attempt) answer = start(add(i, attempt));
  }
  EXPECT_EQ(result({"crashing.sum"}), kEffects);
}

TEST_F(IsolationTest, CancellationReachesTheProcess) {
  load_crashing();
  auto held = start({"crashing.hold"}, [](auto, auto cancel) { cancel(); });
  EXPECT_TRUE(std::holds_alternative<worker::ActivityCancelled>(held.get()));
}

TEST_F(IsolationTest, LastHeartbeatGoesBeforeTheFailure) {
  load_crashing();
  std::string beat;
  auto held = start({"crashing.hold"}, [&](const auto& details, auto) { beat = details.payloads(0).data(); });
  host_->stop(absl::Seconds(1));
  EXPECT_EQ(error(held.get()), "HostStopping");
  EXPECT_EQ(beat, "\"holding\"");
}

TEST_F(IsolationTest, WhatItPrintsIsInTheLogAndBounded) {
  load_crashing();
  run({"crashing.print", {{"lines", 5}}});
  run({"crashing.print", {{"lines", 5000}}});
  const std::string log = log_at_end();
  EXPECT_THAT(log, AllOf(HasSubstr("[crashing] line 0\n"), HasSubstr("[crashing] line 4\n")));
  EXPECT_THAT(log, AllOf(Not(HasSubstr("line 4999\n")), HasSubstr("lines were too many, and are dropped")));
}

TEST_F(IsolationTest, EndsWithItsHost) {
  load_crashing();
  const pid_t child = process();
  host_.reset();
  EXPECT_EQ(kill(child, 0), -1);
}

TEST_F(IsolationTest, WhatItHasStartedEndsWithIt) {
  load_crashing();
  const auto program = result({"crashing.start_program"}).get<pid_t>();
  EXPECT_TRUE(runs(program));
  crash({"crashing.abort"});
  expect_end(program);
  const auto another = result({"crashing.start_program"}).get<pid_t>();
  host_.reset();
  expect_end(another);
}

TEST_F(IsolationTest, WhatItHasStartedCanBeTerminated) {
  load_crashing();
  const auto program = result({"crashing.start_program"}).get<pid_t>();
  while (contents("/proc/" + std::to_string(program) + "/comm") != "sleep\n") usleep(1000);
  kill(program, SIGTERM);
  expect_end(program);
}

TEST_F(IsolationTest, OverwrittenFileDoesNotReachWhatRuns) {
  load_crashing();
  std::ofstream(folder_ + "/crashing.so") << "garbage";
  expect_crash({"crashing.abort"}, HasSubstr("SIGABRT"));
}

TEST_F(IsolationTest, PluginThatCannotBeLoadedIsAProblemAsItIsHere) {
  add(TEST_PLUGINS_FOLDER, "wrong_abi");
  configure("wrong_abi", {{"isolation", "process"}});
  add(TEST_PLUGINS_FOLDER, "init_throws", "malformed");
  configure("malformed", {{"isolation", "process"}});
  load();
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("plugin malformed did not start"),
                                             HasSubstr("was built for plugin interface 4, this host speaks 3")));
}

TEST_F(IsolationTest, ProcessThatEndsWhileItLoadsNamesItsFile) {
  add(TEST_PLUGINS_FOLDER, "crashing");
  configure("crashing", {{"isolation", "process"}});
  auto given = options();
  given.isolation_command = {"/bin/false"};
  load(given);
  EXPECT_THAT(host_->problems(),
              ElementsAre(AllOf(HasSubstr(folder_ + "/crashing.so"), HasSubstr("ended with exit code 1"))));
}

TEST_F(IsolationTest, ProcessThatCannotBeStartedIsAProblem) {
  add(TEST_PLUGINS_FOLDER, "crashing");
  configure("crashing", {{"isolation", "process"}});
  auto given = options();
  given.isolation_command = {"/does/not/exist"};
  load(given);
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("/does/not/exist: No such file")));
}

}  // namespace
}  // namespace skald::plugins

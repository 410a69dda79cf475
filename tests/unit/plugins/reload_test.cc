#include <filesystem>
#include <fstream>

#include "tests/unit/plugins/isolation_fixture.h"

namespace skald::plugins {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each behaviour with the plugin in this process, and in one of its own.
class ReloadTest : public IsolationHostTest, public testing::WithParamInterface<const char*> {
 protected:
  ReloadTest() { configure_versioned(json::object()); }

  void configure_versioned(json config) {
    config["isolation"] = GetParam();
    configure("versioned", config);
  }
  void put_version(int version) { put("versioned_" + std::to_string(version)); }
  // Writes over the file that may be running, as `cp` does.
  void put(const std::string& library) {
    std::filesystem::copy_file(std::string(TEST_PLUGINS_FOLDER) + "/" + library + ".so", file_,
                               std::filesystem::copy_options::overwrite_existing);
  }
  Task waiting(bool stubborn = false) const { return {"versioned.wait_for", {{"file", go_}, {"stubborn", stubborn}}}; }
  // Once this returns, the plugin has it.
  std::future<Outcome> begin(const Task& task) {
    auto outcome = start(task);
    version();
    return outcome;
  }
  void go() const { std::ofstream(go_) << "go"; }
  int version() { return result({"versioned.version"}).get<int>(); }

  const std::string file_ = folder_ + "/versioned.so", go_ = folder_ + "/go";
};

INSTANTIATE_TEST_SUITE_P(Isolation, ReloadTest, testing::Values("none", "process"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(ReloadTest, NewFileIsLoaded) {
  load();
  EXPECT_EQ(error({"versioned.version"}), "NotFoundError");
  put_version(1);
  EXPECT_THAT(host_->reload(), ElementsAre("plugin versioned: version 1.0: loaded"));
  EXPECT_EQ(version(), 1);
}

TEST_P(ReloadTest, ChangedFileReplacesThePlugin) {
  put_version(1);
  load();
  put_version(2);
  EXPECT_EQ(version(), 1) << "nothing changes before it is asked for, though the file was written over";
  EXPECT_THAT(host_->reload(), ElementsAre("plugin versioned: version 1.0 -> 2.0: reloaded"));
  EXPECT_EQ(version(), 2);
  EXPECT_EQ(result({"versioned.only_in_2"}), 2);
  EXPECT_EQ(error({"versioned.only_in_1"}), "NotFoundError");
  EXPECT_THAT(log_at_end(), HasSubstr("plugin versioned: version 1.0 -> 2.0: reloaded"));
}

TEST_P(ReloadTest, ChangedConfigurationReplacesThePlugin) {
  put_version(1);
  load();
  configure_versioned({{"greeting", "hello"}});
  EXPECT_THAT(host_->reload(), ElementsAre("plugin versioned: version 1.0 -> 1.0: reloaded"));
  EXPECT_EQ(result({"versioned.greeting"}), "hello");
}

TEST_P(ReloadTest, ChangedSecretReplacesThePlugin) {
  std::ofstream(folder_ + "/key") << "first-key\n";
  configure_versioned({{"key", "file:key"}});
  put_version(1);
  load();
  EXPECT_EQ(result({"versioned.key_size"}), 9);
  std::ofstream(folder_ + "/key") << "the-second-key\n";
  EXPECT_THAT(host_->reload(), ElementsAre("plugin versioned: version 1.0 -> 1.0: reloaded"));
  EXPECT_EQ(result({"versioned.key_size"}), 14);
}

TEST_P(ReloadTest, WhatIsUnchangedIsLeftAlone) {
  put_version(1);
  load();
  auto running = begin(waiting());
  put_version(1);
  EXPECT_THAT(host_->reload(), IsEmpty());
  go();
  EXPECT_EQ(result(running.get()), 1);
}

TEST_P(ReloadTest, FileThatIsGoneIsUnloaded) {
  put_version(1);
  load();
  std::filesystem::remove(file_);
  EXPECT_THAT(host_->reload(), ElementsAre("plugin versioned: version 1.0: unloaded, as its file is gone"));
  EXPECT_EQ(error({"versioned.version"}), "NotFoundError");
  EXPECT_THAT(host_->plugin_meters(), IsEmpty());
}

TEST_P(ReloadTest, WhatRunsMayEndAndWhatComesMeanwhileIsForTheNewOne) {
  configure_versioned({{"drain_seconds", 600}});
  put_version(1);
  load();
  auto running = begin(waiting());
  put_version(2);
  auto reloaded = std::async(std::launch::async, [this] { return host_->reload(); });
  // Until the new one has taken over, attempts are the old one's; then they wait for the one that runs.
  std::future<Outcome> next = start({"versioned.version"});
  while (next.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready) {
    EXPECT_EQ(result(next.get()), 1);
    next = start({"versioned.version"});
  }
  go();
  EXPECT_EQ(result(running.get()), 1);
  EXPECT_EQ(result(next.get()), 2);
  EXPECT_THAT(reloaded.get(), ElementsAre(HasSubstr("1.0 -> 2.0: reloaded")));
}

TEST_P(ReloadTest, WhatDoesNotEndInTimeIsCancelledAndRetried) {
  configure_versioned({{"drain_seconds", 0.1}});
  put_version(1);
  load();
  auto running = begin(waiting());
  put_version(2);
  host_->reload();
  const Failure failed = failure(running.get());
  EXPECT_EQ(failed.application_failure_info().type(), "PluginReloading");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
  go();
  EXPECT_EQ(result(waiting()), 2);
}

TEST_P(ReloadTest, WhatIgnoresThatIsLeftBehind) {
  configure_versioned({{"drain_seconds", 0.1}});
  put_version(1);
  load();
  auto running = begin(waiting(true));
  put_version(2);
  host_->reload();
  EXPECT_EQ(error(running.get()), "PluginReloading");
  EXPECT_EQ(version(), 2);
  go();
}

TEST_P(ReloadTest, NewOneThatDoesNotStartLeavesTheOldOneAtWork) {
  put_version(1);
  load();
  put_version(3);
  EXPECT_THAT(host_->reload(), ElementsAre(AllOf(HasSubstr("1.0 -> 3.0: not reloaded, the old version goes on"),
                                                 HasSubstr("version 3 does not start"))));
  EXPECT_EQ(version(), 1);
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("version 3 does not start")));
  put_version(2);
  host_->reload();
  EXPECT_EQ(version(), 2);
  EXPECT_THAT(host_->problems(), IsEmpty());
}

TEST_P(ReloadTest, NewOneThatCannotBeLoadedDoesNotDisturbTheOldOne) {
  put_version(1);
  load();
  auto running = begin(waiting());
  std::ofstream(file_) << "not a library";
  EXPECT_THAT(host_->reload(), ElementsAre(HasSubstr("plugin versioned: version 1.0 goes on as it was: cannot load")));
  put_version(1);
  configure_versioned({{"greting", "hello"}});
  EXPECT_THAT(host_->reload(), ElementsAre(HasSubstr("there is no setting 'greting'")));
  go();
  EXPECT_EQ(result(running.get()), 1);
}

TEST_P(ReloadTest, FileThatIsCutShortDoesNotDisturbTheOldOne) {
  put_version(1);
  load();
  put_version(2);
  std::filesystem::resize_file(file_, 20000);
  EXPECT_THAT(host_->reload(), ElementsAre(AllOf(HasSubstr("goes on as it was"), HasSubstr("it is cut short"))));
  EXPECT_EQ(version(), 1);
}

TEST_P(ReloadTest, BooksGoFromOneVersionToTheNext) {
  put_version(1);
  load();
  EXPECT_EQ(result({"versioned.add", {{"id", "a"}}}), 1);
  put_version(2);
  host_->reload();
  EXPECT_EQ(result({"versioned.add", {{"id", "b"}}}), 2);
  EXPECT_EQ(result({"versioned.add", {{"id", "a"}}}), 1) << "what happened has happened";
  EXPECT_EQ(result({"versioned.sum"}), 2);
}

TEST_P(ReloadTest, NoAttemptIsLostUnderLoad) {
  put_version(1);
  load();
  constexpr int kAttempts = 400;
  std::vector<std::future<Outcome>> answers;
  const auto push = [&] {
    for (int i = 0; i < kAttempts; ++i)
      answers.push_back(start({"versioned.add", {{"id", std::to_string(answers.size())}}}));
  };
  push();
  put_version(2);
  auto reloaded = std::async(std::launch::async, [this] { return host_->reload(); });
  push();
  reloaded.get();
  push();
  for (auto& answer : answers) EXPECT_EQ(error(answer.get()), "");
  EXPECT_EQ(result({"versioned.sum"}), 3 * kAttempts);
}

TEST_P(ReloadTest, HostThatStopsCutsADrainShort) {
  configure_versioned({{"drain_seconds", 600}});
  put_version(1);
  load();
  auto running = begin(waiting());
  put_version(2);
  auto reloaded = std::async(std::launch::async, [this] { return host_->reload(); });
  std::future<Outcome> next = start({"versioned.version"});
  while (next.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready) next = start({"versioned.version"});
  host_->stop(absl::Milliseconds(100));
  EXPECT_EQ(error(running.get()), "PluginReloading");
  EXPECT_EQ(error(next.get()), "HostStopping");
  EXPECT_THAT(reloaded.get(), ElementsAre(HasSubstr("not reloaded, as the host stops")));
}

TEST_P(ReloadTest, WhatFailsIsLoggedAsAnError) {
  put_version(1);
  load();
  put_version(3);
  host_->reload();
  std::ofstream(file_) << "not a library";
  host_->reload();
  put_version(2);
  host_->reload();
  EXPECT_THAT(log_at_end(), AllOf(HasSubstr("[error] plugin versioned: version 1.0 -> 3.0: not reloaded"),
                                  HasSubstr("[error] plugin versioned: version 1.0 goes on as it was"),
                                  HasSubstr("[info] plugin versioned: version 1.0 -> 2.0: reloaded")));
}

TEST_P(ReloadTest, FolderThatIsGoneChangesNothing) {
  put_version(1);
  load();
  std::filesystem::rename(folder_, folder_ + "-away");
  EXPECT_THAT(host_->reload(), ElementsAre(HasSubstr("plugins are not reloaded: cannot read the plugins' folder")));
  std::filesystem::rename(folder_ + "-away", folder_);
  EXPECT_EQ(version(), 1);
}

}  // namespace
}  // namespace skald::plugins

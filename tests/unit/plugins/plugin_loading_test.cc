#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PluginLoadingTest : public HostTest {
 protected:
  // Each case is refused, and leaves a plugin that is in order alone.
  void expect_problem(const testing::Matcher<std::string>& sentence) {
    add(PLUGINS_FOLDER, "logistics", "zz");
    load();
    EXPECT_THAT(host_->problems(), ElementsAre(sentence));
    EXPECT_EQ(result({"logistics.audit"})["balanced"], true);
    auto strict = options();
    strict.strict = true;
    host_.reset();
    EXPECT_THAT(std::string(PluginHost::load(strict).status().message()), sentence);
  }
};

TEST_F(PluginLoadingTest, OtherInterfaceVersion) {
  add(TEST_PLUGINS_FOLDER, "wrong_abi");
  expect_problem(HasSubstr("was built for plugin interface 4, this host speaks 3: build it again"));
}

TEST_F(PluginLoadingTest, FileThatIsNoLibrary) {
  std::ofstream(folder_ + "/text.so") << "not a library";
  expect_problem(AllOf(HasSubstr("cannot load plugin"), HasSubstr("text.so: it is not a shared library"),
                       testing::Not(HasSubstr("/proc/self/fd"))));
}

TEST_F(PluginLoadingTest, FileThatIsEmpty) {
  std::ofstream(folder_ + "/empty.so").flush();
  expect_problem(HasSubstr("empty.so: it is not a shared library"));
}

TEST_F(PluginLoadingTest, FileThatIsCutShort) {
  const std::string whole = std::string(TEST_PLUGINS_FOLDER) + "/faulty.so", part = folder_ + "/faulty.so";
  const uintmax_t size = std::filesystem::file_size(whole);
  for (const char* isolation : {"none", "process"}) {
    configure("faulty", {{"isolation", isolation}});
    for (const uintmax_t left : {uintmax_t{5}, uintmax_t{63}, uintmax_t{64}, uintmax_t{4096}, uintmax_t{20000},
                                 size / 2, size - 5000, size - 1}) {
      std::filesystem::copy_file(whole, part, std::filesystem::copy_options::overwrite_existing);
      std::filesystem::resize_file(part, left);
      load();
      EXPECT_THAT(host_->problems(), ElementsAre(AllOf(HasSubstr(part + ": it is cut short"),
                                                       HasSubstr("it has " + std::to_string(left) + " bytes"))));
    }
  }
}

TEST_F(PluginLoadingTest, LibraryThatIsNoPlugin) {
  add(TEST_PLUGINS_FOLDER, "no_entry");
  expect_problem(HasSubstr("does not export skald_plugin_entry"));
}

TEST_F(PluginLoadingTest, ActivityListedTwice) {
  add(TEST_PLUGINS_FOLDER, "twice");
  expect_problem(HasSubstr("activity malformed.one is there twice"));
}

TEST_F(PluginLoadingTest, PluginThatIsThereAlready) {
  add(PLUGINS_FOLDER, "logistics", "zzz");
  expect_problem(HasSubstr("plugin logistics is there already"));
}

TEST_F(PluginLoadingTest, MissingFunction) {
  add(TEST_PLUGINS_FOLDER, "no_functions");
  expect_problem(HasSubstr("init, execute and shutdown must all be there"));
}

TEST_F(PluginLoadingTest, NameThatIsNone) {
  add(TEST_PLUGINS_FOLDER, "bad_name");
  expect_problem(HasSubstr("a plugin's name is letters"));
}

TEST_F(PluginLoadingTest, StartThatThrows) {
  add(TEST_PLUGINS_FOLDER, "init_throws");
  expect_problem(HasSubstr("plugin malformed did not start: int"));
}

TEST_F(PluginLoadingTest, ConfigurationThatIsNotJson) {
  add(TEST_PLUGINS_FOLDER, "faulty");
  std::ofstream(folder_ + "/faulty.json") << "{";
  expect_problem(HasSubstr("faulty.json:1: this is not JSON: unexpected end of input"));
}

TEST_F(PluginLoadingTest, PluginThatNeedsAConfigurationAndHasNoneIsLeftOut) {
  add(TEST_PLUGINS_FOLDER, "leaky");
  add(TEST_PLUGINS_FOLDER, "faulty");
  auto strict = options();
  strict.strict = true;
  load(strict);
  EXPECT_THAT(host_->problems(), IsEmpty());
  EXPECT_THAT(host_->activities(),
              AllOf(testing::Contains("faulty.echo"), testing::Not(testing::Contains("leaky.fail"))));
}

TEST_F(PluginLoadingTest, ConfigurationWithAnUnknownLimit) {
  add(TEST_PLUGINS_FOLDER, "faulty");
  configure("faulty", {{"limits", {{"speed", 1}}}});
  expect_problem(HasSubstr("faulty.json:1: limits.speed: there is no setting 'speed'"));
}

TEST_F(PluginLoadingTest, ConfigurationWithAnUnknownFault) {
  add(PLUGINS_FOLDER, "payment");
  configure("payment", {{"sandbox", {{"charge", "explode"}}}});
  expect_problem(HasSubstr("there is no fault 'explode'"));
}

TEST_F(PluginLoadingTest, ConfigurationWithAnUnknownKey) {
  add(PLUGINS_FOLDER, "payment");
  configure("payment", {{"threds", 3}});
  expect_problem(HasSubstr("payment.json:1: threds: there is no setting 'threds': did you mean 'threads'?"));
}

TEST_F(PluginLoadingTest, ConfigurationWithAFaultForAnActivityThatIsNotThere) {
  add(PLUGINS_FOLDER, "payment");
  configure("payment", {{"sandbox", {{"nonsense", "fail"}}}});
  expect_problem(AllOf(HasSubstr("payment.json"), HasSubstr("sandbox.nonsense: plugin payment has no such activity"),
                       HasSubstr("charge, authorize")));
}

TEST_F(PluginLoadingTest, ConfigurationWithFaultsOfAPluginThatIsNoSandbox) {
  add(TEST_PLUGINS_FOLDER, "faulty");
  configure("faulty", {{"sandbox", {{"echo", "fail"}}}});
  expect_problem(HasSubstr("faulty.json:1: sandbox: there is no setting 'sandbox'"));
}

TEST_F(PluginLoadingTest, ConfigurationWithANumberOfThreadsThatIsNone) {
  add(TEST_PLUGINS_FOLDER, "faulty");
  configure("faulty", {{"threads", "many"}});
  expect_problem(HasSubstr("faulty.json:1: threads: must be a whole number"));
}

TEST_F(PluginLoadingTest, FaultsMayNameActivityStepOrBothAndPluginsHaveSettingsOfTheirOwn) {
  add(PLUGINS_FOLDER, "payment");
  configure("payment",
            {{"sandbox", {{"charge", "delay"}, {"pay", "delay"}, {"payment.cancel", "delay"}}}, {"threads", 3}});
  add(TEST_PLUGINS_FOLDER, "faulty");
  configure("faulty", {{"greeting", "hello"}});
  load();
  EXPECT_THAT(host_->problems(), IsEmpty());
}

TEST_F(PluginLoadingTest, DataFileThatIsNone) {
  if (TestStore::is_mysql) GTEST_SKIP() << "of SQLite's files";
  add(PLUGINS_FOLDER, "payment");
  std::ofstream(data_path_ + ".payment.sqlite") << std::string(5000, 'x');
  expect_problem(AllOf(HasSubstr("plugin payment did not start"), HasSubstr(".payment.sqlite is damaged"),
                       HasSubstr("not a database"), HasSubstr("put a backup of this file in its place")));
}

TEST_F(PluginLoadingTest, ActivitiesOfAPluginThatIsNotLoadedAreTriedAgain) {
  add(TEST_PLUGINS_FOLDER, "leaky");
  configure("leaky", {{"key", "env:SKALD_TEST_FORGOTTEN"}});
  load();
  const auto expect_retried = [this](const std::string& type, const testing::Matcher<std::string>& sentence) {
    const Failure failed = failure(Task{type});
    EXPECT_EQ(failed.application_failure_info().type(), "NotFoundError");
    EXPECT_FALSE(failed.application_failure_info().non_retryable());
    EXPECT_THAT(failed.message(), sentence);
    EXPECT_THAT(failed.message(), testing::Not(HasSubstr("there are:")));
  };
  expect_retried("leaky.fail", AllOf(HasSubstr("plugin leaky is not loaded: "), HasSubstr("SKALD_TEST_FORGOTTEN")));
  expect_retried("missing.fail", HasSubstr("plugin missing is not loaded: no file in " + folder_));
  configure("leaky", {{"key", "file:key"}, {"refuse", true}});
  std::ofstream(folder_ + "/key") << "hop&pole";
  host_->reload();
  expect_retried("leaky.fail", HasSubstr("plugin leaky is not loaded: plugin leaky did not start"));
  configure("leaky", {{"key", "file:key"}});
  host_->reload();
  EXPECT_EQ(error({"leaky.fail"}), "Wrong***");
}

TEST_F(PluginLoadingTest, FolderThatIsNotThere) {
  EXPECT_THAT(std::string(PluginHost::load({.folder = folder_ + "/none"}).status().message()),
              HasSubstr("cannot read the plugins' folder"));
}

TEST_F(PluginLoadingTest, GivenConfigurationGoesBeforeTheFile) {
  add(TEST_PLUGINS_FOLDER, "faulty");
  configure("faulty", {{"limits", {{"speed", 1}}}});
  auto given = options();
  given.config["faulty"] = "{}";
  load(given);
  EXPECT_THAT(host_->problems(), IsEmpty());
}

}  // namespace
}  // namespace skald::plugins

#include "plugins/tools/commands.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "plugins/tools/inspect.h"

namespace skald::plugins {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

struct Ran {
  int exit_code;
  std::string out, err;
};

class PluginCommandsTest : public testing::Test {
 protected:
  PluginCommandsTest()
      : folder_(testing::TempDir() + "skald-tools-" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~PluginCommandsTest() override { std::filesystem::remove_all(folder_); }

  static Ran run(std::vector<std::string> arguments) {
    CLI::App app{"", "skald"};
    std::ostringstream out, err;
    const cli::Console console{out, err, false};
    int exit_code = 0;
    add_plugin_commands(app, console, exit_code);
    arguments.insert(arguments.begin(), {"skald", "plugin"});
    std::vector<const char*> argv;
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    const int code = cli::parse(app, static_cast<int>(argv.size()), argv.data(), console, exit_code);
    return {code, out.str(), err.str()};
  }
  static std::string plugin(const std::string& name) { return std::string(TOOLS_FOLDER) + "/" + name + ".so"; }
  std::string write(const std::string& file, const std::string& text) const {
    std::ofstream(folder_ + "/" + file) << text;
    return folder_ + "/" + file;
  }
  Ran run_shop(std::vector<std::string> more) const {
    const std::string config = write("shop.json", R"({"url": "http://partner"})");
    more.insert(more.begin(), {"run", plugin("shop")});
    more.insert(more.end(), {"--config", config});
    return run(more);
  }

  const std::string folder_;
};

TEST_F(PluginCommandsTest, CheckTellsActivitiesAndSettings) {
  const Ran ran = run({"check", plugin("shop"), "--config", write("c.json", R"({"url": "u"})")});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("shop 2.1.0, in order"), HasSubstr("  shop.unsell  effect    unsell  sell\n"),
                             HasSubstr("  shop.sales   read\n"), HasSubstr("required, given"), HasSubstr("secret"),
                             HasSubstr("patience.tries"), HasSubstr("limits.max_concurrent_activities")));
}

TEST_F(PluginCommandsTest, CheckTellsProgramsTheSame) {
  const Ran ran = run({"check", plugin("shop"), "--config", write("c.json", R"({"url": "u"})"), "-o", "json"});
  const json report = json::parse(ran.out)[0];
  EXPECT_EQ(report["in_order"], true);
  EXPECT_EQ(report["activities"][0], json({{"name", "sell"}, {"kind", "effect"}, {"step", "sell"}}));
}

TEST_F(PluginCommandsTest, CheckTellsEveryMistakeOfTheConfiguration) {
  const std::string config = write("c.json", "{\n\"ulr\": \"u\",\n\"key\": \"plain\"}");
  const Ran ran = run({"check", plugin("shop"), "--config", config, "-o", "json"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("skald: the plugin is not in order"));
  const auto problems = json::parse(ran.out)[0]["problems"].get<std::vector<std::string>>();
  EXPECT_THAT(problems, ElementsAre(AllOf(HasSubstr("c.json:1: "), HasSubstr("url")),
                                    HasSubstr("c.json:2: ulr: there is no setting 'ulr': did you mean 'url'?"),
                                    HasSubstr("c.json:3: key: a secret is given by reference")));
}

TEST_F(PluginCommandsTest, CheckOutlivesPluginsThatDoNot) {
  const auto problem = [](const std::string& name, absl::Duration patience = absl::Seconds(30)) {
    return inspect({.path = plugin(name), .patience = patience})["problems"][0].get<std::string>();
  };
  EXPECT_THAT(problem("dies_loading"), HasSubstr("crashed while it was loaded: Segmentation fault (signal 11)"));
  EXPECT_THAT(problem("dies_starting"), HasSubstr("crashed while it was started: Segmentation fault (signal 11)"));
  EXPECT_THAT(problem("exits_starting"), HasSubstr("ended the process while it was started, with exit code 7"));
  EXPECT_THAT(problem("hangs_ending", absl::Seconds(2)),
              HasSubstr("did not come back within 2s while it was shut down"));
}

TEST_F(PluginCommandsTest, CheckOfAFolderTellsHowManyAreWrong) {
  std::filesystem::copy(plugin("shop"), folder_ + "/shop.so");
  std::filesystem::copy(plugin("dies_loading"), folder_ + "/dies_loading.so");
  const Ran ran = run({"check", folder_});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("dies_loading.so: not in order"), HasSubstr("shop.so: shop 2.1.0, not in order"),
                             HasSubstr("no configuration: there is no shop.json beside it")));
  EXPECT_EQ(ran.err, "skald: 2 of 2 plugins are not in order\n");
}

TEST_F(PluginCommandsTest, RunPrintsTheResultAndHappensOnce) {
  const Ran ran = run_shop({"sell", "--input", R"({"order": "1"})", "--times", "3"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "{\"sales\":1}\n{\"sales\":1}\n{\"sales\":1}\n");
}

TEST_F(PluginCommandsTest, RunKeepsBooksThatHaveAFolder) {
  const std::string books = folder_ + "/books";
  run_shop({"sell", "--input", R"({"order": "1"})", "--books", books});
  run_shop({"shop.sell", "--input", R"({"order": "2"})", "--books", books});
  EXPECT_EQ(run_shop({"sales", "--books", books}).out, "{\"sales\":2}\n");
  EXPECT_EQ(run_shop({"sales"}).out, "{\"sales\":0}\n");
}

TEST_F(PluginCommandsTest, RunTriesAgainAndHandsTheHeartbeatOn) {
  const Ran ran = run_shop({"try", "--input", R"({"failures": 2})", "--attempts", "3"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(json::parse(ran.out), json({{"attempt", 3}, {"before", {{"attempt", 2}}}}));
}

TEST_F(PluginCommandsTest, RunPrintsTheFailure) {
  const Ran ran = run_shop({"try", "--input", R"({"failures": 9})", "--attempts", "2"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(json::parse(ran.out)["failure"]["type"], "Busy");
  const Ran refused = run_shop({"try", "--input", R"({"refuse": true})", "--attempts", "5"});
  EXPECT_EQ(json::parse(refused.out)["failure"],
            json({{"type", "Refused"}, {"message", "no"}, {"non_retryable", true}, {"details", {{"why", "tired"}}}}));
}

TEST_F(PluginCommandsTest, RunReadsItsInputFromAFile) {
  const std::string file = write("input.json", R"({"order": "1"})");
  EXPECT_EQ(run_shop({"sell", "--input", "@" + file}).out, "{\"sales\":1}\n");
}

TEST_F(PluginCommandsTest, RunNamesWhatIsWrong) {
  EXPECT_THAT(run_shop({"fly"}).err,
              HasSubstr("there is no activity shop.fly; there are: sell, unsell, sales, try, url"));
  EXPECT_EQ(run_shop({"fly"}).exit_code, 2);
  EXPECT_THAT(run_shop({"sell", "--input", "{"}).err, HasSubstr("the input is not JSON"));
  const Ran bare = run({"run", plugin("shop"), "url"});
  EXPECT_EQ(bare.exit_code, 1);
  EXPECT_THAT(bare.err, HasSubstr("url"));
  EXPECT_THAT(run({"run", plugin("dies_starting"), "one"}).exit_code, Not(0));
}

TEST_F(PluginCommandsTest, NewWritesAPluginAndTellsWhatToDo) {
  const Ran ran = run({"new", "loyalty", "--dir", folder_ + "/l", "--skald", SOURCE_TREE});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("/l/loyalty.cc\n"), HasSubstr("cmake -G Ninja -S . -B build")));
  EXPECT_EQ(run({"new", "loyalty", "--dir", folder_ + "/l", "--skald", SOURCE_TREE}).exit_code, 1);
  EXPECT_EQ(run({"new", "Not a name", "--dir", folder_ + "/m", "--skald", SOURCE_TREE}).exit_code, 2);
}

TEST_F(PluginCommandsTest, MistakesOfUseHaveExitCode2) {
  for (const std::vector<std::string>& mistake :
       std::vector<std::vector<std::string>>{{},
                                             {"dance"},
                                             {"new"},
                                             {"check"},
                                             {"check", folder_ + "/none.so"},
                                             {"run", plugin("shop")},
                                             {"run", plugin("shop"), "sell", "--timeout", "soon"},
                                             {"run", plugin("shop"), "sell", "--times", "0"}}) {
    EXPECT_EQ(run(mistake).exit_code, 2) << testing::PrintToString(mistake);
  }
}

}  // namespace
}  // namespace skald::plugins

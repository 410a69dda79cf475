#include "plugins/tools/scaffold.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "engine/base/text.h"

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ScaffoldTest : public testing::Test {
 protected:
  ScaffoldTest()
      : folder_(testing::TempDir() + "skald-scaffold-" +
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
  }
  ~ScaffoldTest() override { fs::remove_all(folder_); }

  absl::StatusOr<std::vector<std::string>> write(const std::string& name) const {
    return scaffold({name, folder_, SOURCE_TREE, fs::path(SOURCE_TREE) / "build"});
  }
  std::string file(const std::string& name) const {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const fs::path folder_;
};

TEST_F(ScaffoldTest, HasSourceTestBuildConfigurationWorkflowAndReadme) {
  EXPECT_THAT(*write("gift_cards"), ElementsAre("gift_cards.cc", "gift_cards_test.cc", "CMakeLists.txt", "README.md",
                                                "plugins/gift_cards.json", "workflows/gift_cards.lua"));
  EXPECT_THAT(file("gift_cards.cc"), HasSubstr("SKALD_PLUGIN(GiftCards)"));
  EXPECT_THAT(file("plugins/gift_cards.json"), HasSubstr("env:GIFT_CARDS_TOKEN"));
  EXPECT_THAT(file("CMakeLists.txt"), HasSubstr(SOURCE_TREE));
}

TEST_F(ScaffoldTest, LeavesNoWordOfTheTemplateBehind) {
  const auto written = write("gift_cards");
  for (const std::string& name : *written) {
    EXPECT_THAT(file(name), Not(testing::ContainsRegex("@[A-Za-z_]+@"))) << name;
  }
}

TEST_F(ScaffoldTest, OverwritesNothing) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "mine.txt") << "mine";
  EXPECT_EQ(write("gift").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(fs::exists(folder_ / "gift.cc"));
}

TEST_F(ScaffoldTest, RefusesNamesThatLuaOrCppWouldNot) {
  for (const char* name : {"", "Gift", "9gift", "gift-card", "gift card", "../gift", "while", "skald"}) {
    EXPECT_EQ(write(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(ScaffoldTest, TreeThatIsNoneIsTold) {
  EXPECT_THAT(std::string(base::text(find_tree(testing::TempDir()).status())), HasSubstr("is not Skald's source tree"));
  EXPECT_EQ(*find_tree(SOURCE_TREE), fs::path(SOURCE_TREE));
}

}  // namespace
}  // namespace skald::plugins

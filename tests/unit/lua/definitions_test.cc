#include "lua/definitions.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;

class Directory {
 public:
  explicit Directory(const std::string& name) : path_(std::filesystem::path(::testing::TempDir()) / name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_ / "lib");
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  void write(const std::string& file, const std::string& text) const { std::ofstream(path_ / file) << text; }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(Definitions, AreTheFilesOfADirectory) {
  const Directory directory("skald_definitions_files");
  directory.write("a.lua", "-- @version 3\nreturn function() end");
  directory.write("b.lua", "return function() end");
  directory.write("notes.txt", "not Lua");
  directory.write("lib/money.lua", "return {}");
  Definitions definitions;
  ASSERT_TRUE(definitions.load(directory.path()).ok());
  ASSERT_EQ(definitions.all_current().size(), 2u);
  EXPECT_EQ(definitions.current("a")->version, "3");
  EXPECT_EQ(definitions.current("a")->hash.size(), 64u);
  EXPECT_EQ(definitions.current("money"), nullptr);
}

TEST(Definitions, ThatDoNotCompileSayWhereAndDoNotSpoilTheOthers) {
  const Directory directory("skald_definitions_broken");
  directory.write("broken.lua", "return function()\n  local x = = 1\nend");
  directory.write("empty.lua", "");
  Definitions definitions;
  ASSERT_TRUE(definitions.load(directory.path()).ok());
  EXPECT_THAT(definitions.current("broken")->error, HasSubstr("broken.lua:2: unexpected symbol near '='"));
  EXPECT_EQ(definitions.current("empty")->error, "");
}

TEST(Definitions, AnUnreadableDirectoryChangesNothing) {
  Definitions definitions;
  definitions.add(compile_definition("a", "return function() end", {}));
  EXPECT_THAT(std::string(definitions.load("/nowhere").message()),
              HasSubstr("cannot read the workflow directory /nowhere"));
  EXPECT_NE(definitions.current("a"), nullptr);
}

TEST(Definitions, HashesCoverTheModulesTheyRequire) {
  const std::string source = "local money = require 'money'\nreturn function() return money.cents(2) end";
  const auto one = compile_definition("a", source, {{"money", "return { cents = function(x) return x end }"}});
  const auto two = compile_definition("a", source, {{"money", "return { cents = function(x) return x * 100 end }"}});
  const auto same = compile_definition(
      "a", source, {{"money", "return { cents = function(x) return x end }"}, {"other", "return 1"}});
  EXPECT_NE(one->hash, two->hash);
  EXPECT_EQ(one->hash, same->hash);
}

TEST(Definitions, RequireTheirModulesAlsoThroughOthers) {
  HistoryDriver driver(
      "local money = require('money')\nreturn function() return { money.cents(2), money == require 'money' } end", {},
      {{"money", "local rates = require 'rates'\nreturn { cents = function(x) return x * rates.cent end }"},
       {"rates", "return { cent = 100 }"},
       {"unused", "error('never loaded')"}});
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "[200,true]") << driver.task_failure_text();
}

TEST(Definitions, BinaryChunksAreRefused) {
  EXPECT_EQ(compile_definition("a", "\x1bLua", {})->error,
            "a.lua:1: this is compiled Lua; put the source text in its place");
  EXPECT_THAT(compile_definition("a", "require 'money'", {{"money", "\x1bLua"}})->error,
              HasSubstr("lib/money.lua:1: "));
}

TEST(Definitions, OlderOnesAreFoundByTheirHash) {
  Definitions definitions;
  const auto old = compile_definition("a", "return function() return 1 end", {});
  definitions.add(old);
  definitions.add(compile_definition("a", "return function() return 2 end", {}));
  EXPECT_NE(definitions.current("a"), old);
  EXPECT_EQ(definitions.with_hash("a", old->hash.substr(0, 16)), old);
  EXPECT_EQ(definitions.with_hash("a", "ffff"), nullptr);
}

TEST(Definitions, ABrokenOneFailsItsTasksWithItsMessage) {
  HistoryDriver driver("return function( end");
  driver.start();
  driver.run();
  EXPECT_THAT(driver.task_failure_text(), HasSubstr("order.lua:1: "));
}

}  // namespace
}  // namespace skald::lua::testing

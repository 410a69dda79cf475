#include "plugins/host/secrets.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

using nlohmann::json;

TEST(BlankedSecrets, AreBlankedWhereverTheyStand) {
  remember_secrets({"Tr0ub4dor&3"});
  EXPECT_EQ(blank_secrets("key Tr0ub4dor&3, again Tr0ub4dor&3."), "key ***, again ***.");
  EXPECT_EQ(blank_secrets("nothing here"), "nothing here");
}

TEST(BlankedSecrets, AreBlankedInTheFormsOfJsonAndOfUrls) {
  remember_secrets({"pass\"word\\1/ü"});
  EXPECT_EQ(blank_secrets(R"(body {"k":"pass\"word\\1/ü"})"), R"(body {"k":"***"})");
  EXPECT_EQ(blank_secrets("GET /?k=pass%22word%5C1%2F%C3%BC"), "GET /?k=***");
}

TEST(BlankedSecrets, AreBlankedInJsonHoweverItIsEscaped) {
  remember_secrets({"correct-horse"});
  EXPECT_EQ(blank_secrets_in_json(R"({"a":["corr\u0065ct-horse x"],"n":1})"), R"({"a":["*** x"],"n":1})");
  EXPECT_EQ(blank_secrets_in_json(R"({"correct-horse":1})"), R"({"***":1})");
  EXPECT_EQ(blank_secrets_in_json("not json: correct-horse"), "not json: ***");
}

TEST(BlankedSecrets, LeaveJsonThatHoldsNoneAsItIs) {
  remember_secrets({"battery-staple"});
  const std::string text = R"({ "z": 1.50, "a": "line\nbreak" })";
  EXPECT_EQ(blank_secrets_in_json(text), text);
}

TEST(BlankedSecrets, LeaveJsonAfterBlankingANumber) {
  remember_secrets({"98765432"});
  EXPECT_EQ(json::parse(blank_secrets_in_json(R"({"pin":98765432})")), json({{"pin", "***"}}));
}

TEST(BlankedSecrets, AreBlankedWholeWhenOneIsAPartOfAnother) {
  remember_secrets({"abcdef", "abcdef-long"});
  EXPECT_EQ(blank_secrets("abcdef-long abcdef"), "*** ***");
}

TEST(BlankedSecrets, OfSeveralLinesAreBlankedLineByLine) {
  remember_secrets({"-----BEGIN KEY-----\r\n  bG9uZyBhbmQ\nbm90IHNob3J0\nend\n"});
  EXPECT_EQ(blank_secrets("[leaky] bG9uZyBhbmQ"), "[leaky] ***");
  EXPECT_EQ(blank_secrets("[leaky] bm90IHNob3J0"), "[leaky] ***");
  EXPECT_EQ(blank_secrets("the end"), "the end") << "a line that is too short";
  EXPECT_EQ(blank_secrets("bm90IHNob3J0\nend\n"), "***\nend\n");
}

TEST(BlankedSecrets, ThatAreTooShortAreNotBlanked) {
  remember_secrets({"table"});
  EXPECT_EQ(blank_secrets("a table"), "a table");
}

}  // namespace
}  // namespace skald::plugins

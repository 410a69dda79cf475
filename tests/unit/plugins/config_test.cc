#include "plugins/host/config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/base/text.h"

namespace skald::plugins {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    "url": {"type": "string"},
    "timeout": {"type": "number", "minimum": 0},
    "api_key": {"type": "string", "secret": true},
    "retry": {"type": "object", "additionalProperties": false, "properties": {"tries": {"type": "integer"}}},
    "partners": {"type": "array", "items": {"type": "object", "properties": {"password": {"type": "string", "secret": true}}}},
    "keys": {"type": "object", "additionalProperties": {"secret": true}}
  }
})";

class PluginConfigTest : public testing::Test {
 protected:
  PluginConfigTest()
      : folder_(testing::TempDir() + "skald-config-" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~PluginConfigTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<PluginConfig> read(const std::string& text, const char* schema = kSchema) const {
    return read_config({"shop.json", text, folder_}, schema);
  }
  std::string problem(const std::string& text, const char* schema = kSchema) const {
    const auto config = read(text, schema);
    return config.ok() ? "" : std::string(base::text(config.status()));
  }
  // What init gets.
  json given(const std::string& text) const { return json::parse(read(text)->text); }
  void write(const std::string& file, const std::string& text) const { std::ofstream(folder_ + "/" + file) << text; }

  const std::string folder_;
};

TEST_F(PluginConfigTest, MayHaveCommentsAndTellsThePluginItsFolder) {
  EXPECT_EQ(given("// where it is\n{\"url\": \"http://erp\" /* ours */}"),
            json({{"url", "http://erp"}, {"$folder", folder_}}));
}

TEST_F(PluginConfigTest, KeysOfTheHostAreCheckedAndNotGivenToThePlugin) {
  const auto config = read(R"({"url": "u", "limits": {"max_concurrent_activities": 7}})");
  EXPECT_EQ(config->limits.max_concurrent_activities, 7);
  EXPECT_FALSE(json::parse(config->text).contains("limits"));
  EXPECT_EQ(problem("{\"url\": \"u\",\n \"limits\": {\"max_speed\": 7}}"),
            "shop.json:2: limits.max_speed: there is no setting 'max_speed': there are hang_seconds, "
            "max_activities_per_second, max_activity_seconds, max_concurrent_activities, max_files, max_input_bytes, "
            "max_memory_mb, max_output_bytes, max_processes");
  EXPECT_THAT(problem("{\"url\": \"u\", \"limits\": {\n\"max_concurrent_activities\": 0}}"),
              StartsWith("shop.json:2: limits.max_concurrent_activities: must be"));
}

TEST_F(PluginConfigTest, EveryProblemIsToldWithItsLine) {
  const std::string all =
      problem("{\n  \"timeout\": \"long\",\n  \"retry\": {\n    \"trys\": 3\n  },\n  \"uri\": \"u\"\n}");
  EXPECT_THAT(all, HasSubstr("shop.json:2: timeout: must be"));
  EXPECT_THAT(all, HasSubstr("shop.json:4: retry.trys: there is no setting 'trys': did you mean 'tries'?"));
  EXPECT_THAT(all, HasSubstr("shop.json:6: uri: there is no setting 'uri': did you mean 'url'?"));
  EXPECT_THAT(all, ContainsRegex("shop.json:1: .*url"));
}

TEST_F(PluginConfigTest, KeyThatIsBegunIsCompleted) {
  EXPECT_THAT(problem(R"({"url": "u", "time": 1})"), HasSubstr("did you mean 'timeout'?"));
  EXPECT_THAT(problem(R"({"url": "u", "isol": 1})"), HasSubstr("did you mean 'isolation'?"));
  EXPECT_THAT(problem(R"({"url": "u", "colour": 1})"), HasSubstr("there are api_key, drain_seconds, isolation, "));
}

TEST_F(PluginConfigTest, MistakesOfTheSyntaxHaveALine) {
  EXPECT_THAT(problem("{\n  \"url\": \"u\",\n}"), StartsWith("shop.json:3: this is not JSON: unexpected '}'"));
  EXPECT_THAT(problem("{\n  \"url\": \"u\"\n"), StartsWith("shop.json:3: this is not JSON: unexpected end of input"));
  EXPECT_EQ(problem("[]"), "shop.json:1: a plugin's configuration must be a JSON object");
}

TEST_F(PluginConfigTest, MistakeOfTheSyntaxDoesNotRepeatWhatStandsThere) {
  EXPECT_THAT(problem("{\"url\": \"u\", \"api_key\": \"hunter2\" \"hunter3\"}"), Not(HasSubstr("hunter")));
}

TEST_F(PluginConfigTest, KeyThatIsThereTwiceIsRefused) {
  EXPECT_EQ(problem("{\"url\": \"u\",\n\"timeout\": 1,\n\n\"timeout\": 2}"),
            "shop.json:4: timeout: is there twice, in line 2 already: leave one");
}

TEST_F(PluginConfigTest, LinesAreRightBehindCommentsAndTextsWithEscapes) {
  EXPECT_THAT(problem("{ // url:\n/* two\n lines */ \"url\": \"a\\\"b//c\",\n\"timeout\": -1}"),
              StartsWith("shop.json:4: timeout: "));
}

TEST_F(PluginConfigTest, NoConfigurationIsEnoughUnlessTheSchemaNeedsOne) {
  const absl::Status status = read("").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(base::text(status), "shop.json is not there, and its plugin needs it: it lacks the key 'url'");
  EXPECT_EQ(json::parse(read("", R"({"type": "object"})")->text), json({{"$folder", folder_}}));
  EXPECT_EQ(read("", nullptr)->text, "");
}

TEST_F(PluginConfigTest, AnythingGoesWithoutASchema) {
  EXPECT_EQ(json::parse(read(R"({"colour": "red"})", nullptr)->text)["colour"], "red");
}

TEST_F(PluginConfigTest, TooLargeOrTooDeepIsRefused) {
  EXPECT_THAT(problem(std::string(2 << 20, ' ')), HasSubstr("a configuration may have"));
  EXPECT_THAT(problem("{\"url\": " + std::string(100, '[') + std::string(100, ']') + "}"), HasSubstr("deeper than"));
}

TEST_F(PluginConfigTest, KeyOfTheHostsOwnIsRefused) {
  EXPECT_THAT(problem(R"({"url": "u", "$folder": "/"})"), HasSubstr("$folder: is a key that the host itself adds"));
}

TEST_F(PluginConfigTest, SchemaThatIsNoneIsTold) {
  EXPECT_THAT(problem("{}", "{\"type\": 7}"), HasSubstr("its author must mend"));
  EXPECT_THAT(problem("{}", "{"), HasSubstr("its author must mend"));
}

TEST_F(PluginConfigTest, SecretsStandInTheEnvironmentOrInFilesBesideTheConfiguration) {
  setenv("SKALD_CONFIG_TEST_KEY", "s3cret-of-erp", 1);
  write("key", "s3cret-of-bank\n");
  const auto config = read(R"({"url": "u", "api_key": "env:SKALD_CONFIG_TEST_KEY",
                               "partners": [{"password": "file:key"}], "keys": {"a": "file:key"}})");
  const json seen = json::parse(config->text);
  EXPECT_EQ(seen["api_key"], "s3cret-of-erp");
  EXPECT_EQ(seen["partners"][0]["password"], "s3cret-of-bank");
  EXPECT_EQ(seen["keys"]["a"], "s3cret-of-bank");
  EXPECT_THAT(config->secrets, testing::UnorderedElementsAre("s3cret-of-erp", "s3cret-of-bank", "s3cret-of-bank"));
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST_F(PluginConfigTest, SecretInAFileIsReadAgainEachTime) {
  write("key", "s3cret-of-monday");
  const std::string text = R"({"url": "u", "api_key": "file:key"})";
  EXPECT_EQ(given(text)["api_key"], "s3cret-of-monday");
  write("key", "s3cret-of-tuesday");
  EXPECT_EQ(given(text)["api_key"], "s3cret-of-tuesday");
}

TEST_F(PluginConfigTest, SecretItselfIsRefusedAndNotRepeated) {
  const std::string told = problem("{\"url\": \"u\",\n\"api_key\": \"hunter2\"}");
  EXPECT_EQ(told,
            "shop.json:2: api_key: a secret is given by reference: env:NAME of an environment variable, or file:PATH");
  EXPECT_THAT(problem(R"({"url": "u", "api_key": 12345678})"),
              AllOf(HasSubstr("api_key: a secret is given by reference"), Not(HasSubstr("12345678"))));
}

TEST_F(PluginConfigTest, SecretThatIsNotThereIsToldWithItsPlace) {
  unsetenv("SKALD_CONFIG_TEST_NONE");
  EXPECT_EQ(problem("{\"url\": \"u\",\n\"api_key\": \"env:SKALD_CONFIG_TEST_NONE\"}"),
            "shop.json:2: api_key: the environment variable SKALD_CONFIG_TEST_NONE is not set");
  EXPECT_THAT(problem("{\"url\": \"u\",\n\"api_key\": \"file:none\"}"),
              AllOf(StartsWith("shop.json:2: api_key: cannot read the file "), HasSubstr("/none: No such file")));
}

TEST_F(PluginConfigTest, ShortSecretIsWarnedOf) {
  write("pin", "1234");
  EXPECT_THAT(read(R"({"url": "u", "api_key": "file:pin"})")->warnings,
              ElementsAre(AllOf(StartsWith("shop.json:1: api_key: "), HasSubstr("fewer than 6 characters"),
                                Not(HasSubstr("1234")))));
}

TEST_F(PluginConfigTest, SecretBehindAReferenceOfTheSchemaIsOneToo) {
  constexpr char kReferring[] =
      R"({"definitions": {"key": {"secret": true}}, "properties": {"k": {"$ref": "#/definitions/key"}}})";
  EXPECT_THAT(problem(R"({"k": "hunter2"})", kReferring), HasSubstr("a secret is given by reference"));
}

TEST_F(PluginConfigTest, IsTheFileBesideThePluginOrWhatIsGiven) {
  write("shop.json", "{}");
  write("other.json", "{\"url\": \"other\"}");
  const std::string plugin = folder_ + "/shop.so";
  EXPECT_EQ(find_config(plugin, "shop", {})->name, folder_ + "/shop.json");
  EXPECT_EQ(find_config(plugin, "bakery", {})->text, "");
  EXPECT_EQ(find_config(plugin, "shop", {{"shop", "{ }"}})->text, "{ }");
  const auto other = find_config(plugin, "shop", {{"shop", "file:" + folder_ + "/other.json"}});
  EXPECT_EQ(other->name, folder_ + "/other.json");
  EXPECT_EQ(other->folder, folder_);
}

}  // namespace
}  // namespace skald::plugins

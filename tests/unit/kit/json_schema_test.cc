#include "plugins/sdk/json_schema.h"

#include <stdexcept>

#include <gmock/gmock.h>

namespace skald::plugin {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> problems(const char* schema, const char* value) {
  std::vector<std::string> out;
  for (const SchemaError& error : JsonSchema(json::parse(schema)).check(json::parse(value)))
    out.push_back(error.pointer + ": " + error.message);
  return out;
}

TEST(JsonSchemaTest, AcceptsWhatFits) {
  EXPECT_THAT(problems(R"({"type": "object", "properties": {"a": {"type": "integer"}}})", R"({"a": 1})"), IsEmpty());
}

TEST(JsonSchemaTest, NamesTheKeyThatIsMissing) {
  EXPECT_THAT(problems(R"({"properties": {"http": {"required": ["url"]}}})", R"({"http": {}})"),
              ElementsAre("/http: lacks the key 'url'"));
}

TEST(JsonSchemaTest, NamesTheKeyThatIsNotKnownAndThoseThatAre) {
  const char* schema = R"({"properties": {"url": {}, "tries": {}, "$folder": {}}, "additionalProperties": false})";
  EXPECT_THAT(problems(schema, R"({"ulr": 1})"), ElementsAre("/ulr: is not known: use tries, url"));
}

TEST(JsonSchemaTest, SaysOnlyTheDeepestCause) {
  const char* schema = R"({"properties": {"a": {"properties": {"b": {"items": {"type": ["string", "null"]}}}}}})";
  EXPECT_THAT(problems(schema, R"({"a": {"b": ["x", 7]}})"), ElementsAre("/a/b/1: must be a text or null, not 7"));
}

TEST(JsonSchemaTest, SaysTheLimits) {
  const char* schema = R"({"properties": {
    "count": {"minimum": 1, "maximum": 9}, "share": {"exclusiveMaximum": 1}, "name": {"minLength": 1},
    "kind": {"enum": ["a", "b", "c"]}, "code": {"pattern": "^[a-z]+$"}, "list": {"maxItems": 1, "uniqueItems": true},
    "fixed": {"const": 3}, "never": false}})";
  EXPECT_THAT(
      problems(schema, R"({"count": 0, "share": 1, "name": "", "kind": "d", "code": "A", "list": [1, 1],
                                   "fixed": 4, "never": 1})"),
      UnorderedElementsAre("/count: must be at least 1", "/share: must be less than 1", "/name: must not be empty",
                           R"(/kind: must be "a", "b" or "c")", R"(/code: must match the pattern "^[a-z]+$")",
                           "/list: must have at most 1 elements", "/list: must not have an element twice",
                           "/fixed: must be 3", "/never: is not allowed here"));
}

TEST(JsonSchemaTest, SaysTheFormsThereAre) {
  EXPECT_THAT(problems(R"({"anyOf": [{"type": "string"}, {"type": "array"}]})", "7"),
              ElementsAre(": must be a text or a list"));
}

TEST(JsonSchemaTest, LooksIntoReferences) {
  const char* schema =
      R"({"properties": {"item": {"$ref": "#/definitions/item"}}, "definitions": {"item": {"type": "object"}}})";
  EXPECT_THAT(problems(schema, R"({"item": 1})"), ElementsAre("/item: must be an object, not 1"));
}

TEST(JsonSchemaTest, WritesPointersAsTheyAreRead) {
  EXPECT_THAT(problems(R"({"properties": {"a/b~c": {"type": "string"}}})", R"({"a/b~c": 1})"),
              ElementsAre("/a~1b~0c: must be a text, not 1"));
}

TEST(JsonSchemaTest, DoesNotSaySecrets) {
  EXPECT_THAT(problems(R"({"properties": {"key": {"type": "string", "secret": true}}})", R"({"key": 123456})"),
              ElementsAre("/key: must be a text"));
}

TEST(JsonSchemaTest, RefusesWhatIsNoSchema) {
  for (const char* schema : {"7", R"({"type": 7})", R"({"$ref": "http://127.0.0.1/other"})", R"({"pattern": "("})"})
    EXPECT_THROW(JsonSchema(json::parse(schema)), std::invalid_argument) << schema;
}

TEST(JsonSchemaTest, HostileValuesEndNothing) {
  json deep = 1;
  for (int i = 0; i < 10000; ++i) deep = json::array({std::move(deep)});
  const JsonSchema recursive(json::parse(R"({"items": {"$ref": "#"}})"));
  EXPECT_THAT(recursive.check(deep), testing::SizeIs(1));
  const JsonSchema matching(json::parse(R"({"pattern": "^(a|b)*$"})"));
  EXPECT_THAT(matching.check(std::string(1000000, 'a')), testing::SizeIs(1));
}

}  // namespace
}  // namespace skald::plugin

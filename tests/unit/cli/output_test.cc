#include <sstream>

#include <gmock/gmock.h>

#include "cli/failure_text.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/table.h"
#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

using temporal::api::common::v1::Memo;
using temporal::api::failure::v1::Failure;

TEST(Table, AlignsColumnsByCodePoints) {
  std::ostringstream out;
  print_table(Console{out, out, false}, {"A", "B"}, {{"größer", "1"}, {"x", "2"}}, 1);
  EXPECT_EQ(out.str(), " A       B\n größer  1\n x       2\n");
}

TEST(Console, TellsOfOutputThatIsLost) {
  std::ostream broken(nullptr);
  std::ostringstream whole;
  EXPECT_EQ((Console{broken, whole, false}.finish().code), ExitCode::kFailed);
  EXPECT_TRUE((Console{whole, whole, false}.finish().ok()));
}

TEST(Table, PaintsOnlyIfColoursAreOn) {
  std::ostringstream plain, coloured;
  const std::vector<Row> rows = {{Cell("Failed", Colour::kRed), "1"}};
  print_table(Console{plain, plain, false}, {}, rows);
  print_table(Console{coloured, coloured, true}, {}, rows);
  EXPECT_EQ(plain.str(), "Failed  1\n");
  EXPECT_EQ(coloured.str(), "\033[31mFailed\033[0m  1\n");
}

TEST(Json, ShowsPayloadsAsTheirValues) {
  Memo memo;
  (*memo.mutable_fields())["n"] = *json_payload(R"({"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="})");
  EXPECT_EQ(to_json(memo)["fields"]["n"]["data"], "MQ==") << "a value that looks like a payload stays as it is";
  (*(*memo.mutable_fields())["x"].mutable_metadata())["encoding"] = "binary/plain";
  EXPECT_TRUE(to_json(memo)["fields"]["x"].contains("metadata"));
}

TEST(Json, LeavesValuesTooDeepToPrintAsTexts) {
  Memo memo;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  (*memo.mutable_fields())["deep"] = *json_payload(deep);
  EXPECT_EQ(to_json(memo)["fields"]["deep"], deep);
}

TEST(FailureText, ToldOfEveryKind) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"message: 'm'", "m"},
      {"", "a failure without a message"},
      {"message: 'm' application_failure_info { type: 'T' }", "T: m"},
      {"message: 'm' timeout_failure_info { timeout_type: TIMEOUT_TYPE_HEARTBEAT }", "timeout (heartbeat): m"},
      {"canceled_failure_info { }", "canceled"},
      {"message: 'm' child_workflow_execution_failure_info { workflow_execution { workflow_id: 'c' } workflow_type { "
       "name: 't' } retry_state: "
       "RETRY_STATE_TIMEOUT }",
       "child workflow c (t) failed: no time left to retry"},
  };
  for (const auto& [text, line] : cases) EXPECT_EQ(failure_line(proto<Failure>(text)), line);
}

TEST(FailureText, LeadsToTheRoot) {
  const auto failure = proto<Failure>("message: 'a' cause { message: 'b' cause { message: 'c' } }");
  EXPECT_EQ(failure_chain(failure), "a\n  caused by b\n    caused by c");
  EXPECT_EQ(root_failure_line(failure), "c");
}

}  // namespace
}  // namespace skald::cli

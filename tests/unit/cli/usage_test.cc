#include <algorithm>
#include <future>

#include "temporal/api/errordetails/v1/message.pb.h"
#include <gmock/gmock.h>

#include "cli/call_error.h"
#include "engine/base/version.h"
#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(Usage, IsMistakenWithExitCode2AndOneSentence) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"workflow"},
      {"workflow", "dance"},
      {"workflow", "start"},
      {"workflow", "describe"},
      {"workflow", "list", "--limit", "many"},
      {"workflow", "list", "--output", "xml"},
      {"workflow", "list", "--address", "nowhere"},
      {"workflow", "list", "--address", "host:99999"},
      {"workflow", "list", "--timeout", "soon"},
      {"workflow", "list", "--timeout", "-5s"},
      {"workflow", "start", "--type", "t", "--run-timeout", "5 parsecs"},
      {"workflow", "start", "--type", "t", "--id-reuse-policy", "whatever"},
      {"workflow", "start", "--type", "t", "--input", "1", "--input-file", "f"},
      {"workflow", "start", "--type", "t", "--id", ""},
      {"workflow", "describe", ""},
      {"namespace", "register"},
  };
  for (const auto& mistake : mistakes) {
    const Ran ran = run_command(mistake);
    EXPECT_EQ(ran.exit_code, 2) << testing::PrintToString(mistake);
    EXPECT_THAT(ran.err, AllOf(StartsWith("skald: "), HasSubstr("--help`"))) << testing::PrintToString(mistake);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST(Usage, OfEveryCommandIsExplainedWithExamples) {
  for (const char* command :
       {"start", "signal", "query", "cancel", "terminate", "describe", "show", "list", "count", "result", "trace"}) {
    const Ran ran = run_command({"workflow", command, "--help"});
    EXPECT_EQ(ran.exit_code, 0) << command;
    EXPECT_THAT(ran.out,
                AllOf(HasSubstr("Examples:\n  skald workflow " + std::string(command)), HasSubstr("--address")))
        << command;
  }
  for (const char* command : {"register", "describe", "list", "update"}) {
    const Ran ran = run_command({"namespace", command, "--help"});
    EXPECT_EQ(ran.exit_code, 0) << command;
    EXPECT_THAT(ran.out, HasSubstr("Examples:\n  skald namespace " + std::string(command))) << command;
  }
}

TEST(Usage, OfAnArgumentWithAPlaceAndANameIsExplainedOnce) {
  const std::string help = run_command({"workflow", "describe", "--help"}).out;
  EXPECT_THAT(help, AllOf(ContainsRegex("  ID REQUIRED +The workflow's id\n"), HasSubstr("\n  --id ID "),
                          Not(HasSubstr("--id REQUIRED"))));
}

TEST(Version, IsOneLine) {
  const Ran ran = run_command({"--version"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, std::string("skald ") + base::kVersion + "\n");
}

TEST(Usage, ThatCannotBeWrittenFails) {
  std::ostream broken(nullptr);
  std::ostringstream err;
  EXPECT_EQ(run_command(Console{broken, err, false}, {"workflow", "list", "--help"}), 1);
  EXPECT_THAT(err.str(), StartsWith("skald: not all of the output could be written"));
}

TEST(Call, WhoseOutputIsLostFails) {
  FakeService service;
  ws::CountWorkflowExecutionsRequest request;
  service.answers.count =
      always<ws::CountWorkflowExecutionsRequest, ws::CountWorkflowExecutionsResponse>(request, "count: 4");
  std::ostream broken(nullptr);
  std::ostringstream err;
  EXPECT_EQ(run_command(Console{broken, err, false}, {"workflow", "count", "--address", service.address()}), 1);
  EXPECT_THAT(err.str(), StartsWith("skald: not all of the output could be written"));
}

TEST(Call, ThatEndsWithoutAnAnswerIsAnErrorOfTheServer) {
  for (const auto code : {grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::UNKNOWN, grpc::StatusCode::INTERNAL}) {
    const Outcome told = explain({code, "No message returned for unary request"}, "host:1", true, "10s");
    EXPECT_EQ(told.code, ExitCode::kFailed);
    EXPECT_EQ(told.sentence, "the server at host:1 ended the call without an answer; see its log");
  }
}

TEST(Call, ThatReachesNoServerNamesTheAddressAndTheServerCommand) {
  const ReservedPort nobody;
  const Ran ran = run_command({"workflow", "list", "--address", nobody.address()});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err,
              AllOf(StartsWith("skald: no server answers at " + nobody.address()), HasSubstr("`skald server`")));
  EXPECT_THAT(ran.out, IsEmpty());
}

TEST(Call, WaitsForAServerThatIsJustStarting) {
  ReservedPort port;
  auto ran = std::async(std::launch::async, [&port] {
    return run_command({"workflow", "count", "--address", port.address()}, absl::Seconds(30));
  });
  port.turn_one_away();
  const FakeService service(port.address());
  EXPECT_THAT(ran.get().err, HasSubstr("does not offer this"));
}

TEST(Call, ThatTheServerCannotServeNowIsNotAMistake) {
  FakeService service;
  service.answers.list = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the state is being read back; try again");
  };
  const Ran ran = run_command(service, {"workflow", "list"});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err, HasSubstr("the state is being read back"));
}

TEST(Call, ThatTakesTooLongTellsHowLong) {
  FakeService service;
  service.answers.query = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no worker has polled task queue skald");
  };
  const Ran ran = run_command(service, {"workflow", "query", "o-1", "--type", "status", "--timeout", "30s"});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_EQ(ran.err,
            "skald: no answer within 30s: no worker has polled task queue skald; wait longer with --timeout\n");
}

TEST(Call, ForAnUnknownNamespaceTellsHowToMakeIt) {
  FakeService service;
  service.answers.list = [](const auto&, auto&) {
    return error(grpc::StatusCode::NOT_FOUND, "Namespace shop is not found.",
                 proto<temporal::api::errordetails::v1::NamespaceNotFoundFailure>("namespace: 'shop'"));
  };
  const Ran ran = run_command(service, {"workflow", "list", "-n", "shop"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err,
              AllOf(StartsWith("skald: there is no namespace 'shop'"), HasSubstr("skald namespace register shop")));
}

TEST(Call, ThatTheServerDoesNotOfferSaysSo) {
  const FakeService service;
  const Ran ran = run_command(service, {"workflow", "count"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("does not offer this (this is not implemented by this server)"));
}

TEST(Call, GoesToTheAddressOfTheEnvironment) {
  FakeService service;
  ws::CountWorkflowExecutionsRequest request;
  service.answers.count =
      always<ws::CountWorkflowExecutionsRequest, ws::CountWorkflowExecutionsResponse>(request, "count: 4");
  setenv("SKALD_ADDRESS", service.address().c_str(), 1);
  const Ran ran = run_command({"workflow", "count"});
  unsetenv("SKALD_ADDRESS");
  EXPECT_EQ(ran.out, "4\n") << ran.err;
}

}  // namespace
}  // namespace skald::cli

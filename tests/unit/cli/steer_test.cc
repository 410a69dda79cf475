#include "temporal/api/errordetails/v1/message.pb.h"
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kRunId[] = "0f0e0d0c-0b0a-4908-8706-050403020100";

TEST(Signal, CarriesItsNameAndInput) {
  FakeService service;
  ws::SignalWorkflowExecutionRequest request;
  service.answers.signal = always<ws::SignalWorkflowExecutionRequest, ws::SignalWorkflowExecutionResponse>(request);
  const Ran ran =
      run_command(service, {"workflow", "signal", "o-1", "--run-id", kRunId, "--name", "cancel", "--input", "\"why\""});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.workflow_execution().workflow_id(), "o-1");
  EXPECT_EQ(request.workflow_execution().run_id(), kRunId);
  EXPECT_EQ(request.signal_name(), "cancel");
  EXPECT_EQ(request.input().payloads(0).data(), "\"why\"");
  EXPECT_EQ(request.request_id().size(), 36u);
  EXPECT_THAT(request.identity(), HasSubstr("skald-cli"));
}

TEST(Signal, ToAClosedWorkflowFailsWithWhatToDo) {
  FakeService service;
  service.answers.signal = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "workflow execution already completed");
  };
  const Ran ran = run_command(service, {"workflow", "signal", "o-1", "--name", "cancel"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "skald: the workflow has already closed; `skald workflow result` prints how it ended\n");
}

TEST(Cancel, IsRequestedWithItsReason) {
  FakeService service;
  ws::RequestCancelWorkflowExecutionRequest request;
  service.answers.cancel =
      always<ws::RequestCancelWorkflowExecutionRequest, ws::RequestCancelWorkflowExecutionResponse>(request);
  EXPECT_EQ(run_command(service, {"workflow", "cancel", "o-1", "--reason", "double"}).exit_code, 0);
  EXPECT_EQ(request.workflow_execution().workflow_id(), "o-1");
  EXPECT_EQ(request.reason(), "double");
}

TEST(Terminate, IsDoneWithItsReason) {
  FakeService service;
  ws::TerminateWorkflowExecutionRequest request;
  service.answers.terminate =
      always<ws::TerminateWorkflowExecutionRequest, ws::TerminateWorkflowExecutionResponse>(request);
  EXPECT_EQ(run_command(service, {"workflow", "terminate", "o-1", "--reason", "stuck"}).exit_code, 0);
  EXPECT_EQ(request.reason(), "stuck");
}

TEST(Retry, AsksForARunInQuarantine) {
  FakeService service;
  ws::UnpauseWorkflowExecutionRequest request;
  service.answers.unpause = always<ws::UnpauseWorkflowExecutionRequest, ws::UnpauseWorkflowExecutionResponse>(request);
  const Ran ran = run_command(service, {"workflow", "retry", "o-1", "--reason", "mended"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("skald workflow describe o-1"));
  EXPECT_EQ(request.workflow_id(), "o-1");
  EXPECT_EQ(request.reason(), "mended");
  EXPECT_FALSE(request.request_id().empty());
}

TEST(Query, PrintsTheAnswersJson) {
  FakeService service;
  ws::QueryWorkflowRequest request;
  service.answers.query = always<ws::QueryWorkflowRequest, ws::QueryWorkflowResponse>(
      request,
      R"(query_result { payloads { metadata { key: 'encoding' value: 'json/plain' } data: '{"state":"paying"}' } })");
  const Ran ran = run_command(service, {"workflow", "query", "o-1", "--type", "status", "--input", "3"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "{\"state\":\"paying\"}\n");
  EXPECT_EQ(request.query().query_type(), "status");
  EXPECT_EQ(request.query().query_args().payloads(0).data(), "3");
  EXPECT_EQ(nlohmann::json::parse(run_command(service, {"workflow", "query", "o-1", "--type", "status", "-o", "json"})
                                      .out)["queryResult"][0]["state"],
            "paying");
}

TEST(Query, ThatTheWorkflowFailsTellsItsMessage) {
  FakeService service;
  service.answers.query = [](const auto&, auto&) {
    return error(grpc::StatusCode::INVALID_ARGUMENT, "unknown query 'x'",
                 temporal::api::errordetails::v1::QueryFailedFailure());
  };
  const Ran ran = run_command(service, {"workflow", "query", "o-1", "--type", "x"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "skald: the workflow failed the query: unknown query 'x'\n");
}

TEST(Query, ThatIsRejectedTellsTheStatus) {
  FakeService service;
  ws::QueryWorkflowRequest request;
  service.answers.query = always<ws::QueryWorkflowRequest, ws::QueryWorkflowResponse>(
      request, "query_rejected { status: WORKFLOW_EXECUTION_STATUS_TIMED_OUT }");
  const Ran ran = run_command(service, {"workflow", "query", "o-1", "--type", "x", "--reject-if", "not-open"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(request.query_reject_condition(), enums::QUERY_REJECT_CONDITION_NOT_OPEN);
  EXPECT_THAT(ran.err, HasSubstr("status is TimedOut"));
  EXPECT_THAT(ran.out, IsEmpty());
}

}  // namespace
}  // namespace skald::cli

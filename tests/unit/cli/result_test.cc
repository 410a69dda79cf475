#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using testing::HasSubstr;
using testing::IsEmpty;

class Result : public testing::Test {
 protected:
  Result() {
    service.answers.history = [this](const ws::GetWorkflowExecutionHistoryRequest& request,
                                     ws::GetWorkflowExecutionHistoryResponse& response) {
      EXPECT_TRUE(request.wait_new_event());
      EXPECT_EQ(request.history_event_filter_type(), enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
      const std::string key =
          request.next_page_token().empty() ? request.execution().run_id() : request.next_page_token();
      response = proto<ws::GetWorkflowExecutionHistoryResponse>(ends.at(key));
      return grpc::Status::OK;
    };
  }

  void ends_with(const std::string& event) { ends[""] = "history { events { event_id: 7 " + event + " } }"; }

  FakeService service;
  // Answers by run id, or by page token.
  std::map<std::string, std::string> ends;
};

constexpr char kCompleted[] =
    R"(event_type: EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED workflow_execution_completed_event_attributes {
    result { payloads { metadata { key: 'encoding' value: 'json/plain' } data: '{"outcome":"confirmed"}' } } })";

TEST_F(Result, PrintsTheResultsJson) {
  ends_with(kCompleted);
  const Ran ran = run_command(service, {"workflow", "result", "o-1"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "{\"outcome\":\"confirmed\"}\n");
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(Result, AsksAgainWhileTheWorkflowRuns) {
  ends[""] = "next_page_token: 'token-1'";
  ends["token-1"] = "next_page_token: 'token-2'";
  ends["token-2"] = std::string("history { events { ") + kCompleted + " } }";
  EXPECT_EQ(run_command(service, {"workflow", "result", "o-1"}).out, "{\"outcome\":\"confirmed\"}\n");
}

TEST_F(Result, FollowsContinuationsAndRetries) {
  ends_with(
      "event_type: EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW workflow_execution_continued_as_new_event_attributes "
      "{ new_execution_run_id: 'run-2' }");
  ends["run-2"] =
      "history { events { event_type: EVENT_TYPE_WORKFLOW_EXECUTION_FAILED workflow_execution_failed_event_attributes "
      "{ new_execution_run_id: 'run-3' } } }";
  ends["run-3"] = std::string("history { events { ") + kCompleted + " } }";
  const Ran ran = run_command(service, {"workflow", "result", "o-1", "-o", "json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["runId"], "run-3");
}

TEST_F(Result, TellsAFailureWithItsCauses) {
  ends_with(R"(event_type: EVENT_TYPE_WORKFLOW_EXECUTION_FAILED workflow_execution_failed_event_attributes { failure {
      message: 'Activity task failed' activity_failure_info { activity_type { name: 'payment.charge' } activity_id: '5' retry_state: RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED }
      cause { message: 'the bank said no' application_failure_info { type: 'CardDeclined' non_retryable: true } } } })");
  const Ran ran = run_command(service, {"workflow", "result", "o-1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_EQ(ran.err,
            "skald: workflow o-1 failed: activity payment.charge (id 5) failed: no attempts left\n"
            "  caused by CardDeclined: the bank said no (not retryable)\n");
}

TEST_F(Result, IsNotOkForAnythingButCompletion) {
  ends_with(
      "event_type: EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED workflow_execution_terminated_event_attributes { reason: "
      "'stuck' identity: 'me' }");
  const Ran terminated = run_command(service, {"workflow", "result", "o-1"});
  EXPECT_EQ(terminated.exit_code, 1);
  EXPECT_EQ(terminated.err, "skald: workflow o-1 was terminated: stuck (by me)\n");

  ends_with("event_type: EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED workflow_execution_canceled_event_attributes { }");
  const Ran canceled = run_command(service, {"workflow", "result", "o-1"});
  EXPECT_EQ(canceled.exit_code, 1);
  EXPECT_EQ(canceled.err, "skald: workflow o-1 was canceled\n");

  ends_with("event_type: EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT workflow_execution_timed_out_event_attributes { }");
  const Ran timed_out = run_command(service, {"workflow", "result", "o-1"});
  EXPECT_EQ(timed_out.exit_code, 1);
  EXPECT_THAT(timed_out.err, HasSubstr("o-1 timed out"));
}

TEST_F(Result, PrintsOneJsonDocumentForFailuresToo) {
  ends_with(
      "event_type: EVENT_TYPE_WORKFLOW_EXECUTION_FAILED workflow_execution_failed_event_attributes { failure { "
      "message: 'no' } }");
  const Ran ran = run_command(service, {"workflow", "result", "o-1", "-o", "json"});
  EXPECT_EQ(ran.exit_code, 1);
  const auto document = nlohmann::json::parse(ran.out);
  EXPECT_EQ(document["status"], "Failed");
  EXPECT_EQ(document["closeEvent"]["workflowExecutionFailedEventAttributes"]["failure"]["message"], "no");
}

TEST_F(Result, IsAskedForAgainIfTheServerIsInterrupted) {
  int calls = 0;
  service.answers.history = [&calls](const auto&, ws::GetWorkflowExecutionHistoryResponse& response) {
    if (++calls == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down");
    response = proto<ws::GetWorkflowExecutionHistoryResponse>(std::string("history { events { ") + kCompleted + " } }");
    return grpc::Status::OK;
  };
  EXPECT_EQ(run_command(service, {"workflow", "result", "o-1"}).exit_code, 0);
  EXPECT_EQ(calls, 2);
}

TEST_F(Result, ThatDoesNotComeInTimeIsToldAsSuch) {
  service.answers.history = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  };
  const Ran ran = run_command(service, {"workflow", "result", "o-1", "--timeout", "1ns"});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.err, HasSubstr("skald: the workflow has not closed within the time of --timeout"));
}

TEST_F(Result, TakesNoControlCharactersFromTheServer) {
  ends_with(
      R"(event_type: EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED workflow_execution_terminated_event_attributes { reason: 'a\033[31mb' })");
  EXPECT_EQ(run_command(service, {"workflow", "result", "o-1"}).err, "skald: workflow o-1 was terminated: a [31mb\n");
}

}  // namespace
}  // namespace skald::cli

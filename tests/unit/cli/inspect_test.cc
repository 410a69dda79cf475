#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Serves `total` executions in pages of at most three.
void serve_list(FakeService& service, int total, std::vector<ws::ListWorkflowExecutionsRequest>& requests) {
  service.answers.list = [total, &requests](const ws::ListWorkflowExecutionsRequest& request,
                                            ws::ListWorkflowExecutionsResponse& response) {
    requests.push_back(request);
    int next = request.next_page_token().empty() ? 0 : std::stoi(request.next_page_token());
    for (int i = 0; i < std::min(3, request.page_size()) && next < total; ++i, ++next) {
      auto* info = response.add_executions();
      info->mutable_execution()->set_workflow_id("order-" + std::to_string(next));
      info->set_status(enums::WORKFLOW_EXECUTION_STATUS_FAILED);
      info->mutable_type()->set_name("order");
    }
    if (next < total) response.set_next_page_token(std::to_string(next));
    return grpc::Status::OK;
  };
}

TEST(List, GoesThroughThePagesUpToTheLimit) {
  FakeService service;
  std::vector<ws::ListWorkflowExecutionsRequest> requests;
  serve_list(service, 10, requests);
  const Ran ran = run_command(service, {"workflow", "list", "-q", "WorkflowType = 'order'", "--limit", "5"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(requests.front().query(), "WorkflowType = 'order'");
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("order-0"), HasSubstr("order-4"), Not(HasSubstr("order-5")), HasSubstr("Failed")));
  EXPECT_THAT(ran.err, HasSubstr("there are more"));
}

TEST(List, OfAllIsOneJsonDocument) {
  FakeService service;
  std::vector<ws::ListWorkflowExecutionsRequest> requests;
  serve_list(service, 7, requests);
  const Ran ran = run_command(service, {"workflow", "list", "--limit", "0", "-o", "json"});
  EXPECT_EQ(nlohmann::json::parse(ran.out)["executions"].size(), 7u);
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST(Count, PrintsTheNumberOrTheGroups) {
  FakeService service;
  ws::CountWorkflowExecutionsRequest request;
  service.answers.count =
      always<ws::CountWorkflowExecutionsRequest, ws::CountWorkflowExecutionsResponse>(request, "count: 12");
  EXPECT_EQ(run_command(service, {"workflow", "count"}).out, "12\n");
  service.answers.count = always<ws::CountWorkflowExecutionsRequest, ws::CountWorkflowExecutionsResponse>(
      request,
      R"(count: 3 groups { count: 3 group_values { metadata { key: 'encoding' value: 'json/plain' } data: '"Running"' } })");
  const Ran ran = run_command(service, {"workflow", "count", "-q", "GROUP BY ExecutionStatus"});
  EXPECT_EQ(request.query(), "GROUP BY ExecutionStatus");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("\"Running\""), HasSubstr("3")));
}

constexpr char kRunning[] = R"(
  execution_config { task_queue { name: 'skald' } workflow_run_timeout { seconds: 3600 } }
  workflow_execution_info { execution { workflow_id: 'o-1' run_id: 'run-1' } type { name: 'order' } status: WORKFLOW_EXECUTION_STATUS_RUNNING
    start_time { seconds: 1700000000 } memo { fields { key: 'note' value { metadata { key: 'encoding' value: 'json/plain' } data: '"rush"' } } } }
  pending_activities { activity_id: '5' activity_type { name: 'payment.charge' } state: PENDING_ACTIVITY_STATE_STARTED attempt: 3 maximum_attempts: 5
    last_started_time { seconds: 1700000010 } last_failure { message: 'timed out' application_failure_info { type: 'Busy' } } }
  pending_children { workflow_id: 'child-1' workflow_type_name: 'refund' }
  workflow_extended_info { cancel_requested: true })";

TEST(Describe, ShowsStatusNotesAndWhatIsPending) {
  FakeService service;
  ws::DescribeWorkflowExecutionRequest request;
  service.answers.describe =
      always<ws::DescribeWorkflowExecutionRequest, ws::DescribeWorkflowExecutionResponse>(request, kRunning);
  const Ran ran = run_command(service, {"workflow", "describe", "o-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.execution().workflow_id(), "o-1");
  for (const char* part : {"Running, its cancellation was requested", "run 1h", "2023-11-14T22:13:20.000Z", "note",
                           "\"rush\"", "payment.charge", "3 of 5", "Busy: timed out", "child-1"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

TEST(Describe, TellsTheSignalsThatWereDropped) {
  FakeService service;
  ws::DescribeWorkflowExecutionRequest request;
  ws::GetWorkflowExecutionHistoryReverseRequest asked;
  service.answers.describe =
      always<ws::DescribeWorkflowExecutionRequest, ws::DescribeWorkflowExecutionResponse>(request, kRunning);
  service.answers.history_reverse =
      always<ws::GetWorkflowExecutionHistoryReverseRequest, ws::GetWorkflowExecutionHistoryReverseResponse>(
          asked,
          "history { events { event_type: EVENT_TYPE_MARKER_RECORDED marker_recorded_event_attributes { marker_name: "
          "'skald.dropped_signals' details { key: 'event_id' value { payloads { data: '5' } } } details { key: "
          "'signal' value { payloads { data: '\"cancel\"' } } } details { key: 'reason' value { payloads { data: "
          "'\"nested too deep\"' } } } } } }");
  const Ran ran = run_command(service, {"workflow", "describe", "o-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(asked.execution().run_id(), "run-1");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Dropped signals: 1"), HasSubstr("cancel"), HasSubstr("nested too deep")));
}

TEST(Describe, OfAClosedRunTellsItsOutcome) {
  FakeService service;
  ws::DescribeWorkflowExecutionRequest described;
  ws::GetWorkflowExecutionHistoryRequest asked;
  service.answers.describe = always<ws::DescribeWorkflowExecutionRequest, ws::DescribeWorkflowExecutionResponse>(
      described,
      "workflow_execution_info { execution { workflow_id: 'o-1' run_id: 'run-1' } status: "
      "WORKFLOW_EXECUTION_STATUS_FAILED close_time { seconds: 5 } }");
  service.answers.history = always<ws::GetWorkflowExecutionHistoryRequest, ws::GetWorkflowExecutionHistoryResponse>(
      asked,
      "history { events { event_type: EVENT_TYPE_WORKFLOW_EXECUTION_FAILED workflow_execution_failed_event_attributes "
      "{ failure { message: 'no stock' } } } }");
  const Ran ran = run_command(service, {"workflow", "describe", "o-1"});
  EXPECT_EQ(asked.execution().run_id(), "run-1");
  EXPECT_FALSE(asked.wait_new_event());
  EXPECT_THAT(ran.out, AllOf(HasSubstr("no stock"), HasSubstr("skald workflow trace o-1 --run-id run-1")));
}

TEST(Describe, DecodesPayloadsInJson) {
  FakeService service;
  ws::DescribeWorkflowExecutionRequest request;
  service.answers.describe =
      always<ws::DescribeWorkflowExecutionRequest, ws::DescribeWorkflowExecutionResponse>(request, kRunning);
  const auto document = nlohmann::json::parse(run_command(service, {"workflow", "describe", "o-1", "-o", "json"}).out);
  EXPECT_EQ(document["workflowExecutionInfo"]["memo"]["fields"]["note"], "rush");
}

// A history of three events in pages of one.
void serve_history(FakeService& service, std::vector<ws::GetWorkflowExecutionHistoryRequest>& requests) {
  service.answers.history = [&requests](const ws::GetWorkflowExecutionHistoryRequest& request,
                                        ws::GetWorkflowExecutionHistoryResponse& response) {
    requests.push_back(request);
    static const std::vector<std::string> pages = {
        R"(history { events { event_id: 1 event_type: EVENT_TYPE_WORKFLOW_EXECUTION_STARTED workflow_execution_started_event_attributes {
             workflow_type { name: 'order' } input { payloads { metadata { key: 'encoding' value: 'json/plain' } data: '{"n":1}' } } } } } next_page_token: '1')",
        R"(history { events { event_id: 2 event_type: EVENT_TYPE_ACTIVITY_TASK_SCHEDULED activity_task_scheduled_event_attributes {
             activity_id: 'a-5' activity_type { name: 'pay' } } } } next_page_token: '2')",
        "history { events { event_id: 3 event_type: EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED "
        "workflow_execution_terminated_event_attributes { reason: 'enough' } } }"};
    response = proto<ws::GetWorkflowExecutionHistoryResponse>(
        pages.at(request.next_page_token().empty() ? 0 : std::stoul(request.next_page_token())));
    return grpc::Status::OK;
  };
}

TEST(Show, ListsEveryEventOfEveryPage) {
  FakeService service;
  std::vector<ws::GetWorkflowExecutionHistoryRequest> requests;
  serve_history(service, requests);
  const Ran ran = run_command(service, {"workflow", "show", "o-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("WorkflowExecutionStarted            order {\"n\":1}"),
                             HasSubstr("ActivityTaskScheduled               pay (id a-5)"),
                             HasSubstr("WorkflowExecutionTerminated         enough")));
  EXPECT_FALSE(requests.front().wait_new_event());
}

TEST(Show, FollowsByLongPoll) {
  FakeService service;
  std::vector<ws::GetWorkflowExecutionHistoryRequest> requests;
  serve_history(service, requests);
  EXPECT_EQ(run_command(service, {"workflow", "show", "o-1", "--follow"}).exit_code, 0);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_TRUE(requests.back().wait_new_event());
}

TEST(Show, GivesPayloadsDecodedOrRawInJson) {
  FakeService service;
  std::vector<ws::GetWorkflowExecutionHistoryRequest> requests;
  serve_history(service, requests);
  const auto decoded = nlohmann::json::parse(run_command(service, {"workflow", "show", "o-1", "-o", "json"}).out);
  ASSERT_EQ(decoded["events"].size(), 3u);
  EXPECT_EQ(decoded["events"][0]["workflowExecutionStartedEventAttributes"]["input"][0]["n"], 1);
  const auto raw =
      nlohmann::json::parse(run_command(service, {"workflow", "show", "o-1", "-o", "json", "--raw-payloads"}).out);
  EXPECT_EQ(raw["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]["data"],
            "eyJuIjoxfQ==");
}

}  // namespace
}  // namespace skald::cli

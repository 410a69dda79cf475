#include <filesystem>
#include <fstream>

#include "temporal/api/errordetails/v1/message.pb.h"
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using testing::HasSubstr;
using testing::IsEmpty;

class Start : public testing::Test {
 protected:
  Start() {
    service.answers.start = always<ws::StartWorkflowExecutionRequest, ws::StartWorkflowExecutionResponse>(
        request, "run_id: 'run-1' started: true");
  }

  FakeService service;
  ws::StartWorkflowExecutionRequest request;
};

TEST_F(Start, SendsTypeQueueIdAndJsonInputs) {
  const Ran ran = run_command(
      service, {"workflow", "start", "--type", "order", "--id", "o-1", "--input", R"({"n": 1})", "--input", "[1,2]"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.namespace_(), "default");
  EXPECT_EQ(request.workflow_type().name(), "order");
  EXPECT_EQ(request.workflow_id(), "o-1");
  EXPECT_EQ(request.task_queue().name(), "skald");
  ASSERT_EQ(request.input().payloads_size(), 2);
  EXPECT_EQ(request.input().payloads(0).data(), R"({"n": 1})");
  EXPECT_EQ(request.input().payloads(1).data(), "[1,2]");
  EXPECT_EQ(request.input().payloads(1).metadata().at("encoding"), "json/plain");
  EXPECT_THAT(ran.out, HasSubstr("o-1"));
  EXPECT_THAT(ran.out, HasSubstr("run-1"));
}

TEST_F(Start, MakesAnIdAndARequestIdOfItsOwn) {
  ASSERT_EQ(run_command(service, {"workflow", "start", "--type", "order"}).exit_code, 0);
  const std::string first = request.workflow_id();
  EXPECT_EQ(first.size(), 36u);
  EXPECT_EQ(request.request_id().size(), 36u);
  ASSERT_EQ(run_command(service, {"workflow", "start", "--type", "order"}).exit_code, 0);
  EXPECT_NE(request.workflow_id(), first);
}

TEST_F(Start, SendsPoliciesAndDurationsAsTyped) {
  const Ran ran =
      run_command(service, {"workflow", "start", "--type", "order", "--id-reuse-policy", "reject-duplicate",
                            "--id-conflict-policy", "terminate-existing", "--run-timeout", "1h30m",
                            "--execution-timeout", "2d", "--task-timeout", "30s", "--cron", "0 3 * * *", "-n", "shop"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.namespace_(), "shop");
  EXPECT_EQ(request.workflow_id_reuse_policy(), enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  EXPECT_EQ(request.workflow_id_conflict_policy(), enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
  EXPECT_EQ(request.workflow_run_timeout().seconds(), 5'400);
  EXPECT_EQ(request.workflow_execution_timeout().seconds(), 172'800);
  EXPECT_EQ(request.workflow_task_timeout().seconds(), 30);
  EXPECT_EQ(request.cron_schedule(), "0 3 * * *");
}

TEST_F(Start, SendsMemoAndSearchAttributes) {
  const Ran ran = run_command(
      service, {"workflow", "start", "--type", "order", "--memo", R"(note="a=b")", "--search-attribute", "Amount=12"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(request.memo().fields().at("note").data(), R"("a=b")");
  EXPECT_EQ(request.search_attributes().indexed_fields().at("Amount").data(), "12");
}

TEST_F(Start, ReadsTheInputFromAFile) {
  const auto file = std::filesystem::path(testing::TempDir()) / "skald-cli-start-input.json";
  std::ofstream(file) << R"({"from": "file"})";
  ASSERT_EQ(run_command(service, {"workflow", "start", "--type", "order", "--input-file", file.string()}).exit_code, 0);
  std::filesystem::remove(file);
  EXPECT_EQ(request.input().payloads(0).data(), R"({"from": "file"})");
}

TEST_F(Start, NamesThePlaceOfAMistakeInJson) {
  const Ran ran = run_command(
      service, {"workflow", "start", "--type", "order", "--input", "1", "--input", "{\"a\": 1,\n \"b\": }"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("skald: --input number 2: not JSON, line 2, column 7"));
  EXPECT_THAT(request.workflow_id(), IsEmpty()) << "nothing may be sent";
}

TEST_F(Start, RefusesAMemoWithoutAName) {
  const Ran ran = run_command(service, {"workflow", "start", "--type", "order", "--memo", "12"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("skald: --memo 12: write name=JSON"));
}

TEST_F(Start, PrintsOneJsonDocumentWithTheId) {
  const Ran ran = run_command(service, {"workflow", "start", "--type", "order", "--id", "o-1", "-o", "json"});
  const auto document = nlohmann::json::parse(ran.out);
  EXPECT_EQ(document["workflowId"], "o-1");
  EXPECT_EQ(document["runId"], "run-1");
}

TEST_F(Start, TellsOfAWorkflowThatRunsAlready) {
  service.answers.start = [](const auto&, auto&) {
    return error(grpc::StatusCode::ALREADY_EXISTS, "Workflow execution is already running.",
                 proto<temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure>("run_id: 'run-0'"));
  };
  const Ran ran = run_command(service, {"workflow", "start", "--type", "order", "--id", "o-1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("skald: Workflow execution is already running (run run-0); take another --id"));
}

TEST_F(Start, WaitsForTheResultIfAsked) {
  service.answers.history = [](const ws::GetWorkflowExecutionHistoryRequest& asked,
                               ws::GetWorkflowExecutionHistoryResponse& answer) {
    EXPECT_EQ(asked.execution().run_id(), "run-1");
    answer = proto<ws::GetWorkflowExecutionHistoryResponse>(R"(
        history { events { event_id: 9 event_type: EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED workflow_execution_completed_event_attributes {
            result { payloads { metadata { key: 'encoding' value: 'json/plain' } data: '{"ok":true}' } } } } })");
    return grpc::Status::OK;
  };
  const Ran ran = run_command(service, {"workflow", "start", "--type", "order", "--id", "o-1", "--wait"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "{\"ok\":true}\n");
}

}  // namespace
}  // namespace skald::cli

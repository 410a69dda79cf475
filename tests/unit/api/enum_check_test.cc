#include "engine/api/enum_check.h"

#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skald::api {
namespace {

namespace enums = temporal::api::enums::v1;
namespace wire = temporal::api::workflowservice::v1;

template <typename Request>
std::string refusal(const Request& request) {
  const absl::Status status = EnumCheck(*Request::descriptor()).check(request);
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(EnumCheck, LetsARequestPassWhoseEnumsAreKnown) {
  wire::StartWorkflowExecutionRequest request;
  EXPECT_EQ(refusal(request), "");
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  request.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  EXPECT_EQ(refusal(request), "");
}

TEST(EnumCheck, NamesTheFieldAndItsNumber) {
  wire::GetWorkflowExecutionHistoryRequest request;
  request.set_history_event_filter_type(static_cast<enums::HistoryEventFilterType>(99));
  EXPECT_EQ(refusal(request), "Invalid history_event_filter_type: 99 is no HistoryEventFilterType.");
}

TEST(EnumCheck, NamesAFieldWithinAMessageByItsPath) {
  wire::PollWorkflowTaskQueueRequest request;
  request.mutable_task_queue()->set_kind(static_cast<enums::TaskQueueKind>(77));
  EXPECT_EQ(refusal(request), "Invalid task_queue.kind: 77 is no TaskQueueKind.");
}

TEST(EnumCheck, RefusesNegativeNumbers) {
  wire::StartWorkflowExecutionRequest request;
  request.set_workflow_id_conflict_policy(static_cast<enums::WorkflowIdConflictPolicy>(-1));
  EXPECT_EQ(refusal(request), "Invalid workflow_id_conflict_policy: -1 is no WorkflowIdConflictPolicy.");
}

TEST(EnumCheck, LooksIntoMaps) {
  wire::RespondWorkflowTaskCompletedRequest request;
  (*request.mutable_query_results())["b"].set_result_type(static_cast<enums::QueryResultType>(9));
  (*request.mutable_query_results())["a"].set_result_type(static_cast<enums::QueryResultType>(8));
  EXPECT_EQ(refusal(request), "Invalid query_results.result_type: 8 is no QueryResultType.");
}

TEST(EnumCheck, LooksAtTheValuesOfMaps) {
  temporal::api::operatorservice::v1::AddSearchAttributesRequest request;
  (*request.mutable_search_attributes())["City"] = static_cast<enums::IndexedValueType>(99);
  EXPECT_EQ(refusal(request), "Invalid search_attributes: 99 is no IndexedValueType.");
}

TEST(EnumCheck, LooksAtEveryElementOfAList) {
  wire::DescribeTaskQueueRequest request;
  request.add_task_queue_types(enums::TASK_QUEUE_TYPE_WORKFLOW);
  request.add_task_queue_types(static_cast<enums::TaskQueueType>(55));
  EXPECT_EQ(refusal(request), "Invalid task_queue_types: 55 is no TaskQueueType.");
}

TEST(EnumCheck, LetsACausePassThatANewerWorkerKnows) {
  wire::RespondWorkflowTaskFailedRequest request;
  request.set_cause(static_cast<enums::WorkflowTaskFailedCause>(9'999));
  EXPECT_EQ(refusal(request), "");
}

TEST(EnumCheck, LeavesCommandsAndFailuresToThoseWhoReadThem) {
  wire::RespondWorkflowTaskCompletedRequest completed;
  completed.add_commands()->set_command_type(static_cast<enums::CommandType>(99));
  EXPECT_EQ(refusal(completed), "");
  wire::RespondActivityTaskFailedRequest failed;
  failed.mutable_failure()->mutable_timeout_failure_info()->set_timeout_type(static_cast<enums::TimeoutType>(99));
  EXPECT_EQ(refusal(failed), "");
}

}  // namespace
}  // namespace skald::api

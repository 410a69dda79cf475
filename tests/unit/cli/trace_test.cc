#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "cli/trace_text.h"
#include "tests/unit/cli/fake_service.h"

namespace skald::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A run that starts at second 1000, as the texts of its events.
class TraceCommand : public testing::Test {
 protected:
  TraceCommand() {
    event("STARTED", 0,
          "workflow_execution_started_event_attributes { workflow_type { name: 'order' } input { " +
              json("{\"id\":1}") + " } }",
          "WORKFLOW_EXECUTION_");
    service.answers.describe = [this](const ws::DescribeWorkflowExecutionRequest& request,
                                      ws::DescribeWorkflowExecutionResponse& response) {
      response = proto<ws::DescribeWorkflowExecutionResponse>(descriptions.at(request.execution().workflow_id()));
      return grpc::Status::OK;
    };
    service.answers.history = [this](const ws::GetWorkflowExecutionHistoryRequest& request,
                                     ws::GetWorkflowExecutionHistoryResponse& response) {
      response = proto<ws::GetWorkflowExecutionHistoryResponse>("history { " +
                                                                histories.at(request.execution().workflow_id()) + " }");
      return grpc::Status::OK;
    };
    describe("o-1", "");
  }

  static std::string json(const std::string& value) {
    return "payloads { metadata { key: 'encoding' value: 'json/plain' } data: '" + value + "' }";
  }

  // Adds an event `second` seconds after the start; ids count from 1.
  void event(const std::string& type, int second, const std::string& attributes, const std::string& prefix = "") {
    histories["o-1"] += "events { event_id: " + std::to_string(++last_id) +
                        " event_time { seconds: " + std::to_string(1'000 + second) + " } event_type: EVENT_TYPE_" +
                        prefix + type + " " + attributes + " } ";
  }

  void describe(const std::string& id, const std::string& more) {
    descriptions[id] =
        "execution_config { task_queue { name: 'skald' } } workflow_execution_info { execution { workflow_id: '" + id +
        "' run_id: 'run-of-" + id +
        "' } type { name: 'order' } status: WORKFLOW_EXECUTION_STATUS_RUNNING start_time { seconds: 1000 } } " + more;
  }

  FakeService service;
  std::map<std::string, std::string> descriptions, histories;
  int last_id = 0;
};

TEST_F(TraceCommand, TellsAnActivityFromScheduleToEnd) {
  event("SCHEDULED", 1,
        "activity_task_scheduled_event_attributes { activity_id: 'a' activity_type { name: 'pay' } input { " +
            json("{\"eur\":5}") + " } }",
        "ACTIVITY_TASK_");
  event("STARTED", 5,
        "activity_task_started_event_attributes { scheduled_event_id: 2 attempt: 3 last_failure { message: 'busy' } }",
        "ACTIVITY_TASK_");
  event("COMPLETED", 7,
        "activity_task_completed_event_attributes { scheduled_event_id: 2 result { " + json("\"receipt\"") + " } }",
        "ACTIVITY_TASK_");
  event("COMPLETED", 8, "workflow_execution_completed_event_attributes { result { " + json("{\"ok\":true}") + " } }",
        "WORKFLOW_EXECUTION_");
  const Ran ran = run_command(service, {"workflow", "trace", "o-1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  for (const char* part : {"order o-1: ", "run run-of-o-1", "input {\"id\":1}", "+1s  activity pay (a)",
                           "completed after 6s, on attempt 3, which ran 2s", "{\"eur\":5}", "last failure busy",
                           "\"receipt\"", "+8s  Completed: {\"ok\":true}"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

TEST_F(TraceCommand, TellsFailuresWithTheirCauses) {
  event("SCHEDULED", 1, "activity_task_scheduled_event_attributes { activity_id: 'a' activity_type { name: 'pay' } }",
        "ACTIVITY_TASK_");
  event("FAILED", 2,
        "activity_task_failed_event_attributes { scheduled_event_id: 2 retry_state: RETRY_STATE_NON_RETRYABLE_FAILURE "
        "failure { message: 'no' cause { message: 'card' } } }",
        "ACTIVITY_TASK_");
  event("FAILED", 2,
        "workflow_task_failed_event_attributes { cause: WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR failure { "
        "message: 'line 7' } }",
        "WORKFLOW_TASK_");
  const Ran ran = run_command(service, {"workflow", "trace", "o-1"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("failed (not retryable) after 1s"), HasSubstr("caused by card"),
                             HasSubstr("workflow task failed\n"), HasSubstr("non deterministic error: line 7")));
}

TEST_F(TraceCommand, TellsSignalsThatCouldNotBeRead) {
  event("RECORDED", 1,
        "marker_recorded_event_attributes { marker_name: 'skald.dropped_signals' details { key: 'event_id' value { " +
            json("5") + json("7") + " } } details { key: 'signal' value { " + json("\"cancel\"") + json("\"pay\"") +
            " } } details { key: 'reason' value { " + json("\"not JSON\"") + json("\"too deep\"") + " } } }",
        "MARKER_");
  const Ran ran = run_command(service, {"workflow", "trace", "o-1"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("signal dropped cancel"), HasSubstr("of event 5, it could not be read: not JSON"),
                             HasSubstr("signal dropped pay"), HasSubstr("of event 7, it could not be read: too deep")));
}

TEST_F(TraceCommand, TellsTimersSignalsAndCancellation) {
  event("STARTED", 1, "timer_started_event_attributes { timer_id: 't' start_to_fire_timeout { seconds: 60 } }",
        "TIMER_");
  event("SIGNALED", 2,
        "workflow_execution_signaled_event_attributes { signal_name: 'hurry' input { " + json("1") + " } }",
        "WORKFLOW_EXECUTION_");
  event("CANCELED", 3, "timer_canceled_event_attributes { timer_id: 't' started_event_id: 2 }", "TIMER_");
  event("CANCEL_REQUESTED", 4, "workflow_execution_cancel_requested_event_attributes { cause: 'late' }",
        "WORKFLOW_EXECUTION_");
  const Ran ran = run_command(service, {"workflow", "trace", "o-1"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("timer 1m (t)"), HasSubstr("canceled after 2s"), HasSubstr("+2s  signal hurry"),
                             HasSubstr("+4s  cancellation requested")));
}

TEST_F(TraceCommand, TellsTheChildrensStoriesIfAsked) {
  event("INITIATED", 1,
        "start_child_workflow_execution_initiated_event_attributes { workflow_id: 'c-1' workflow_type { name: 'refund' "
        "} }",
        "START_CHILD_WORKFLOW_EXECUTION_");
  event("STARTED", 2,
        "child_workflow_execution_started_event_attributes { initiated_event_id: 2 workflow_execution { workflow_id: "
        "'c-1' run_id: 'run-c' } }",
        "CHILD_WORKFLOW_EXECUTION_");
  describe("c-1", "");
  histories["c-1"] =
      "events { event_id: 1 event_time { seconds: 1002 } event_type: EVENT_TYPE_WORKFLOW_EXECUTION_STARTED "
      "workflow_execution_started_event_attributes { } } "
      "events { event_id: 2 event_time { seconds: 1003 } event_type: EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED "
      "workflow_execution_signaled_event_attributes { signal_name: 'inner' } }";
  EXPECT_THAT(run_command(service, {"workflow", "trace", "o-1"}).out,
              AllOf(HasSubstr("child refund (c-1)"), HasSubstr("pending"), Not(HasSubstr("inner"))));
  EXPECT_THAT(run_command(service, {"workflow", "trace", "o-1", "--children"}).out, HasSubstr("    order c-1: "));
  EXPECT_THAT(run_command(service, {"workflow", "trace", "o-1", "--children"}).out, HasSubstr("signal inner"));
}

TEST_F(TraceCommand, TellsWhatAnOpenRunWaitsFor) {
  describe("o-1",
           "pending_activities { activity_id: 'a' activity_type { name: 'pay' } state: PENDING_ACTIVITY_STATE_STARTED "
           "attempt: 2 last_failure { message: 'busy' } }");
  EXPECT_THAT(
      run_command(service, {"workflow", "trace", "o-1"}).out,
      AllOf(HasSubstr("It waits for"), HasSubstr("activity pay (a): attempt 2"), HasSubstr("last failure: busy")));
}

TEST_F(TraceCommand, SaysOfAClosedRunWhatItDidNotAwait) {
  event("SCHEDULED", 1, "activity_task_scheduled_event_attributes { activity_id: 'a' activity_type { name: 'pay' } }",
        "ACTIVITY_TASK_");
  event("CANCEL_REQUESTED", 2, "activity_task_cancel_requested_event_attributes { scheduled_event_id: 2 }",
        "ACTIVITY_TASK_");
  EXPECT_THAT(run_command(service, {"workflow", "trace", "o-1"}).out, HasSubstr("pending, cancellation requested\n"));
  event("CANCELED", 3, "workflow_execution_canceled_event_attributes { }", "WORKFLOW_EXECUTION_");
  EXPECT_THAT(run_command(service, {"workflow", "trace", "o-1"}).out,
              AllOf(HasSubstr("  cancellation requested, not awaited\n"), Not(HasSubstr("pending"))));
}

TEST_F(TraceCommand, GivesDescriptionAndEventsInJson) {
  const auto document = nlohmann::json::parse(run_command(service, {"workflow", "trace", "o-1", "-o", "json"}).out);
  EXPECT_EQ(document["description"]["workflowExecutionInfo"]["execution"]["workflowId"], "o-1");
  EXPECT_EQ(document["events"][0]["workflowExecutionStartedEventAttributes"]["input"][0]["id"], 1);
}

std::vector<std::string> waits_at_2000(const std::string& description) {
  return waits({}, proto<ws::DescribeWorkflowExecutionResponse>(description), absl::FromUnixSeconds(2'000));
}

TEST(Waits, NameTheWorkerThatIsMissing) {
  EXPECT_THAT(
      waits_at_2000("execution_config { task_queue { name: 'q' } } workflow_execution_info { type { name: 'order' } } "
                    "pending_workflow_task { state: "
                    "PENDING_WORKFLOW_TASK_STATE_SCHEDULED attempt: 1 scheduled_time { seconds: 1990 } }"),
      ElementsAre("workflow task: it has waited 10s for a worker; does one that knows order poll task queue q?"));
  EXPECT_THAT(waits_at_2000("pending_workflow_task { state: PENDING_WORKFLOW_TASK_STATE_SCHEDULED attempt: 4 "
                            "scheduled_time { seconds: 1990 } }"),
              ElementsAre(StartsWith("workflow task: attempt 4, its worker keeps failing it")));
}

TEST(Waits, TellWhenTheNextAttemptBegins) {
  EXPECT_THAT(waits_at_2000("pending_activities { activity_id: 'a' activity_type { name: 'pay' } state: "
                            "PENDING_ACTIVITY_STATE_SCHEDULED attempt: 3 maximum_attempts: 5 "
                            "next_attempt_schedule_time { seconds: 2008 } }"),
              ElementsAre("activity pay (a): attempt 3 of 5 begins in 8s"));
  EXPECT_THAT(waits_at_2000("pending_activities { activity_id: 'a' activity_type { name: 'pay' } state: "
                            "PENDING_ACTIVITY_STATE_SCHEDULED attempt: 1 scheduled_time { seconds: 1940 } }"),
              ElementsAre("activity pay (a): attempt 1 has waited 1m for a worker that offers it"));
}

TEST(Waits, SayThatOnlyASignalCanMoveTheRun) {
  EXPECT_THAT(waits_at_2000(""), ElementsAre("nothing is scheduled: it waits for a signal or an update"));
}

}  // namespace
}  // namespace skald::cli

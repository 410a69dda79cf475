#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

// A state that does not agree with itself.
class CheckState : public SampleStore {
 protected:
  void expect(const std::string& workflow, const std::function<void(RunState&)>& change, const std::string& sentence) {
    change_state(workflow, change);
    EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr(sentence)));
  }
};

TEST_F(CheckState, AStatusIsOneOfTheApis) {
  expect(
      "order-2", [](RunState& state) { state.set_status(static_cast<core::enums::WorkflowExecutionStatus>(99)); },
      "its state has status 99, which there is not");
}

TEST_F(CheckState, ARunHasAStart) {
  expect(
      "order-1", [](RunState& state) { state.clear_start_time(); }, "its state has no start time");
}

TEST_F(CheckState, ARunHasEvents) {
  expect(
      "order-1", [](RunState& state) { state.set_next_event_id(1); }, "its state knows of no event");
}

TEST_F(CheckState, AnOpenRunHasNotClosed) {
  expect(
      "order-1", [](RunState& state) { *state.mutable_close_time() = state.start_time(); },
      "its state is open and has a close time");
}

TEST_F(CheckState, AClosedRunHasACloseTime) {
  expect(
      "order-2", [](RunState& state) { state.clear_close_time(); }, "its state is closed and has no close time");
}

TEST_F(CheckState, AClosedRunIsDeletedSomeDay) {
  expect(
      "order-2", [](RunState& state) { state.clear_delete_time(); }, "its state is closed and has no time of deletion");
}

TEST_F(CheckState, NothingOfAClosedRunWaits) {
  expect(
      "order-2", [this](RunState& state) { *state.mutable_timers() = open_.timers(); },
      "its state is closed and still has tasks, timers or events that wait");
}

TEST_F(CheckState, ATimerWasStartedAndFiresSomeTime) {
  expect(
      "order-1", [](RunState& state) { (*state.mutable_timers())["patience"].clear_fire_time(); },
      "its timer patience of event");
}

TEST_F(CheckState, ATimerStandsUnderItsId) {
  expect(
      "order-1", [](RunState& state) { (*state.mutable_timers())["patience"].set_timer_id("other"); },
      "its timer patience of event");
}

TEST_F(CheckState, AnActivityHasAnAttempt) {
  expect(
      "order-1", [](RunState& state) { state.mutable_activities()->begin()->second.set_attempt(0); },
      "its pending activity pay of event");
}

TEST_F(CheckState, AChildWasAskedForByAnEvent) {
  expect(
      "order-1", [](RunState& state) { state.mutable_children()->begin()->second.set_initiated_event_id(3); },
      "its pending child shipment-1 of event");
}

TEST_F(CheckState, AMessageToAnotherWorkflowWasAskedForByAnEvent) {
  expect(
      "order-1", [](RunState& state) { state.mutable_external_signals()->begin()->second.set_initiated_event_id(77); },
      "its pending message to workflow stock-1 of event");
}

TEST_F(CheckState, ATaskWasScheduledByAnEvent) {
  expect(
      "order-1",
      [](RunState& state) {
        state.mutable_workflow_task()->set_attempt(1);
        state.mutable_workflow_task()->set_scheduled_event_id(99);
      },
      "its workflow task was scheduled by event 99, attempt 1, which there is not");
}

TEST_F(CheckState, ATaskStartsAfterItWasScheduled) {
  expect(
      "order-1",
      [](RunState& state) {
        state.mutable_workflow_task()->set_attempt(1);
        state.mutable_workflow_task()->set_scheduled_event_id(2);
        state.mutable_workflow_task()->set_started_event_id(2);
      },
      "its workflow task started before it was scheduled");
}

}  // namespace
}  // namespace skald::upkeep

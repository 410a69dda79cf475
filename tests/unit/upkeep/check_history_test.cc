#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

class CheckHistory : public SampleStore {
 protected:
  void expect(const std::string& sentence) { EXPECT_THAT(sentences(Table::kHistory), Contains(HasSubstr(sentence))); }

  std::string of_open() const { return absl::StrCat(" WHERE run_id = '", open_.run_id(), "'"); }

  // Writes the events of the open run's second chunk anew.
  void change_events(const std::function<void(History&)>& change) {
    History history;
    for (size_t i = 2; i < open_events_.size(); ++i) *history.add_events() = open_events_[i];
    change(history);
    sql(absl::StrCat("UPDATE history SET events = ", blob(core::encode(history)), of_open(),
                     " AND first_event_id = 3"));
  }

  void insert(const std::string& run, int64_t first, int64_t last, const std::string& bytes) {
    sql(absl::StrCat("INSERT INTO history (run_id, first_event_id, last_event_id, events) VALUES ('", run, "', ", first,
                     ", ", last, ", ", blob(bytes), ")"));
  }
};

TEST_F(CheckHistory, BeginsWithTheFirstEvent) {
  sql("DELETE FROM history" + of_open() + " AND first_event_id = 1");
  expect("workflow order-1, run " + open_.run_id() + ": its history lacks events 1 to 2; restore the store");
}

TEST_F(CheckHistory, EndsWithTheLastEventThatTheStateKnows) {
  sql("DELETE FROM history" + of_open() + " AND first_event_id = 3");
  expect(absl::StrCat("its history lacks events 3 to ", open_.next_event_id() - 1));
}

TEST_F(CheckHistory, DoesNotGoOnBehindTheState) {
  History more;
  auto* event = more.add_events();
  event->set_event_id(open_.next_event_id());
  event->set_event_type(core::enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  *event->mutable_event_time() = open_.last_event_time();
  insert(open_.run_id(), event->event_id(), event->event_id(), core::encode(more));
  expect(absl::StrCat("its history goes on to event ", open_.next_event_id(), ", and its state knows of ",
                      open_.next_event_id() - 1));
}

TEST_F(CheckHistory, HasNoEventTwice) {
  insert(open_.run_id(), 2, 2, "");
  expect("its history has event 2 twice");
}

TEST_F(CheckHistory, EveryChunkCanBeRead) {
  sql("UPDATE history SET events = X'ff'" + of_open() + " AND first_event_id = 1");
  expect("its events 1 to 2 cannot be read");
}

TEST_F(CheckHistory, AChunkHoldsTheEventsThatItsRowSays) {
  sql("UPDATE history SET last_event_id = last_event_id + 1" + of_open() + " AND first_event_id = 3");
  expect("the row of its events 3 to");
}

TEST_F(CheckHistory, AChunkEndsAfterItBegins) {
  sql("UPDATE history SET last_event_id = 0" + of_open() + " AND first_event_id = 1");
  expect("its history ends before it begins at event 1");
}

TEST_F(CheckHistory, EventsHaveTheIdsOfTheirPlaces) {
  change_events([](History& history) { history.mutable_events(1)->set_event_id(44); });
  expect("where event 4 should be stands 44");
}

TEST_F(CheckHistory, TimeDoesNotRunBackwards) {
  change_events([](History& history) { history.mutable_events(1)->mutable_event_time()->set_seconds(5); });
  expect("event 4 happened before the one before");
}

TEST_F(CheckHistory, BeginsWithTheStartOfItsType) {
  change_state("order-1", [](RunState& state) { state.set_workflow_type("refund"); });
  expect("event 1 is not the start of a refund");
}

TEST_F(CheckHistory, WhatTheStateWaitsForWasBegunByAnEvent) {
  change_state("order-1", [](RunState& state) { (*state.mutable_timers())["patience"].set_started_event_id(2); });
  expect("its state waits for what event 2 began, and that is EVENT_TYPE_WORKFLOW_TASK_SCHEDULED");
}

TEST_F(CheckHistory, AClosedRunsLastEventIsTheOneThatClosedIt) {
  change_state("order-2", [](RunState& state) { state.set_status(core::enums::WORKFLOW_EXECUTION_STATUS_FAILED); });
  expect("its state is closed, and its last event is EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED");
}

TEST_F(CheckHistory, AnOpenRunsLastEventDidNotCloseIt) {
  change_state("order-2", [](RunState& state) { state.set_status(core::enums::WORKFLOW_EXECUTION_STATUS_RUNNING); });
  expect("its state is open, and its last event is EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED");
}

TEST_F(CheckHistory, NothingHappensAfterTheClose) {
  change_events([](History& history) {
    history.mutable_events(0)->set_event_type(core::enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
  });
  expect("event 4 comes after the one that closed it");
}

TEST_F(CheckHistory, TheStateCountsItsBytes) {
  change_state("order-1", [](RunState& state) { state.set_history_size_bytes(state.history_size_bytes() + 1); });
  expect("bytes, and its state counts");
}

TEST_F(CheckHistory, BelongsToARun) {
  insert("ghost", 1, 1, "");
  expect("run ghost: it has history, and there is no such run; delete its rows");
}

}  // namespace
}  // namespace skald::upkeep

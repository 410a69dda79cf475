#include "engine/shard/query_desk.h"

#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

using core::wire::PollWorkflowTaskQueueResponse;

class QueryDeskTest : public StoreTest {
 protected:
  QueryDeskTest() {
    order_.state.set_task_queue("orders");
    order_.state.set_workflow_type("order");
    order_.state.set_last_completed_task_event_id(4);
    order_.state.set_last_started_event_id(3);
  }
  ~QueryDeskTest() override { matching_.stop(); }

  void ask(const std::string& id, absl::Duration patience = absl::Seconds(10)) {
    PendingQuery query;
    query.id = id;
    query.query.set_query_type("state of " + id);
    query.deadline = now() + patience;
    query.done = [this, id](absl::StatusOr<core::wire::QueryWorkflowResponse> response) {
      answers_.push_back(id + ": " + (response.ok() ? response->query_result().payloads(0).data()
                                                    : std::string(absl::StatusCodeToString(response.status().code())) + " " +
                                                          std::string(response.status().message())));
    };
    desk_.ask(entry_, order_, std::move(query));
  }
  static core::wire::RespondQueryTaskCompletedRequest answered(const std::string& text) {
    core::wire::RespondQueryTaskCompletedRequest answer;
    answer.set_completed_type(enums::QUERY_RESULT_TYPE_ANSWERED);
    answer.mutable_query_result()->add_payloads()->set_data(text);
    return answer;
  }
  void pend_task(int32_t attempt, bool started) {
    auto* task = order_.state.mutable_workflow_task();
    task->set_scheduled_event_id(5);
    task->set_attempt(attempt);
    task->set_started_event_id(started ? 6 : 0);
  }
  // The query ids of the tasks that wait in the queue.
  std::vector<std::string> queued(const std::string& queue) {
    std::vector<std::string> ids;
    while (matching_.backlog(key(queue)) > 0) {
      matching_.poll(key(queue), {"worker", now() + absl::Seconds(1)}, [&](std::optional<matching::TaskRef> task) {
        if (task) ids.push_back(task->query_id);
      });
    }
    return ids;
  }
  static matching::QueueKey key(const std::string& queue) { return {"ns", matching::TaskKind::kWorkflow, queue}; }

  std::unique_ptr<base::Executor> timing_ = world_.make_executor();
  matching::Matching matching_{world_.clock(), *timing_};
  core::Limits limits_;
  CommitPipeline commits_{{.clock = world_.clock(),
                           .executor = *executor_,
                           .store = store_,
                           .lease = lease_,
                           .batch_prefix = "life-",
                           .batch_rows = 100,
                           .batch_bytes = 1 << 20,
                           .visibility_row = [](const CachedRun&) { return store::VisibilityRow(); },
                           .durable = [](const auto&) {},
                           .undone = [](const auto&, const auto&, const auto&) {}}};
  RunCache cache_{{.bytes = 1 << 20, .tail_bytes = 1 << 20}, no_hooks()};
  CachedRun& order_ = new_run(cache_, "order", "order", 4);
  WorkflowEntry& entry_ = cache_.entry({"ns", "order"});
  bool serves_ = false;
  std::vector<PollWorkflowTaskQueueResponse> activated_;
  std::vector<std::string> answers_;
  QueryDesk desk_{{.clock = world_.clock(),
                   .executor = *executor_,
                   .matching = matching_,
                   .limits = limits_,
                   .commits = commits_,
                   .serves = [this](const CachedRun&) { return serves_; },
                   .activate = [this](WorkflowEntry&, CachedRun&,
                                      PollWorkflowTaskQueueResponse task) { activated_.push_back(std::move(task)); },
                   .on_run = [this](const store::RunKey&, const std::function<void(CachedRun&)>& go_on) { go_on(order_); }}};
};

TEST_F(QueryDeskTest, AQueryGetsATaskOfItsOwn) {
  ask("q1");
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
  const auto task = desk_.take_task(order_, "q1");
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->query().query_type(), "state of q1");
  EXPECT_EQ(task->workflow_execution().run_id(), "order");
  EXPECT_EQ(task->workflow_execution().workflow_id(), "order");
  EXPECT_EQ(task->workflow_type().name(), "order");
  EXPECT_EQ(task->previous_started_event_id(), 3);
  EXPECT_EQ(task->workflow_execution_task_queue().name(), "orders");
  core::state::TaskToken token;
  ASSERT_TRUE(token.ParseFromString(task->task_token()));
  EXPECT_EQ(token.query_id(), "q1");
  EXPECT_EQ(token.run_id(), "order");
  EXPECT_EQ(token.workflow_id(), "order");
  EXPECT_EQ(token.namespace_id(), "ns");
  EXPECT_EQ(desk_.take_task(order_, "q1"), std::nullopt);  // a worker has it
  EXPECT_EQ(desk_.take_task(order_, "another"), std::nullopt);
  auto query = desk_.take(order_, "q1");
  ASSERT_TRUE(query.has_value());
  desk_.answer(order_, *std::move(query), answered("paid"));
  EXPECT_THAT(answers_, ElementsAre("q1: paid"));
  EXPECT_EQ(desk_.take(order_, "q1"), std::nullopt);
}

TEST_F(QueryDeskTest, AnAnswerWaitsForWhatItRestsOn) {
  ask("q1");
  auto query = desk_.take(order_, "q1");
  commits_.write(entry_, order_);
  desk_.answer(order_, *std::move(query), answered("paid"));
  EXPECT_THAT(answers_, IsEmpty());
  world_.run_ready();
  EXPECT_THAT(answers_, ElementsAre("q1: paid"));
}

TEST_F(QueryDeskTest, AnAnswerThatRestsOnWhatWasUndoneIsNone) {
  store_.refuses = [](const store::Batch&) { return absl::UnavailableError("no"); };
  ask("q1");
  auto query = desk_.take(order_, "q1");
  commits_.write(entry_, order_);
  desk_.answer(order_, *std::move(query), answered("paid"));
  world_.run_ready();
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("q1: UNAVAILABLE")));
}

TEST_F(QueryDeskTest, AQueryIsSentWhenWhatItAsksAboutIsDurable) {
  commits_.write(entry_, order_);
  ask("q1");
  EXPECT_THAT(queued("orders"), IsEmpty());
  desk_.pump(entry_, order_);
  world_.run_ready();
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
}

TEST_F(QueryDeskTest, AFailedAnswerIsAnError) {
  ask("q1");
  core::wire::RespondQueryTaskCompletedRequest failed;
  failed.set_completed_type(enums::QUERY_RESULT_TYPE_FAILED);
  failed.set_error_message("no such query");
  desk_.answer(order_, *desk_.take(order_, "q1"), failed);
  EXPECT_THAT(answers_, ElementsAre("q1: INVALID_ARGUMENT no such query"));
  ask("q2");
  failed.clear_error_message();
  failed.mutable_failure()->set_message("it broke");
  desk_.answer(order_, *desk_.take(order_, "q2"), failed);
  EXPECT_EQ(answers_.back(), "q2: INVALID_ARGUMENT it broke");
}

TEST_F(QueryDeskTest, WhileATaskIsPendingQueriesGoAlongWithIt) {
  pend_task(1, false);
  ask("q1");
  EXPECT_THAT(queued("orders"), IsEmpty());
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  ASSERT_TRUE(task.queries().contains("q1"));
  EXPECT_EQ(task.queries().at("q1").query_type(), "state of q1");
  PollWorkflowTaskQueueResponse another;
  desk_.attach(order_, another);
  EXPECT_TRUE(another.queries().empty());

  core::wire::RespondWorkflowTaskCompletedRequest completion;
  auto& result = (*completion.mutable_query_results())["q1"];
  result.set_result_type(enums::QUERY_RESULT_TYPE_ANSWERED);
  result.mutable_answer()->add_payloads()->set_data("paid");
  desk_.take_answers(order_, completion);
  commits_.write(entry_, order_);  // the completion was applied
  desk_.release_answers(order_, /*accepted=*/true);
  EXPECT_THAT(answers_, IsEmpty());
  world_.run_ready();
  EXPECT_THAT(answers_, ElementsAre("q1: paid"));
}

TEST_F(QueryDeskTest, TheAnswersOfACompletionThatIsRefusedAreNone) {
  pend_task(1, false);
  ask("q1");
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  core::wire::RespondWorkflowTaskCompletedRequest completion;
  (*completion.mutable_query_results())["q1"].set_result_type(enums::QUERY_RESULT_TYPE_ANSWERED);
  desk_.take_answers(order_, completion);
  desk_.release_answers(order_, /*accepted=*/false);
  EXPECT_THAT(answers_, IsEmpty());
  order_.state.clear_workflow_task();
  desk_.requeue(order_);
  desk_.pump(entry_, order_);
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
}

TEST_F(QueryDeskTest, WhatATaskLeftUnansweredWaitsForAnother) {
  pend_task(1, false);
  ask("q1");
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  desk_.take_answers(order_, {});
  desk_.release_answers(order_, /*accepted=*/true);
  order_.state.clear_workflow_task();
  desk_.requeue(order_);
  desk_.pump(entry_, order_);
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
  EXPECT_THAT(answers_, IsEmpty());
}

TEST_F(QueryDeskTest, AQueryThatAWorkerHasDoesNotGoAlong) {
  ask("q1");
  ASSERT_TRUE(desk_.take_task(order_, "q1").has_value());
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  EXPECT_TRUE(task.queries().empty());
}

TEST_F(QueryDeskTest, BeforeTheFirstTaskQueriesWait) {
  order_.state.set_last_completed_task_event_id(0);
  ask("q1");
  EXPECT_THAT(queued("orders"), IsEmpty());
  order_.state.set_last_completed_task_event_id(4);
  desk_.pump(entry_, order_);
  desk_.pump(entry_, order_);
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
}

TEST_F(QueryDeskTest, AClosedRunAnswersWhateverWasPending) {
  order_.state.set_last_completed_task_event_id(0);
  pend_task(1, false);
  order_.state.set_status(enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  ask("q1");
  EXPECT_THAT(queued("orders"), ElementsAre("q1"));
}

TEST_F(QueryDeskTest, ATaskThatKeepsFailingFailsItsQueries) {
  const struct {
    int32_t attempt;
    bool started, embedded, fails;
  } cases[] = {{1, true, false, false}, {2, true, false, false}, {3, false, false, true},
               {1, true, true, false},  {2, false, true, false}, {2, true, true, true}};
  for (const auto& [attempt, started, embedded, fails] : cases) {
    answers_.clear();
    serves_ = embedded;
    pend_task(attempt, started);
    ask("q1");
    EXPECT_EQ(answers_.size(), fails ? 1U : 0U) << attempt << started << embedded;
    if (fails) {
      EXPECT_THAT(answers_[0], HasSubstr("FAILED_PRECONDITION the workflow task keeps failing"));
    }
    desk_.end(order_, absl::UnavailableError("the case is over"));
  }
}

TEST_F(QueryDeskTest, TheEmbeddedWorkerIsGivenEachQueryOnce) {
  serves_ = true;
  ask("q1");
  ask("q2");
  desk_.pump(entry_, order_);
  ASSERT_THAT(activated_, SizeIs(2));
  EXPECT_EQ(activated_[0].query().query_type(), "state of q1");
  EXPECT_EQ(activated_[1].query().query_type(), "state of q2");
  EXPECT_THAT(queued("orders"), IsEmpty());
}

TEST_F(QueryDeskTest, NothingIsSentWhileAScriptHoldsTheRun) {
  serves_ = true;
  entry_.busy = true;
  ask("q1");
  EXPECT_THAT(activated_, IsEmpty());
  entry_.busy = false;
  desk_.pump(entry_, order_);
  EXPECT_THAT(activated_, SizeIs(1));
}

TEST_F(QueryDeskTest, AStickyWorkerIsAskedFirstIfItPolls) {
  order_.state.mutable_sticky()->set_task_queue("sticky");
  ask("nobody");
  EXPECT_THAT(queued("orders"), ElementsAre("nobody"));
  matching_.poll(key("sticky"), {"worker", now()}, [](const auto&) {});
  world_.run_for(absl::Seconds(1));  // that poll has ended
  ask("sticky", absl::Minutes(1));
  EXPECT_EQ(matching_.backlog(key("sticky")), 1U);
  EXPECT_THAT(queued("orders"), IsEmpty());
  // The worker is gone: any other one may answer.
  world_.run_for(limits_.sticky_schedule_to_start_default);
  EXPECT_THAT(queued("orders"), ElementsAre("sticky"));
}

TEST_F(QueryDeskTest, WhatTheStickyWorkerHasIsNotSentToOthers) {
  order_.state.mutable_sticky()->set_task_queue("sticky");
  matching_.poll(key("sticky"), {"worker", now()}, [](const auto&) {});
  world_.run_for(absl::Seconds(1));
  ask("q1", absl::Minutes(1));
  ASSERT_TRUE(desk_.take_task(order_, "q1").has_value());
  world_.run_for(limits_.sticky_schedule_to_start_default);
  EXPECT_THAT(queued("orders"), IsEmpty());
}

TEST_F(QueryDeskTest, AQueryEndsWithItsDeadline) {
  ask("unseen", absl::Seconds(2));
  ask("taken", absl::Seconds(2));
  ask("patient", absl::Seconds(5));
  ASSERT_TRUE(desk_.take_task(order_, "taken").has_value());
  world_.run_for(absl::Milliseconds(1900));
  EXPECT_THAT(answers_, IsEmpty());
  world_.run_for(absl::Milliseconds(600));
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("unseen: DEADLINE_EXCEEDED no poller was seen on the task queue orders"),
                                    HasSubstr("taken: DEADLINE_EXCEEDED the worker has not answered")));
  EXPECT_EQ(desk_.take(order_, "taken"), std::nullopt);
  world_.run_for(absl::Seconds(10));
  EXPECT_THAT(answers_, SizeIs(3));
}

TEST_F(QueryDeskTest, AQueryThatWentAlongEndsWithItsDeadlineToo) {
  pend_task(1, false);
  ask("q1", absl::Seconds(2));
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  world_.run_for(absl::Seconds(3));
  EXPECT_THAT(answers_, SizeIs(1));
}

TEST_F(QueryDeskTest, TheEndAnswersAll) {
  ask("waiting");
  pend_task(1, false);
  ask("along");
  PollWorkflowTaskQueueResponse task;
  desk_.attach(order_, task);
  ask("pending");
  desk_.end_all(absl::UnavailableError("the end"));
  EXPECT_THAT(answers_, ::testing::UnorderedElementsAre("waiting: UNAVAILABLE the end", "along: UNAVAILABLE the end",
                                                        "pending: UNAVAILABLE the end"));
  EXPECT_THAT(order_.queries, IsEmpty());
  EXPECT_THAT(order_.task_queries, IsEmpty());
}

TEST_F(QueryDeskTest, ARunThatLeftIsNotTouchedAgain) {
  ask("q1");
  desk_.end(order_, absl::UnavailableError("gone"));
  cache_.remove_all(entry_);
  world_.run_for(absl::Minutes(1));
  desk_.end_all(absl::UnavailableError("the end"));
  EXPECT_THAT(answers_, ElementsAre("q1: UNAVAILABLE gone"));
}

}  // namespace
}  // namespace skald::shard

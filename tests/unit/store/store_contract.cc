#include "tests/unit/store/store_contract.h"

namespace skald::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(StoreContract, WhatOneBatchWritesIsReadBack) {
  Batch one = batch();
  const RunKey key = run_key("a");
  one.runs.push_back({key, 1, at(5), true, std::string("state\0bytes", 11)});
  one.current.push_back({key.workflow(), "a", 1, "request"});
  ASSERT_TRUE(commit(*store_, one).ok());
  const auto row = run(key);
  ASSERT_TRUE(row.ok() && row->has_value());
  EXPECT_EQ((*row)->state, std::string("state\0bytes", 11));
  EXPECT_EQ((*row)->wake_time, at(5));
  EXPECT_TRUE((*row)->has_work);
  const auto now = current(key.workflow());
  ASSERT_TRUE(now.ok() && now->has_value());
  EXPECT_EQ((*now)->run_id, "a");
  EXPECT_EQ((*now)->start_request_id, "request");
}

TEST_P(StoreContract, WhatIsNotThereIsNoError) {
  EXPECT_FALSE(run(run_key("none"))->has_value());
  EXPECT_FALSE(current(run_key("none").workflow())->has_value());
  EXPECT_THAT(history(run_key("none"), 1, 10, 1000), IsEmpty());
}

TEST_P(StoreContract, ABatchThatFailsWritesNothing) {
  Batch first = batch();
  first.history.push_back({run_key("a"), {1, 2, "12"}});
  ASSERT_TRUE(commit(*store_, first).ok());
  Batch second = batch();
  second.runs.push_back({run_key("a"), 1, at(0), false, "state"});
  second.history.push_back({run_key("a"), {1, 3, "again"}});
  EXPECT_EQ(commit(*store_, second).code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(run(run_key("a"))->has_value());
}

TEST_P(StoreContract, AFailingBatchTakesNoNeighbourAlong) {
  Batch first = batch();
  first.history.push_back({run_key("a"), {1, 2, "12"}});
  ASSERT_TRUE(commit(*store_, first).ok());
  std::vector<std::future<absl::Status>> outcomes;
  for (int i = 0; i < 40; ++i) {
    Batch next = batch();
    next.runs.push_back({run_key("n" + std::to_string(i)), 1, at(0), false, "state"});
    if (i % 4 == 0) next.history.push_back({run_key("a"), {1, 2, "12"}});
    auto promise = std::make_shared<std::promise<absl::Status>>();
    outcomes.push_back(promise->get_future());
    store_->commit(std::move(next), [promise](absl::Status status) { promise->set_value(std::move(status)); });
  }
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(outcomes[static_cast<size_t>(i)].get().ok(), i % 4 != 0) << i;
    EXPECT_EQ(run(run_key("n" + std::to_string(i)))->has_value(), i % 4 != 0) << i;
  }
}

TEST_P(StoreContract, ALostLeaseAborts) {
  Batch late = batch();
  late.runs.push_back({run_key("a"), 1, at(0), false, "state"});
  const auto second = store_->acquire(0, kSlots, "test:2");
  ASSERT_TRUE(second.ok());
  EXPECT_GT(second->epoch, lease_.epoch);
  EXPECT_EQ(commit(*store_, late).code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(run(run_key("a"))->has_value());
  late.lease = *second;
  EXPECT_TRUE(commit(*store_, late).ok());
}

TEST_P(StoreContract, TakingSomeSlotsEndsEveryLeaseOfThem) {
  Batch late = batch();
  late.runs.push_back({run_key("a"), 1, at(0), false, "state"});
  const auto upper = store_->acquire(kSlots / 2, kSlots, "test:2");
  ASSERT_TRUE(upper.ok());
  EXPECT_EQ(commit(*store_, late).code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(store_->acquire(0, kSlots, "test:3").ok());
  late.lease = *upper;
  EXPECT_EQ(commit(*store_, late).code(), absl::StatusCode::kAborted);
}

TEST_P(StoreContract, LeasesSideBySideDoNotDisturbEachOther) {
  const auto lower = store_->acquire(0, 10, "test:2");
  const auto upper = store_->acquire(10, 20, "test:3");
  for (const auto& lease : {lower, upper}) {
    Batch one = batch();
    one.lease = *lease;
    EXPECT_TRUE(commit(*store_, one).ok());
  }
}

TEST_P(StoreContract, TheOutcomeIsNotKnownToAnOwnerThatLostItsLease) {
  Batch one = batch();
  ASSERT_TRUE(commit(*store_, one).ok());
  ASSERT_TRUE(store_->acquire(0, kSlots, "test:2").ok());
  const auto outcome = wait_for<bool>([&](auto done) { store_->outcome_of(lease_, one.id, std::move(done)); });
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kAborted);
}

TEST_P(StoreContract, TheOutcomeOfABatchCanBeAsked) {
  Batch one = batch();
  one.runs.push_back({run_key("a"), 1, at(0), false, "state"});
  ASSERT_TRUE(commit(*store_, one).ok());
  const auto outcome = [&](const std::string& id) {
    return *wait_for<bool>([&](auto done) { store_->outcome_of(lease_, id, std::move(done)); });
  };
  EXPECT_TRUE(outcome(one.id));
  EXPECT_FALSE(outcome("never sent"));
}

TEST_P(StoreContract, HistoryIsReadByRangeAndSize) {
  Batch one = batch();
  for (int64_t first = 1; first <= 7; first += 2)
    one.history.push_back({run_key("a"), {first, first + 1, std::string(10, 'x')}});
  one.history.push_back({run_key("b"), {1, 1, "other"}});
  ASSERT_TRUE(commit(*store_, one).ok());
  EXPECT_THAT(history(run_key("a"), 1, 1'000, 1'000), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(history(run_key("a"), 4, 5, 1'000), ElementsAre(3, 5));
  EXPECT_THAT(history(run_key("a"), 1, 1'000, 15), ElementsAre(1, 3));
  EXPECT_THAT(history(run_key("a"), 3, 1'000, 1), ElementsAre(3));
  EXPECT_THAT(history_reverse(run_key("a"), 1'000, 1'000), ElementsAre(7, 5, 3, 1));
  EXPECT_THAT(history_reverse(run_key("a"), 5, 15), ElementsAre(5, 3));
}

TEST_P(StoreContract, DueRunsComeInOrderPageByPage) {
  Batch one = batch();
  for (const int64_t second : {3, 1, 2, 9})
    one.runs.push_back({run_key("w" + std::to_string(second)), 1, at(second), false, ""});
  one.runs.push_back({run_key("never"), 1, absl::InfiniteFuture(), false, ""});
  ASSERT_TRUE(commit(*store_, one).ok());
  using Due = Page<std::pair<RunKey, absl::Time>>;
  const auto due = [&](const std::string& after) {
    return *wait_for<Due>([&](auto done) { store_->scan_wake(lease_, at(5), after, 2, std::move(done)); });
  };
  const Due first = due("");
  ASSERT_EQ(first.rows.size(), 2u);
  EXPECT_EQ(first.rows[0].first, run_key("w1"));
  EXPECT_EQ(first.rows[1].second, at(2));
  Batch meanwhile = batch();
  meanwhile.runs.push_back({run_key("w1"), 1, absl::InfiniteFuture(), false, ""});
  ASSERT_TRUE(commit(*store_, meanwhile).ok());
  const Due second = due(first.next);
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_EQ(second.rows[0].first, run_key("w3"));
  EXPECT_EQ(second.next, "");
}

TEST_P(StoreContract, RunsWithWorkAreFoundOnceEach) {
  Batch one = batch();
  for (int i = 0; i < 5; ++i) one.runs.push_back({run_key(std::to_string(i)), 1, absl::InfiniteFuture(), i != 2, ""});
  ASSERT_TRUE(commit(*store_, one).ok());
  std::vector<std::string> runs;
  std::string after;
  do {
    const auto page = *wait_for<Page<RunKey>>([&](auto done) { store_->scan_work(lease_, after, 2, std::move(done)); });
    for (const RunKey& key : page.rows) runs.push_back(key.run_id);
    after = page.next;
  } while (!after.empty());
  EXPECT_THAT(runs, testing::UnorderedElementsAre("0", "1", "3", "4"));
}

TEST_P(StoreContract, AMessageIsKeptOnceUntilItIsDone) {
  Batch one = batch();
  one.outbox.push_back({"m1", run_key("a"), "first"});
  one.outbox.push_back({"m2", run_key("a"), "second"});
  ASSERT_TRUE(commit(*store_, one).ok());
  Batch again = batch();
  again.outbox.push_back({"m1", run_key("a"), "changed"});
  ASSERT_TRUE(commit(*store_, again).ok());
  const auto page = outbox("", 1);
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_EQ(page.rows[0].message, "first");
  EXPECT_EQ(page.rows[0].source, run_key("a"));
  EXPECT_EQ(outbox(page.next, 10).rows[0].id, "m2");
  Batch done = batch();
  done.outbox_done = {"m1", "unknown"};
  ASSERT_TRUE(commit(*store_, done).ok());
  EXPECT_EQ(outbox("", 10).rows.size(), 1u);
}

TEST_P(StoreContract, DeletesComeBeforeWrites) {
  Batch one = batch();
  one.outbox.push_back({"m", run_key("a"), "old"});
  one.runs.push_back({run_key("a"), 1, at(0), false, "old"});
  ASSERT_TRUE(commit(*store_, one).ok());
  Batch both = batch();
  both.outbox_done = {"m"};
  both.outbox.push_back({"m", run_key("a"), "new"});
  both.deleted_runs.push_back(run_key("a"));
  both.runs.push_back({run_key("a"), 1, at(0), false, "new"});
  ASSERT_TRUE(commit(*store_, both).ok());
  ASSERT_EQ(outbox("", 10).rows.size(), 1u);
  EXPECT_EQ(outbox("", 10).rows[0].message, "new");
  EXPECT_EQ((*run(run_key("a")))->state, "new");
}

TEST_P(StoreContract, ADeletedRunLeavesNothing) {
  Batch one = batch();
  const RunKey key = run_key("a");
  one.runs.push_back({key, 2, at(0), false, ""});
  one.current.push_back({key.workflow(), "a", 2, ""});
  one.history.push_back({key, {1, 2, "12"}});
  one.visibility.push_back(visibility_row("a", 0, 2));
  ASSERT_TRUE(commit(*store_, one).ok());
  Batch gone = batch();
  gone.deleted_runs.push_back(key);
  ASSERT_TRUE(commit(*store_, gone).ok());
  EXPECT_FALSE(run(key)->has_value());
  EXPECT_FALSE(current(key.workflow())->has_value());
  EXPECT_THAT(history(key, 1, 10, 1'000), IsEmpty());
  EXPECT_THAT(found({}), IsEmpty());
}

TEST_P(StoreContract, DeletingAnOldRunKeepsTheCurrentOne) {
  Batch one = batch();
  const WorkflowKey workflow = run_key("old").workflow();
  one.runs.push_back({run_key("old"), 2, at(0), false, ""});
  one.current.push_back({workflow, "new", 1, ""});
  ASSERT_TRUE(commit(*store_, one).ok());
  Batch gone = batch();
  gone.deleted_runs.push_back(run_key("old"));
  ASSERT_TRUE(commit(*store_, gone).ok());
  EXPECT_EQ((*current(workflow))->run_id, "new");
}

TEST_P(StoreContract, ListComesNewestFirstPageByPageWhileRunsAreAdded) {
  Batch one = batch();
  for (int i = 0; i < 5; ++i) one.visibility.push_back(visibility_row(std::to_string(i), i / 2, 1));
  ASSERT_TRUE(commit(*store_, one).ok());
  const VisibilityQuery query{"ns", {}, false};
  std::vector<std::string> runs;
  std::string token;
  do {
    const auto page =
        *wait_for<Page<VisibilityRow>>([&](auto done) { store_->list(query, 2, token, std::move(done)); });
    for (const VisibilityRow& row : page.rows) runs.push_back(row.key.run_id);
    token = page.next;
    Batch newer = batch();
    newer.visibility.push_back(visibility_row("newer" + std::to_string(batches_), 100, 1));
    ASSERT_TRUE(commit(*store_, newer).ok());
  } while (!token.empty());
  EXPECT_THAT(runs, ElementsAre("4", "2", "3", "0", "1"));
  const auto wrong =
      wait_for<Page<VisibilityRow>>([&](auto done) { store_->list(query, 2, "nonsense", std::move(done)); });
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreContract, ListTakesEveryComparison) {
  Batch one = batch();
  for (int i = 1; i <= 3; ++i) one.visibility.push_back(visibility_row(std::to_string(i), i, i));
  one.visibility[0].close_time = at(50);
  one.visibility[1].workflow_type = "Refund";
  one.visibility[2].parent_workflow_id = "parent";
  one.visibility[2].history_length = 7;
  ASSERT_TRUE(commit(*store_, one).ok());
  using enum Comparison;
  const auto nanos = [](int64_t second) { return Value(absl::ToUnixNanos(at(second))); };
  EXPECT_THAT(found({}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(found(compare(Column::kWorkflowId, kEqual, {"workflow-2"})), ElementsAre("2"));
  EXPECT_THAT(found(compare(Column::kRunId, kIn, {"1", "3", "9"})), ElementsAre("3", "1"));
  EXPECT_THAT(found(compare(Column::kWorkflowType, kNotEqual, {"Order"})), ElementsAre("2"));
  EXPECT_THAT(found(compare(Column::kWorkflowId, kStartsWith, {"workflow-"})), ElementsAre("3", "2", "1"));
  EXPECT_THAT(found(compare(Column::kTaskQueue, kStartsWith, {"%"})), IsEmpty());
  EXPECT_THAT(found(compare(Column::kStatus, kEqual, {int64_t{3}})), ElementsAre("3"));
  EXPECT_THAT(found(compare(Column::kStartTime, kLess, {nanos(2)})), ElementsAre("1"));
  EXPECT_THAT(found(compare(Column::kStartTime, kLessEqual, {nanos(2)})), ElementsAre("2", "1"));
  EXPECT_THAT(found(compare(Column::kStartTime, kGreater, {nanos(2)})), ElementsAre("3"));
  EXPECT_THAT(found(compare(Column::kExecutionTime, kGreaterEqual, {nanos(2)})), ElementsAre("3", "2"));
  EXPECT_THAT(found(compare(Column::kStartTime, kBetween, {nanos(2), nanos(9)})), ElementsAre("3", "2"));
  EXPECT_THAT(found(compare(Column::kCloseTime, kIsNull, {})), ElementsAre("3", "2"));
  EXPECT_THAT(found(compare(Column::kCloseTime, kGreater, {nanos(0)})), ElementsAre("1"));
  EXPECT_THAT(found(compare(Column::kParentWorkflowId, kIsNull, {})), ElementsAre("2", "1"));
  EXPECT_THAT(found(compare(Column::kHistoryLength, kEqual, {int64_t{7}})), ElementsAre("3"));
}

TEST_P(StoreContract, ListJoinsAndNegatesConditions) {
  Batch one = batch();
  for (int i = 1; i <= 3; ++i) one.visibility.push_back(visibility_row(std::to_string(i), i, i));
  one.visibility[0].close_time = at(50);
  ASSERT_TRUE(commit(*store_, one).ok());
  const auto status = [](int64_t number) { return compare(Column::kStatus, Comparison::kEqual, {number}); };
  using enum Filter::Kind;
  EXPECT_THAT(found(combine(kOr, {status(1), status(3)})), ElementsAre("3", "1"));
  EXPECT_THAT(found(combine(kAnd, {status(1), status(3)})), IsEmpty());
  EXPECT_THAT(found(combine(kNot, {status(1)})), ElementsAre("3", "2"));
  EXPECT_THAT(found(combine(kNot, {compare(Column::kCloseTime, Comparison::kGreater, {int64_t{0}})})),
              ElementsAre("3", "2"));
  EXPECT_THAT(found(combine(kAnd, {combine(kOr, {status(1), status(2)}), combine(kNot, {status(2)})})),
              ElementsAre("1"));
}

TEST_P(StoreContract, ListTakesCustomAttributes) {
  constexpr int kInt = 3, kDouble = 4, kKeywordList = 7;
  Batch one = batch();
  for (int i = 1; i <= 3; ++i) one.visibility.push_back(visibility_row(std::to_string(i), i, 1));
  one.visibility[0].attributes["Amount"] = {kInt, {}, 10, {}};
  one.visibility[1].attributes["Amount"] = {kInt, {}, 20, {}};
  one.visibility[1].attributes["Rate"] = {kDouble, {}, {}, 0.5};
  one.visibility[2].attributes["Tags"] = {kKeywordList, {"red", "blue"}, {}, {}};
  ASSERT_TRUE(commit(*store_, one).ok());
  using enum Comparison;
  const Field amount{Column::kCustom, "Amount", kInt};
  const Field tags{Column::kCustom, "Tags", kKeywordList};
  EXPECT_THAT(found(compare(amount, kGreater, {int64_t{15}})), ElementsAre("2"));
  EXPECT_THAT(found(compare(amount, kNotEqual, {int64_t{20}})), ElementsAre("1"));
  EXPECT_THAT(found(compare(amount, kIsNull, {})), ElementsAre("3"));
  EXPECT_THAT(found(compare(Field{Column::kCustom, "Rate", kDouble}, kBetween, {0.1, 0.9})), ElementsAre("2"));
  EXPECT_THAT(found(compare(tags, kEqual, {"blue"})), ElementsAre("3"));
  EXPECT_THAT(found(compare(tags, kIn, {"green", "red"})), ElementsAre("3"));
  EXPECT_THAT(found(compare(tags, kNotEqual, {"blue"})), IsEmpty());
  Batch changed = batch();
  changed.visibility.push_back(visibility_row("3", 3, 1));
  changed.visibility[0].state_transition_count = 2;
  ASSERT_TRUE(commit(*store_, changed).ok());
  EXPECT_THAT(found(compare(tags, kEqual, {"blue"})), IsEmpty());
}

TEST_P(StoreContract, CountGroupsByStatus) {
  Batch one = batch();
  for (int i = 0; i < 5; ++i) one.visibility.push_back(visibility_row(std::to_string(i), i, i < 3 ? 1 : 2));
  ASSERT_TRUE(commit(*store_, one).ok());
  const auto groups = *wait_for<std::vector<CountGroup>>([&](auto done) {
    store_->count({"ns", {}, true}, std::move(done));
  });
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].count, 3);
  EXPECT_EQ(groups[1].status, 2);
  EXPECT_EQ(groups[1].count, 2);
  EXPECT_EQ(wait_for<std::vector<CountGroup>>([&](auto done) {
              store_->count({"other", {}, false}, std::move(done));
            })
                ->at(0)
                .count,
            0);
}

TEST_P(StoreContract, NamespacesHaveUniqueNames) {
  ASSERT_TRUE(store_->put_namespace({"1", "b", "record"}).ok());
  ASSERT_TRUE(store_->put_namespace({"2", "a", ""}).ok());
  EXPECT_EQ(store_->put_namespace({"3", "a", ""}).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(store_->put_namespace({"1", "b", "changed"}).ok());
  const auto rows = store_->namespaces();
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[1].record, "changed");
}

TEST_P(StoreContract, SettingsAreKept) {
  EXPECT_EQ(*store_->get_setting("cluster"), std::nullopt);
  ASSERT_TRUE(store_->put_setting("cluster", "one").ok());
  ASSERT_TRUE(store_->put_setting("cluster", "two").ok());
  EXPECT_EQ(*store_->get_setting("cluster"), "two");
}

}  // namespace
}  // namespace skald::store

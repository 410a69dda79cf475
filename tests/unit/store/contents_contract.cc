#include "engine/store/contents.h"
#include "tests/unit/store/store_contract.h"

namespace skald::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// All rows, gathered from pages of these limits.
template <typename Row, typename Read>
std::vector<Row> all(Read read) {
  std::vector<Row> rows;
  std::string after;
  do {
    auto page = read(after);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return rows;
    EXPECT_TRUE(page->next.empty() || !page->rows.empty());
    for (Row& row : page->rows) rows.push_back(std::move(row));
    after = page->next;
  } while (!after.empty());
  return rows;
}

TEST_P(StoreContract, ContentsAreEveryRowInTheOrderOfItsKey) {
  Batch one = batch();
  for (const char* id : {"b", "c", "a"}) {
    one.runs.push_back({run_key(id), 1, at(5), true, std::string("state of ") + id});
    one.current.push_back({run_key(id).workflow(), id, 1, "request"});
    one.history.push_back({run_key(id), {1, 2, "12"}});
    one.history.push_back({run_key(id), {3, 12, "3..12"}});
    one.outbox.push_back({std::string("m") + id, run_key(id), "message"});
    one.visibility.push_back(visibility_row(id, 5, 1));
  }
  ASSERT_TRUE(commit(*store_, one).ok());
  ASSERT_TRUE(store_->put_setting("s2", "2").ok());
  ASSERT_TRUE(store_->put_setting("s1", "1").ok());
  ASSERT_TRUE(store_->put_namespace({"id2", "a name", "record"}).ok());
  ASSERT_TRUE(store_->put_namespace({"id1", "b name", "record"}).ok());
  for (const PageLimits& limits :
       {PageLimits{1, 1 << 20}, PageLimits{2, 1 << 20}, PageLimits{100, 1 << 20}, PageLimits{100, 1}}) {
    auto opened = store_->contents(limits);
    ASSERT_TRUE(opened.ok()) << opened.status();
    Contents& contents = **opened;
    std::vector<std::string> runs, current, history, outbox, visibility, settings, namespaces;
    for (const auto& run : all<StoredRun>([&](const auto& after) { return contents.runs(after); })) {
      runs.push_back(run.row.key.run_id);
      EXPECT_EQ(run.slot, slot_of("ns", run.row.key.workflow_id));
      EXPECT_EQ(run.row.wake_time, at(5));
      EXPECT_EQ(run.row.state, "state of " + run.row.key.run_id);
    }
    for (const auto& row : all<CurrentRow>([&](const auto& after) { return contents.current(after); }))
      current.push_back(row.run_id);
    for (const auto& row : all<HistoryRow>([&](const auto& after) { return contents.history(after); })) {
      history.push_back(row.key.run_id + ":" + row.chunk.bytes);
    }
    for (const auto& message : all<StoredMessage>([&](const auto& after) { return contents.outbox(after); })) {
      outbox.push_back(message.row.id);
      EXPECT_EQ(message.slot, slot_of("ns", message.row.source.workflow_id));
    }
    for (const auto& row : all<VisibilityRow>([&](const auto& after) { return contents.visibility(after); })) {
      visibility.push_back(row.key.run_id);
      EXPECT_EQ(row.key, run_key(row.key.run_id));
      EXPECT_EQ(row.start_time, at(5));
    }
    for (const auto& row : all<SettingRow>([&](const auto& after) { return contents.settings(after); })) {
      settings.push_back(row.name + "=" + row.value);
    }
    const auto spaces = contents.namespaces();
    ASSERT_TRUE(spaces.ok()) << spaces.status();
    for (const auto& row : *spaces) namespaces.push_back(row.id);
    EXPECT_THAT(runs, ElementsAre("a", "b", "c"));
    EXPECT_THAT(current, ElementsAre("a", "b", "c"));
    EXPECT_THAT(history, ElementsAre("a:12", "a:3..12", "b:12", "b:3..12", "c:12", "c:3..12"));
    EXPECT_THAT(outbox, ElementsAre("ma", "mb", "mc"));
    EXPECT_THAT(visibility, ElementsAre("a", "b", "c"));
    EXPECT_THAT(settings, ElementsAre("s1=1", "s2=2"));
    EXPECT_THAT(namespaces, ElementsAre("id1", "id2"));
  }
}

TEST_P(StoreContract, ContentsTellVisibilityWithItsAttributes) {
  Batch one = batch();
  VisibilityRow row = visibility_row("a", 7, 2);
  row.close_time = at(9);
  row.memo = "memo";
  row.search_attributes = "attributes";
  row.history_length = 11;
  row.parent_run_id = "parent";
  row.attributes["Amount"] = {3, {}, 10, {}};
  row.attributes["Rate"] = {4, {}, {}, 0.5};
  row.attributes["Tags"] = {7, {"red", "blue"}, {}, {}};
  row.attributes["None"] = {7, {}, {}, {}};
  one.visibility = {row, visibility_row("b", 8, 1)};
  ASSERT_TRUE(commit(*store_, one).ok());
  auto contents = *store_->contents({});
  const auto page = contents->visibility("");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->rows.size(), 2u);
  const VisibilityRow& read = page->rows[0];
  EXPECT_EQ(read.close_time, at(9));
  EXPECT_EQ(read.memo, "memo");
  EXPECT_EQ(read.search_attributes, "attributes");
  EXPECT_EQ(read.history_length, 11);
  EXPECT_EQ(read.parent_run_id, "parent");
  const std::map<std::string, AttributeValue> expected = {
      {"Amount", {0, {}, 10, {}}}, {"Rate", {0, {}, {}, 0.5}}, {"Tags", {0, {"red", "blue"}, {}, {}}}};
  EXPECT_EQ(read.attributes, expected);
  EXPECT_THAT(page->rows[1].attributes, IsEmpty());
  const auto some = contents->visibility_of({run_key("a"), run_key("none")});
  ASSERT_TRUE(some.ok() && some->size() == 1) << some.status();
  EXPECT_EQ((*some)[0].attributes, expected);
}

TEST_P(StoreContract, ContentsFindRowsByTheirKeys) {
  Batch one = batch();
  for (const char* id : {"a", "b", "c"}) {
    one.runs.push_back({run_key(id), 1, absl::InfiniteFuture(), false, id});
    for (int64_t first = 1; first < 4; ++first) one.history.push_back({run_key(id), {first, first, "x"}});
    one.outbox.push_back({std::string("m") + id, run_key(id), id});
  }
  ASSERT_TRUE(commit(*store_, one).ok());
  auto contents = *store_->contents({2, 1 << 20});
  const auto runs = contents->runs_of({run_key("c"), run_key("none"), run_key("a")});
  ASSERT_TRUE(runs.ok()) << runs.status();
  std::vector<std::string> found;
  for (const auto& run : *runs) found.push_back(run.row.state);
  EXPECT_THAT(found, UnorderedElementsAre("a", "c"));
  const auto messages = contents->outbox_of({"mb", "none"});
  ASSERT_TRUE(messages.ok() && messages->size() == 1) << messages.status();
  EXPECT_EQ((*messages)[0].row.message, "b");
  found.clear();
  for (const auto& row : all<HistoryRow>([&](const auto& after) {
         return contents->history_of({"c", "none", "a"}, after);
       })) {
    found.push_back(row.key.run_id + std::to_string(row.chunk.first_event_id));
  }
  EXPECT_THAT(found, ElementsAre("a1", "a2", "a3", "c1", "c2", "c3"));
}

TEST_P(StoreContract, ContentsFindRowsOfRunsThatDoNotExist) {
  Batch one = batch();
  one.runs.push_back({run_key("known"), 1, absl::InfiniteFuture(), false, ""});
  for (const char* id : {"a", "known", "b", "c"}) {
    one.history.push_back({run_key(id), {1, 2, "12"}});
    one.history.push_back({run_key(id), {3, 3, "3"}});
    one.visibility.push_back(visibility_row(id, 5, 1));
  }
  ASSERT_TRUE(commit(*store_, one).ok());
  auto contents = *store_->contents({2, 1 << 20});
  EXPECT_THAT(all<std::string>([&](const auto& after) { return contents->history_without_run(after); }),
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(all<RunKey>([&](const auto& after) { return contents->visibility_without_run(after); }),
              ElementsAre(run_key("a"), run_key("b"), run_key("c")));
}

TEST_P(StoreContract, ContentsRefuseAPositionThatIsNone) {
  auto contents = *store_->contents({});
  EXPECT_EQ(contents->runs("nonsense").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(contents->history("nonsense").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(contents->visibility("nonsense").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace skald::store

#include "engine/shard/history_reader.h"

#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

class HistoryReaderTest : public StoreTest {
 protected:
  // Puts the run's tail into the store, in chunks of these many events each, and out of memory.
  void store_tail(CachedRun& run, const std::vector<int64_t>& chunks) {
    for (const int64_t events : chunks) {
      const int64_t first = run.saved_last_event_id + 1;
      const int64_t last = first + events - 1;
      put_chunk(run, first, last, std::string(slice_events(run.tail, run.tail_first, first, last)));
      run.saved_last_event_id = run.durable_last_event_id = last;
    }
    run.tail = std::string(
        slice_events(run.tail, run.tail_first, run.saved_last_event_id + 1, run.last_event_id()));
    run.tail_first = run.saved_last_event_id + 1;
  }
  void put_chunk(CachedRun& run, int64_t first, int64_t last, std::string bytes) {
    store::Batch batch;
    batch.id = "chunk " + std::to_string(first);
    batch.lease = lease_;
    batch.history.push_back({run.key, {first, last, std::move(bytes)}});
    absl::Status status;
    memory_.commit(std::move(batch), [&](absl::Status answer) { status = std::move(answer); });
    world_.run_ready();
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::StatusOr<std::string> read(CachedRun& run, int64_t from, int64_t to) {
    absl::StatusOr<std::string> events = absl::UnknownError("not answered");
    reader_.read(run, from, to, [&](absl::StatusOr<std::string> answer) { events = std::move(answer); });
    world_.run_ready();
    return events;
  }
  HistoryWaiter waiter(const std::string& name, int64_t next, bool until_closed = false,
                       absl::Duration patience = absl::Seconds(20)) {
    return {next, until_closed, now() + patience, [this, name] { woken_.push_back(name); }};
  }

  RunCache cache_{{.bytes = 1 << 20, .tail_bytes = 1 << 20}, no_hooks()};
  CachedRun& order_ = new_run(cache_, "order", "order", 9);
  HistoryReader reader_{world_.clock(), *executor_, store_};
  std::vector<std::string> woken_;
};

TEST_F(HistoryReaderTest, ReadsFromMemoryAtOnce) {
  std::string answer;
  reader_.read(order_, 3, 5, [&](absl::StatusOr<std::string> events) { answer = *std::move(events); });
  EXPECT_EQ(ids(answer), "3 4 5");
  EXPECT_THAT(store_.reads, IsEmpty());
}

TEST_F(HistoryReaderTest, KnowsWhatIsInMemory) {
  store_tail(order_, {4});
  EXPECT_EQ(ids(*HistoryReader::in_memory(order_, 5, 9)), "5 6 7 8 9");
  EXPECT_EQ(HistoryReader::in_memory(order_, 4, 9), std::nullopt);
  EXPECT_EQ(HistoryReader::in_memory(order_, 4, 3), "");  // nothing is asked for
}

TEST_F(HistoryReaderTest, JoinsTheStoreAndMemory) {
  store_tail(order_, {2, 3, 1});
  const struct {
    int64_t from, to;
    std::string expected;
  } cases[] = {{1, 9, "1 2 3 4 5 6 7 8 9"}, {2, 4, "2 3 4"},     {4, 7, "4 5 6 7"}, {6, 6, "6"},
               {7, 9, "7 8 9"},             {3, 8, "3 4 5 6 7 8"}, {1, 2, "1 2"}};
  for (const auto& [from, to, expected] : cases) {
    const auto events = read(order_, from, to);
    ASSERT_TRUE(events.ok()) << events.status();
    EXPECT_EQ(ids(*events), expected);
  }
}

TEST_F(HistoryReaderTest, AsksTheStoreForWhatMemoryHasNotAndOnce) {
  store_tail(order_, {2, 3, 1});
  ASSERT_TRUE(read(order_, 2, 8).ok());
  EXPECT_THAT(store_.reads, ElementsAre("history order 2..6"));
}

TEST_F(HistoryReaderTest, WhatHappensMeanwhileIsNotMixedIn) {
  store_tail(order_, {4});
  std::string answer;
  reader_.read(order_, 3, 6, [&](absl::StatusOr<std::string> events) { answer = *std::move(events); });
  order_.tail.clear();
  order_.tail_first = 10;
  world_.run_ready();
  EXPECT_EQ(ids(answer), "3 4 5 6");
}

TEST_F(HistoryReaderTest, AReadThatFailsSaysSo) {
  store_tail(order_, {4});
  store_.failing_reads = 1;
  EXPECT_TRUE(absl::IsUnavailable(read(order_, 1, 4).status()));
}

TEST_F(HistoryReaderTest, DamageIsNamed) {
  put_chunk(order_, 1, 4, "no history at all");
  order_.tail = std::string(slice_events(order_.tail, 1, 5, 9));
  order_.tail_first = 5;
  const absl::Status status = read(order_, 1, 4).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("workflow order, run order, is damaged in the store: events 1 to 4"));
}

TEST_F(HistoryReaderTest, WhatIsMissingIsTold) {
  order_.tail = std::string(slice_events(order_.tail, 1, 5, 9));
  order_.tail_first = 5;
  EXPECT_TRUE(absl::IsDataLoss(read(order_, 1, 9).status()));
}

TEST_F(HistoryReaderTest, WaitersAreWokenByTheirEvents) {
  reader_.wait(order_, waiter("ten", 10));
  reader_.wait(order_, waiter("eleven", 11));
  reader_.wait(order_, waiter("closed", 1, /*until_closed=*/true));
  order_.durable_last_event_id = 9;
  reader_.wake(order_);
  EXPECT_THAT(woken_, IsEmpty());
  order_.durable_last_event_id = 10;
  reader_.wake(order_);
  EXPECT_THAT(woken_, ElementsAre("ten"));
  order_.durable_closed = true;
  reader_.wake(order_);
  EXPECT_THAT(woken_, ElementsAre("ten", "eleven", "closed"));
  reader_.wake(order_);
  EXPECT_THAT(woken_, SizeIs(3));
  EXPECT_THAT(order_.waiters, IsEmpty());
}

TEST_F(HistoryReaderTest, WaitersAreWokenWhenTheirTimeIsUp) {
  reader_.wait(order_, waiter("short", 10, false, absl::Seconds(2)));
  reader_.wait(order_, waiter("long", 10, false, absl::Seconds(5)));
  world_.run_for(absl::Milliseconds(1900));
  EXPECT_THAT(woken_, IsEmpty());
  world_.run_for(absl::Milliseconds(600));
  EXPECT_THAT(woken_, ElementsAre("short"));
  world_.run_for(absl::Seconds(4));
  EXPECT_THAT(woken_, ElementsAre("short", "long"));
}

TEST_F(HistoryReaderTest, NothingIsDoneWhenNobodyWaits) {
  reader_.wait(order_, waiter("one", 10, false, absl::Seconds(1)));
  world_.run_for(absl::Seconds(3));
  EXPECT_FALSE(world_.step());
  reader_.wait(order_, waiter("another", 10, false, absl::Seconds(1)));
  world_.run_for(absl::Seconds(3));
  EXPECT_THAT(woken_, ElementsAre("one", "another"));
}

TEST_F(HistoryReaderTest, TheEndWakesAll) {
  CachedRun& other = new_run(cache_, "other", "other");
  reader_.wait(order_, waiter("order", 10));
  reader_.wait(other, waiter("other", 10));
  reader_.end(order_);
  EXPECT_THAT(woken_, ElementsAre("order"));
  reader_.end_all();
  EXPECT_THAT(woken_, ElementsAre("order", "other"));
}

TEST_F(HistoryReaderTest, ARunThatLeftIsNotTouchedAgain) {
  reader_.wait(order_, waiter("order", 10));
  reader_.end(order_);
  cache_.remove_all(cache_.entry({"ns", "order"}));
  world_.run_for(absl::Seconds(30));
  reader_.end_all();
  EXPECT_THAT(woken_, SizeIs(1));
}

}  // namespace
}  // namespace skald::shard

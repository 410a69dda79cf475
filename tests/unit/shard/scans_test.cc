#include "engine/shard/scans.h"

#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {
namespace {

class ScansTest : public StoreTest {
 protected:
  // A row of a run; slots differ, so ids are told without an order.
  void put(const std::string& id, bool has_work, absl::Time wake = absl::InfiniteFuture()) {
    store::Batch batch;
    batch.id = "put " + id;
    batch.lease = lease_;
    batch.runs.push_back({{"ns", id, id}, enums::WORKFLOW_EXECUTION_STATUS_RUNNING, wake, has_work, "state"});
    commit(std::move(batch));
  }
  void put_message(const std::string& id) {
    store::Batch batch;
    batch.id = "put message " + id;
    batch.lease = lease_;
    batch.outbox.push_back({id, {"ns", "sender", "sender"}, "message"});
    commit(std::move(batch));
  }
  void commit(store::Batch batch) {
    absl::Status status = absl::UnknownError("not answered");
    memory_.commit(std::move(batch), [&](absl::Status answer) { status = std::move(answer); });
    world_.run_ready();
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<std::string> work_;
  std::set<std::string> refused_;
  std::function<void(const std::string& id, const std::string& page)> take_;
  std::vector<std::string> messages_;
  std::vector<std::string> sleeping_;
  std::vector<int64_t> horizons_;  // seconds from the start
  const absl::Time start_ = now();
  Scans scans_{{.clock = world_.clock(),
                .executor = *executor_,
                .store = store_,
                .lease = lease_,
                .page = 2,
                .lookahead = absl::Seconds(60),
                .found_work =
                    [this](const store::RunKey& key, const std::string& page) {
                      work_.push_back(key.run_id);
                      if (refused_.contains(key.run_id)) scans_.refused(page);
                      if (take_) take_(key.run_id, page);
                    },
                .found_message = [this](const store::OutboxRow& row) { messages_.push_back(row.id); },
                .set_horizon = [this](absl::Time horizon) { horizons_.push_back(absl::ToInt64Seconds(horizon - start_)); },
                .found_sleeping = [this](const store::RunKey& key, absl::Time) { sleeping_.push_back(key.run_id); }}};
};

TEST_F(ScansTest, TheFirstLookFindsAllPages) {
  for (int i = 0; i < 5; ++i) {
    put("work" + std::to_string(i), true);
    put_message("m" + std::to_string(i));
    put("sleeping" + std::to_string(i), false, start_ + absl::Seconds(10 + i));
  }
  put("closed", false);
  put("later", false, start_ + absl::Seconds(61));
  scans_.start();
  world_.run_ready();
  EXPECT_THAT(work_, ::testing::UnorderedElementsAre("work0", "work1", "work2", "work3", "work4"));
  EXPECT_THAT(messages_, ::testing::UnorderedElementsAre("m0", "m1", "m2", "m3", "m4"));
  EXPECT_THAT(sleeping_, ElementsAre("sleeping0", "sleeping1", "sleeping2", "sleeping3", "sleeping4"));
  EXPECT_THAT(horizons_, ElementsAre(60));
}

TEST_F(ScansTest, SleepingRunsAreLookedUpAgainBeforeTheHorizonIsReached) {
  scans_.start();
  world_.run_ready();
  put("later", false, start_ + absl::Seconds(70));
  world_.run_for(absl::Seconds(29));
  EXPECT_THAT(sleeping_, IsEmpty());
  world_.run_for(absl::Seconds(1));
  EXPECT_THAT(sleeping_, ElementsAre("later"));
  EXPECT_THAT(horizons_, ElementsAre(60, 90));
  EXPECT_THAT(store_.scans, ::testing::UnorderedElementsAre("work ", "outbox ", "wake ", "wake "));
}

TEST_F(ScansTest, AScanThatCannotReadBeginsAnewASecondLater) {
  put("work", true);
  put_message("m");
  put("sleeping", false, start_ + absl::Seconds(10));
  store_.failing_reads = 3;
  scans_.start();
  world_.run_ready();
  EXPECT_THAT(work_, IsEmpty());
  world_.run_for(absl::Seconds(1));
  EXPECT_THAT(work_, ElementsAre("work"));
  EXPECT_THAT(messages_, ElementsAre("m"));
  EXPECT_THAT(sleeping_, ElementsAre("sleeping"));
  EXPECT_THAT(store_.scans, SizeIs(6));
}

TEST_F(ScansTest, AStoppedScanDoesNotTryAgain) {
  store_.failing_reads = 3;
  scans_.start();
  scans_.stop();
  world_.run_for(absl::Minutes(5));
  EXPECT_THAT(store_.scans, SizeIs(3));
}

TEST_F(ScansTest, OneScanForWorkIsUnderWayAtATime) {
  put("work", true);
  scans_.look_for_work();
  world_.run_ready();
  EXPECT_THAT(work_, ElementsAre("work"));
  scans_.look_for_work();
  world_.run_ready();
  EXPECT_THAT(work_, ElementsAre("work", "work"));
}

TEST_F(ScansTest, AWishThatComesDuringAScanMakesAnother) {
  put("work", true);
  scans_.look_for_work();
  scans_.look_for_work();
  scans_.look_for_work();
  EXPECT_THAT(store_.scans, SizeIs(1));
  world_.run_ready();
  EXPECT_THAT(store_.scans, SizeIs(2));
  EXPECT_THAT(work_, ElementsAre("work", "work"));
}

TEST_F(ScansTest, TheScanForWorkGoesOnWhereThereWasNoRoom) {
  for (int i = 0; i < 7; ++i) put("work" + std::to_string(i), true);
  scans_.look_for_work();
  world_.run_ready();
  ASSERT_THAT(work_, SizeIs(7));
  const std::vector<std::string> order = work_;
  work_.clear();
  refused_ = {order[3], order[5]};  // on the second and third of four pages
  scans_.look_for_work();
  world_.run_ready();
  EXPECT_EQ(work_, order);
  work_.clear();
  refused_.clear();
  scans_.look_for_work();
  world_.run_ready();
  // Each once: from the second page round to the first.
  EXPECT_EQ(work_, (std::vector<std::string>{order[2], order[3], order[4], order[5], order[6], order[0], order[1]}));
}

TEST_F(ScansTest, EachPageHasItsTurnToBeTheFirst) {
  for (int i = 0; i < 6; ++i) put("work" + std::to_string(i), true);
  scans_.look_for_work();
  world_.run_ready();
  const std::vector<std::string> order = work_;
  // There is room for two runs' tasks a round.
  std::set<std::string> had_room;
  for (int round = 0; round < 3; ++round) {
    work_.clear();
    refused_.clear();
    Scans* scans = &scans_;
    int room = 2;
    take_ = [&, scans](const std::string& id, const std::string& page) {
      if (room-- > 0) {
        had_room.insert(id);
      } else {
        scans->refused(page);
      }
    };
    scans_.look_for_work();
    world_.run_ready();
  }
  EXPECT_THAT(had_room, SizeIs(6));
}

}  // namespace
}  // namespace skald::shard

#include <vector>

#include "tests/unit/store/mysql_fault.h"
#include "tests/unit/store/mysql_proxy.h"

// The database is away for a while, or takes no writes, or no connections.
namespace skald::store {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class MysqlAway : public OwnServer, public MysqlFault {
 protected:
  MysqlAway() : MysqlFault(fresh_database(server_)) {}

  void expect_unavailable() {
    const absl::Status committed = commit_run("refused");
    EXPECT_TRUE(absl::IsUnavailable(committed)) << committed;
    const absl::Status read_one = read("a");
    EXPECT_TRUE(absl::IsUnavailable(read_one)) << read_one;
    const absl::Status outcome_of = outcome("batch-1").status();
    EXPECT_TRUE(absl::IsUnavailable(outcome_of)) << outcome_of;
    EXPECT_TRUE(absl::IsUnavailable(store_->get_setting("name").status()));
    EXPECT_TRUE(absl::IsUnavailable(store_->put_setting("name", "other")));
  }

  // The server is ended by `end` and started again.
  template <typename End>
  void expect_return(End end) {
    open();
    ASSERT_EQ(commit_run("a"), absl::OkStatus());
    ASSERT_EQ(store_->put_setting("name", "value"), absl::OkStatus());
    end();
    expect_unavailable();
    await("the bad news", [&] { return heard_.has(StatusCode::kUnavailable); });
    expect_unavailable();
    start();
    await("the good news", [&] { return heard_.has(StatusCode::kOk); });
    EXPECT_THAT(heard_.codes(), ElementsAre(StatusCode::kUnavailable, StatusCode::kOk));
    witness_.reset();
    EXPECT_EQ(rows("refused"), 0);
    EXPECT_EQ(rows("a"), kWhole);
    EXPECT_EQ(read("a"), absl::OkStatus());
    EXPECT_EQ(outcome("batch-1"), absl::StatusOr<bool>(true));
    EXPECT_EQ(store_->get_setting("name"), absl::StatusOr<std::optional<std::string>>("value"));
    expect_work();
  }
};

TEST_F(MysqlAway, ComesBackAfterAKill) {
  expect_return([&] { server_.kill(); });
}

TEST_F(MysqlAway, ComesBackAfterACleanRestart) {
  expect_return([&] { ASSERT_EQ(server_.stop(), absl::OkStatus()); });
}

TEST_F(MysqlAway, LosesAndDoublesNothingWhenTheServerIsKilledUnderCommits) {
  constexpr int kBatches = 200;
  constexpr int kBeforeTheKill = 20;
  open();
  std::vector<Batch> batches;
  std::vector<std::future<absl::Status>> ends;
  for (int i = 0; i < kBatches; ++i) {
    batches.push_back(batch("run-" + std::to_string(i)));
    ends.push_back(begin_commit(batches.back()));
  }
  ends[kBeforeTheKill].wait();
  server_.kill();
  std::vector<absl::Status> told;
  for (auto& end : ends) told.push_back(end.get());
  start();
  await("the good news", [&] { return heard_.has(StatusCode::kOk); });
  witness_.reset();
  for (int i = 0; i < kBatches; ++i) {
    const int64_t found = rows("run-" + std::to_string(i));
    const absl::Status& status = told[static_cast<size_t>(i)];
    if (status.ok()) {
      EXPECT_EQ(found, kWhole) << i;
    } else if (absl::IsUnknown(status)) {
      EXPECT_EQ(outcome(batches[static_cast<size_t>(i)].id), absl::StatusOr<bool>(found == kWhole)) << i;
      EXPECT_TRUE(found == 0 || found == kWhole) << i << ": " << found;
    } else {
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_EQ(found, 0) << i;
    }
  }
  EXPECT_FALSE(told.back().ok());
  expect_work();
}

TEST_F(MysqlAway, CannotBeOpenedWhileTheServerIsAway) {
  server_.kill();
  const auto refused = open_mysql(options_);
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
}

TEST_F(MysqlFault, HearsThatANetworkIsSilentAndGoesOnWhenItIsNot) {
  MysqlProxy proxy(options_.address.host, options_.address.port);
  MysqlOptions through_proxy = options_;
  through_proxy.address.port = proxy.port();
  through_proxy.lease_ttl = absl::Seconds(2);
  through_proxy.lock_wait = absl::Seconds(1);
  open(through_proxy);
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  proxy.hold();
  await("the bad news", [&] { return heard_.has(StatusCode::kUnavailable); });
  const absl::Status refused = commit_run("b");
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_TRUE(absl::IsUnavailable(read("a")));
  proxy.release();
  await("the good news", [&] { return heard_.has(StatusCode::kOk); });
  EXPECT_EQ(rows("b"), 0);
  expect_work();
}

class MysqlFailover : public MysqlFault {
 protected:
  MysqlFailover() : MysqlFault(as_plain_user(fresh_database(shared_mariadb()))) {
    as_root_ = options_;
    as_root_.address.user = shared_mariadb().address().user;
    as_root_.address.password = shared_mariadb().address().password;
    witness_ = std::make_unique<Witness>(as_root_);
  }

  MysqlOptions as_root_;
};

TEST_F(MysqlFailover, RightsToTheDatabaseAloneAreEnough) {
  open();
  expect_work();
  store_.reset();
  open();
  EXPECT_EQ(lease_.epoch, 2);
}

TEST_F(MysqlFailover, AnswersUnavailableWhileTheServerTakesNoWrites) {
  open();
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  const Batch refused = batch("b");
  {
    const GlobalVariable read_only(as_root_, "read_only", 1);
    const absl::Status status = commit(*store_, refused);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("takes no writes"));
    await("the bad news", [&] { return heard_.has(StatusCode::kUnavailable); });
    EXPECT_EQ(rows("b"), 0);
  }
  await("the good news", [&] { return heard_.has(StatusCode::kOk); });
  EXPECT_EQ(commit(*store_, refused), absl::OkStatus());
  EXPECT_EQ(rows("b"), kWhole);
  EXPECT_THAT(heard_.codes(), ElementsAre(StatusCode::kUnavailable, StatusCode::kOk));
}

TEST_F(MysqlFailover, WritesNothingIfTheServerBecomesReadOnlyBeforeCommit) {
  MysqlProxy proxy(options_.address.host, options_.address.port);
  MysqlOptions through_proxy = options_;
  through_proxy.address.port = proxy.port();
  through_proxy.lease_ttl = absl::Minutes(10);
  open(through_proxy);
  const Batch late = batch("a");
  proxy.at_commit(AtCommit::kHold);
  auto done = begin_commit(late);
  await("the commit", [&] { return proxy.happened(); });
  {
    const GlobalVariable read_only(as_root_, "read_only", 1);
    proxy.release();
    const absl::Status status = done.get();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(rows("a"), 0);
    await("the bad news", [&] { return heard_.has(StatusCode::kUnavailable); });
  }
  await("the good news", [&] { return heard_.has(StatusCode::kOk); });
  EXPECT_EQ(outcome(late.id), absl::StatusOr<bool>(false));
  EXPECT_EQ(commit(*store_, late), absl::OkStatus());
  EXPECT_EQ(rows("a"), kWhole);
}

TEST_F(MysqlFailover, AnswersUnavailableWhileTheServerHasNoConnectionFree) {
  open();
  ASSERT_EQ(commit_run("a"), absl::OkStatus());
  const Batch refused = batch("b");
  {
    const GlobalVariable few(as_root_, "max_connections", 10);
    const MysqlOptions others = as_plain_user([&] {
      MysqlOptions options = as_root_;
      options.address.database += "_others";
      return options;
    }());
    MysqlAddress nowhere = others.address;
    nowhere.database.clear();
    std::vector<std::unique_ptr<Session>> crowd;
    const auto fill = [&] {
      while (true) {
        auto one = std::make_unique<Session>(nowhere, SessionOptions{});
        const absl::Status status = one->open();
        if (!status.ok()) return one->fault() == Fault::kCrowded;
        crowd.push_back(std::move(one));
      }
    };
    await("a full server without the store", [&] {
      kill_connections();
      return fill() && connections() == 0;
    });
    const absl::Status status = commit(*store_, refused);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("max_connections"));
    EXPECT_TRUE(absl::IsUnavailable(open_mysql(options_).status()));
    await("the bad news", [&] { return heard_.has(StatusCode::kUnavailable); });
    EXPECT_EQ(rows("b"), 0);
  }
  await("the good news", [&] { return heard_.has(StatusCode::kOk); });
  EXPECT_EQ(commit(*store_, refused), absl::OkStatus());
  EXPECT_EQ(rows("b"), kWhole);
}

}  // namespace
}  // namespace skald::store

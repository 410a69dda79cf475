#include "tests/unit/store/mysql_fault.h"

// Rows that are large or strange, and a disk that is not large enough.
namespace skald::store {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

TEST_F(MysqlFault, ABatchMayBeFarLargerThanAPacket) {
  const GlobalVariable packet(options_, "max_allowed_packet", kMegabyte);
  open();
  Batch large = batch("a");
  for (int i = 1; i <= 60; ++i) {
    large.history.push_back({run_key("a"), {10 * i, 10 * i + 1, std::string(100'000, 'h')}});
    large.runs.push_back({run_key("run-" + std::to_string(i)), 1, at(i), false, std::string(200'000, 's')});
  }
  EXPECT_EQ(commit(*store_, large), absl::OkStatus());
  EXPECT_EQ(rows("a"), kWhole + 60);
  EXPECT_EQ(witness().number("SELECT SUM(LENGTH(state)) FROM " + table("runs")), 5 + 60 * 200'000);
  const auto chunks = wait_for<std::vector<HistoryChunk>>(
      [&](auto done) { store_->read_history(run_key("a"), 1, 1'000, SIZE_MAX, std::move(done)); });
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  EXPECT_EQ(chunks->size(), 61u);
}

TEST_F(MysqlFault, ARowThatNoPacketTakesIsResourceExhausted) {
  const GlobalVariable packet(options_, "max_allowed_packet", kMegabyte);
  open();
  Batch refused = batch("a");
  refused.history.push_back({run_key("a"), {4, 5, std::string(kMegabyte, 'h')}});
  const absl::Status status = commit(*store_, refused);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), testing::HasSubstr("max_allowed_packet"));
  EXPECT_EQ(rows("a"), 0);
  refused.history.pop_back();
  EXPECT_EQ(commit(*store_, refused), absl::OkStatus());
  EXPECT_EQ(rows("a"), kWhole);
}

TEST_F(MysqlFault, TheLargestRowThatIsTakenIsReadBack) {
  const GlobalVariable packet(options_, "max_allowed_packet", kMegabyte);
  open();
  Batch large = batch("a");
  large.visibility[0].memo = std::string(kMegabyte - 1'000, 'm');
  large.visibility[0].workflow_type = std::string(600, 'w');
  EXPECT_EQ(commit(*store_, large), absl::OkStatus());
  const auto page = wait_for<Page<VisibilityRow>>([&](auto done) {
    store_->list({"ns", {}, false}, 10, "", std::move(done));
  });
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_EQ(page->rows[0].memo, large.visibility[0].memo);
}

TEST_F(MysqlFault, KeepsBlobsOfAnyBytesOfSixteenMegabytes) {
  const GlobalVariable packet(options_, "max_allowed_packet", 64 * kMegabyte);
  open();
  std::string every(16 * kMegabyte, '\0');
  for (size_t i = 0; i < every.size(); ++i) every[i] = static_cast<char>(i * 7 + i / 251);  // 0x00, invalid UTF-8, '
  Batch large = batch("a");
  large.runs[0].state = every;
  large.history[0].chunk.bytes = every;
  large.outbox[0].message = every;
  EXPECT_EQ(commit(*store_, large), absl::OkStatus());
  const auto row = wait_for<std::optional<RunRow>>([&](auto done) { store_->read_run(run_key("a"), std::move(done)); });
  ASSERT_TRUE(row.ok() && *row) << row.status();
  EXPECT_TRUE((*row)->state == every);
  const auto chunks = wait_for<std::vector<HistoryChunk>>(
      [&](auto done) { store_->read_history(run_key("a"), 1, 3, SIZE_MAX, std::move(done)); });
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  ASSERT_EQ(chunks->size(), 1u);
  EXPECT_TRUE(chunks->front().bytes == every);
  const auto messages =
      wait_for<Page<OutboxRow>>([&](auto done) { store_->scan_outbox(lease_, "", 10, std::move(done)); });
  ASSERT_TRUE(messages.ok()) << messages.status();
  EXPECT_TRUE(messages->rows.at(0).message == every);
}

TEST_F(MysqlFault, IdsThatACollationTakesForTheSameAreDifferent) {
  open();
  const std::vector<std::string> ids = {
      "a", "a ", "a  ", "A",  "\xC3\xA4", "a\xCC\x88",       "a\t", "", std::string("a\0", 2),
      "%", "\\", "'",   "\"", "\xFF\xFE", "\xF0\x9F\x90\x8D"};
  Batch all = batch("other");
  for (const std::string& id : ids) {
    all.current.push_back({{"ns", id}, "run of " + id, 1, id});
    all.runs.push_back({{"ns", id, "run of " + id}, 1, at(1), false, id});
    all.outbox.push_back({"message " + id, {"ns", id, "run of " + id}, id});
  }
  ASSERT_EQ(commit(*store_, all), absl::OkStatus());
  for (const std::string& id : ids) {
    const auto current = wait_for<std::optional<CurrentRow>>([&](auto done) {
      store_->read_current({"ns", id}, std::move(done));
    });
    ASSERT_TRUE(current.ok() && *current) << id;
    EXPECT_EQ((*current)->run_id, "run of " + id);
    EXPECT_EQ((*current)->start_request_id, id);
    const auto row = wait_for<std::optional<RunRow>>([&](auto done) {
      store_->read_run({"ns", id, "run of " + id}, std::move(done));
    });
    ASSERT_TRUE(row.ok() && *row) << id;
    EXPECT_EQ((*row)->state, id);
  }
  EXPECT_EQ(witness().number("SELECT COUNT(*) FROM " + table("outbox")), static_cast<int64_t>(ids.size()) + 1);
}

TEST_F(MysqlFault, TakesIdsOfAThousandBytesAndNotOneMore) {
  open();
  const std::string id(1'000, 'x');
  const RunKey key = {"ns", id, "run"};
  Batch longest = batch("a");
  longest.runs.push_back({key, 1, at(1), true, "state"});
  longest.current.push_back({key.workflow(), "run", 1, id});
  longest.outbox.push_back({"message", key, ""});
  VisibilityRow row = visibility_row("run", 0, 1);
  row.key = key;
  row.workflow_type = row.task_queue = row.parent_workflow_id = row.root_workflow_id = id;
  longest.visibility.push_back(row);
  EXPECT_EQ(commit(*store_, longest), absl::OkStatus());
  EXPECT_EQ(rows("run"), kWhole - 1);
  const auto current = wait_for<std::optional<CurrentRow>>([&](auto done) {
    store_->read_current({"ns", id}, std::move(done));
  });
  ASSERT_TRUE(current.ok() && *current);
  EXPECT_EQ((*current)->start_request_id, id);

  Batch too_long = batch("b");
  too_long.current.push_back({{"ns", id + "x"}, "run", 1, ""});
  EXPECT_TRUE(absl::IsInternal(commit(*store_, too_long)));
  EXPECT_EQ(rows("b"), 0);
  expect_work();
}

// All tables lie in one file that may not grow: the server says so as it does of a full disk.
class MysqlFullDisk : public OwnServer, public MysqlFault {
 protected:
  MysqlFullDisk()
      : OwnServer({"--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:32M"}),
        MysqlFault(fresh_database(server_)) {}

  // Of a megabyte or two, in rows that lie in the tables' own pages: for those the server stops early enough to have
  // room left for undoing and deleting.
  Batch large(const std::string& name) {
    Batch large = batch(name);
    for (int i = 0; i < kRows; ++i) {
      large.runs.push_back({run_of(name, i), 1, at(i), false, std::string(3'000, 's')});
    }
    return large;
  }
  static RunKey run_of(const std::string& name, int i) { return {"ns", name, name + "-" + std::to_string(i)}; }
  int64_t runs_of(const std::string& name) {
    return witness().number("SELECT COUNT(*) FROM " + table("runs") + " WHERE workflow_id = '" + name + "'");
  }

  static constexpr int kRows = 400;
};

TEST_F(MysqlFullDisk, IsResourceExhaustedAndWritesNothingInHalves) {
  constexpr int kAtMost = 50;
  open();
  Batch last = large("large-0");
  std::string last_name = "large-0";
  absl::Status status = commit(*store_, last);
  for (int i = 1; status.ok() && i < kAtMost; ++i) {
    last_name = "large-" + std::to_string(i);
    last = large(last_name);
    status = commit(*store_, last);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), testing::HasSubstr("no space"));
  EXPECT_NE(last_name, "large-0");
  EXPECT_EQ(rows(last_name) + runs_of(last_name), 0);
  EXPECT_EQ(runs_of("large-0"), kRows);

  for (const char* name : {"large-0", "large-1", "large-2"}) {
    Batch deleting;
    deleting.id = std::string("deleting ") + name;
    deleting.lease = lease_;
    for (int i = 0; i < kRows; ++i) deleting.deleted_runs.push_back(run_of(name, i));
    EXPECT_EQ(commit(*store_, deleting), absl::OkStatus());
    EXPECT_EQ(runs_of(name), 0);
  }
  // The server gives the space free by and by.
  await("the freed space", [&] { return commit(*store_, last).ok(); });
  EXPECT_EQ(rows(last_name), kWhole);
  EXPECT_EQ(runs_of(last_name), kRows);
}

}  // namespace
}  // namespace skald::store

#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>

#include <sqlite3.h>
#include <unistd.h>

#include "engine/store/sqlite/sqlite_store.h"
#include "tests/unit/store/store_contract.h"

namespace skald::store {
namespace {

std::filesystem::path fresh_folder() {
  static std::atomic<int> number = 0;
  const auto folder = std::filesystem::path(testing::TempDir()) /
                      ("skald-store-" + std::to_string(getpid()) + "-" + std::to_string(++number));
  std::filesystem::remove_all(folder);
  return folder;
}

// A store over a file that goes away with it.
class ThrowawayStore {
 public:
  ThrowawayStore() : folder_(fresh_folder()) {}
  ~ThrowawayStore() { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "skald.db").string(); }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<Store> temporary_store() {
  static std::deque<ThrowawayStore> files;  // they go when the process ends
  SqliteOptions options;
  options.path = files.emplace_back().path();
  auto store = open_sqlite(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(StoreFactory(temporary_store)));

SqliteOptions options_for(const ThrowawayStore& file) {
  SqliteOptions options;
  options.path = file.path();
  return options;
}

TEST(SqliteStore, DataAndEpochsOutliveTheProcess) {
  const ThrowawayStore file;
  int64_t epoch = 0;
  {
    auto store = open_sqlite(options_for(file));
    ASSERT_TRUE(store.ok()) << store.status();
    Batch batch;
    batch.id = "b";
    batch.lease = *(*store)->acquire(0, kSlots, "first");
    epoch = batch.lease.epoch;
    batch.runs.push_back({run_key("a"), 1, at(1), true, "state"});
    ASSERT_TRUE(commit(**store, batch).ok());
  }
  auto store = open_sqlite(options_for(file));
  ASSERT_TRUE(store.ok()) << store.status();
  const auto row =
      wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key("a"), std::move(done)); });
  ASSERT_TRUE(row.ok() && row->has_value());
  EXPECT_EQ((*row)->state, "state");
  EXPECT_GT((*store)->acquire(0, kSlots, "second")->epoch, epoch);
}

TEST(SqliteStore, ASecondOpenerIsRefusedWithTheHoldersName) {
  const ThrowawayStore file;
  const auto first = open_sqlite(options_for(file));
  ASSERT_TRUE(first.ok());
  const auto second = open_sqlite(options_for(file));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().ToString(), testing::HasSubstr(std::to_string(getpid())));
}

TEST(SqliteStore, AFileThatIsNoDatabaseIsLeftAlone) {
  const ThrowawayStore file;
  std::filesystem::create_directories(file.folder());
  const std::string content(10'000, 'x');
  std::ofstream(file.path()) << content;
  EXPECT_EQ(open_sqlite(options_for(file)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(read_all(file.path()), content);
}

TEST(SqliteStore, ANewerSchemaIsRefused) {
  const ThrowawayStore file;
  ASSERT_TRUE(open_sqlite(options_for(file)).ok());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 9999", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto again = open_sqlite(options_for(file));
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(again.status().ToString(), testing::HasSubstr("9999"));
}

TEST(SqliteStore, AnotherProgramsDatabaseIsRefused) {
  const ThrowawayStore file;
  std::filesystem::create_directories(file.folder());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE theirs (a)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const std::string before = read_all(file.path());
  EXPECT_EQ(open_sqlite(options_for(file)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(read_all(file.path()), before);
}

TEST(SqliteStore, AFolderIsNoFile) {
  const ThrowawayStore file;
  std::filesystem::create_directories(file.path());
  EXPECT_EQ(open_sqlite(options_for(file)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SqliteStore, AFolderThatCannotBeMadeIsNamed) {
  SqliteOptions options;
  options.path = "/proc/skald/skald.db";
  const auto store = open_sqlite(options);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(store.status().ToString(), testing::HasSubstr("/proc/skald"));
}

TEST(SqliteStore, AFullDiskRefusesABatchAndTakesTheNextSmallOne) {
  const ThrowawayStore file;
  SqliteOptions options = options_for(file);
  options.max_pages = 200;
  auto store = open_sqlite(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const Lease lease = *(*store)->acquire(0, kSlots, "test");
  Batch large;
  large.id = "large";
  large.lease = lease;
  large.runs.push_back({run_key("large"), 1, at(0), false, std::string(4 << 20, 'x')});
  const absl::Status full = commit(**store, large);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  const auto run = [&](const char* name) {
    return *wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key(name), std::move(done)); });
  };
  EXPECT_FALSE(run("large").has_value());
  Batch small;
  small.id = "small";
  small.lease = lease;
  small.runs.push_back({run_key("small"), 1, at(0), false, "x"});
  EXPECT_TRUE(commit(**store, small).ok());
  EXPECT_TRUE(run("small").has_value());
}

}  // namespace
}  // namespace skald::store

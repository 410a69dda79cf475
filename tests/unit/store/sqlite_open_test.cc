// What the SQLite store says about files that it cannot open: one sentence that tells what to do, and the data stays as
// it is.
#include <filesystem>
#include <memory>
#include <string>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/store/sqlite/sqlite_store.h"
#include "tests/unit/store/store_contract.h"
#include "tests/unit/store/throwaway_file.h"

namespace skald::store {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Store>> open(const ThrowawayFile& file) {
  SqliteOptions options;
  options.path = file.path();
  return open_sqlite(options);
}

void expect_refused(const ThrowawayFile& file, absl::StatusCode code, const std::string& advice) {
  const std::string before = file.content();
  const auto store = open(file);
  EXPECT_EQ(store.status().code(), code) << store.status();
  EXPECT_THAT(store.status().ToString(), HasSubstr(advice));
  EXPECT_EQ(store.status().ToString().find('\n'), std::string::npos);
  EXPECT_TRUE(file.content() == before) << "the file was changed";
}

// A store with a run in it, closed.
void fill(const ThrowawayFile& file) {
  auto store = open(file);
  ASSERT_TRUE(store.ok()) << store.status();
  Batch batch;
  batch.id = "b";
  batch.lease = *(*store)->acquire(0, kSlots, "test");
  batch.runs.push_back({run_key("a"), 1, at(0), false, std::string(100'000, 'x')});
  ASSERT_TRUE(commit(**store, batch).ok());
}

void change(const ThrowawayFile& file, const char* sql) {
  std::filesystem::create_directories(file.folder());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

// File rights do not bind root: for as long as this lives, the process is somebody else.
class AsNobody {
 public:
  AsNobody() : was_(geteuid()) { EXPECT_TRUE(was_ != 0 || seteuid(65'534) == 0); }
  ~AsNobody() { EXPECT_TRUE(was_ != 0 || seteuid(0) == 0); }

 private:
  uid_t was_;
};

TEST(SqliteOpen, AFileThatIsNoDatabase) {
  const ThrowawayFile file;
  file.write(std::string(10'000, 'x'));
  expect_refused(file, absl::StatusCode::kDataLoss, "name another file");
}

TEST(SqliteOpen, AShortFileThatIsNoDatabase) {
  const ThrowawayFile file;
  file.write("notes");
  expect_refused(file, absl::StatusCode::kDataLoss, "name another file");
}

TEST(SqliteOpen, AnotherProgramsDatabase) {
  const ThrowawayFile file;
  change(file, "CREATE TABLE theirs (a)");
  expect_refused(file, absl::StatusCode::kDataLoss, "not one of Skald's");
}

TEST(SqliteOpen, AnotherProgramsDatabaseGetsNoSideFiles) {
  const ThrowawayFile file;
  change(file, "PRAGMA journal_mode = WAL; CREATE TABLE theirs (a)");
  expect_refused(file, absl::StatusCode::kDataLoss, "not one of Skald's");
  for (const char* suffix : {"-wal", "-shm", ".lock"}) EXPECT_FALSE(std::filesystem::exists(file.path() + suffix));
}

TEST(SqliteOpen, ANewerSchema) {
  const ThrowawayFile file;
  fill(file);
  change(file, "PRAGMA user_version = 9999");
  expect_refused(file, absl::StatusCode::kFailedPrecondition, "9999");
  expect_refused(file, absl::StatusCode::kFailedPrecondition, "start the newer program");
}

TEST(SqliteOpen, AFileWhoseEndIsMissing) {
  const ThrowawayFile file;
  fill(file);
  std::filesystem::resize_file(file.path(), 50'000);
  expect_refused(file, absl::StatusCode::kDataLoss, "restore this one from a backup");
}

TEST(SqliteOpen, AFileWhoseTablesAreOverwritten) {
  const ThrowawayFile file;
  fill(file);
  std::string content = file.content();
  content.replace(100, 3'900, 3'900, '\xEE');
  file.write(content);
  expect_refused(file, absl::StatusCode::kDataLoss, "restore it from a backup");
}

TEST(SqliteOpen, DamageThatLiesDeeperShowsWhenItIsRead) {
  const ThrowawayFile file;
  fill(file);
  std::string content = file.content();
  for (size_t page = 1; page * 4096 < content.size(); ++page) content.replace(page * 4096, 16, 16, '\xEE');
  file.write(content);
  auto store = open(file);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto run =
      wait_for<std::optional<RunRow>>([&](auto done) { (*store)->read_run(run_key("a"), std::move(done)); });
  EXPECT_EQ(run.status().code(), absl::StatusCode::kDataLoss) << run.status();
  EXPECT_EQ((*store)->namespaces().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*store)->get_setting("a").status().code(), absl::StatusCode::kDataLoss);
}

TEST(SqliteOpen, AReadOnlyFile) {
  const ThrowawayFile file;
  fill(file);
  std::filesystem::remove(file.path() + ".lock");
  ASSERT_EQ(chmod(file.folder().c_str(), 0777), 0);
  ASSERT_EQ(chmod(file.path().c_str(), 0444), 0);
  const AsNobody nobody;
  expect_refused(file, absl::StatusCode::kPermissionDenied, "see to the rights of the file");
}

TEST(SqliteOpen, AReadOnlyFolder) {
  const ThrowawayFile file;
  std::filesystem::create_directories(file.folder());
  ASSERT_EQ(chmod(file.folder().c_str(), 0555), 0);
  const AsNobody nobody;
  expect_refused(file, absl::StatusCode::kPermissionDenied, "its folder");
}

TEST(SqliteOpen, AMissingFolderIsMade) {
  const ThrowawayFile file;
  SqliteOptions options;
  options.path = (file.folder() / "some" / "where" / "skald.db").string();
  EXPECT_TRUE(open_sqlite(options).ok());
  EXPECT_TRUE(std::filesystem::exists(options.path));
}

TEST(SqliteOpen, AFolderThatCannotBeMade) {
  SqliteOptions options;
  options.path = "/proc/skald/skald.db";
  const auto store = open_sqlite(options);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(store.status().ToString(), HasSubstr("/proc/skald"));
}

TEST(SqliteOpen, OtherUsersAreKeptOutAndTheGroupIsNot) {
  const ThrowawayFile file;
  fill(file);
  ASSERT_EQ(chmod(file.path().c_str(), 0664), 0);
  const auto store = open(file);
  ASSERT_TRUE(store.ok()) << store.status();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(file.folder())) {
    struct stat about {};
    ASSERT_EQ(stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & S_IRWXO, 0u) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 4);  // with its log, its index and its lock
  struct stat about {};
  ASSERT_EQ(stat(file.path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0660u);
}

TEST(SqliteOpen, AFolderIsNoFile) {
  const ThrowawayFile file;
  std::filesystem::create_directories(file.path());
  EXPECT_EQ(open(file).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SqliteOpen, ASecondOpenerIsRefusedWithTheHoldersName) {
  const ThrowawayFile file;
  const auto first = open(file);
  ASSERT_TRUE(first.ok());
  expect_refused(file, absl::StatusCode::kFailedPrecondition, std::to_string(getpid()));
}

}  // namespace
}  // namespace skald::store

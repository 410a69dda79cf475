#include "engine/store/sqlite/sqlite_store.h"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/store/sqlite/batch_writer.h"
#include "engine/store/sqlite/reader.h"
#include "engine/store/sqlite/schema.h"

namespace skald::store {
namespace {

struct CloseConnection {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

absl::Status execute(sqlite3* db, const char* sql, std::string_view doing) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : sqlite_error(db, doing);
}

absl::StatusOr<Connection> connect(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection db(raw);
  if (code != SQLITE_OK) return sqlite_error(db.get(), "opening " + path);
  sqlite3_extended_result_codes(db.get(), 1);
  sqlite3_busy_timeout(db.get(), 5'000);
  return db;
}

// The lock that keeps a second process away, held as long as the descriptor is open.
class FileLock {
 public:
  ~FileLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  absl::Status take(const std::string& path, const std::string& data_path) {
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
      return absl::PermissionDeniedError(
          absl::StrCat("cannot write to ", path, ": ", std::strerror(errno), "; see to the rights of the folder"));
    }
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      char holder[256] = {};
      const ssize_t size = pread(descriptor_, holder, sizeof(holder) - 1, 0);
      return absl::FailedPreconditionError(
          absl::StrCat("another process", size > 0 ? absl::StrCat(" (", holder, ")") : std::string(), " is using ",
                       data_path, "; stop it first, or name another file"));
    }
    const std::string self = absl::StrCat("pid ", getpid());
    if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, self.data(), self.size(), 0) < 0) {
      // The holder's name is a courtesy; the lock itself stands.
    }
    return absl::OkStatus();
  }

 private:
  int descriptor_ = -1;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(SqliteOptions options) : options_(std::move(options)) {}
  ~SqliteStore() override;
  absl::Status open();

  absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder) override;
  void commit(Batch batch, CommitDone done) override;
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) override {
    read<bool>(std::move(done), [lease, batch_id](Reader& reader) { return reader.is_last_batch(lease, batch_id); });
  }
  void read_run(const RunKey& key, Done<std::optional<RunRow>> done) override {
    read<std::optional<RunRow>>(std::move(done), [key](Reader& reader) { return reader.run(key); });
  }
  void read_current(const WorkflowKey& key, Done<std::optional<CurrentRow>> done) override {
    read<std::optional<CurrentRow>>(std::move(done), [key](Reader& reader) { return reader.current(key); });
  }
  void read_history(const RunKey& key, int64_t first, int64_t last, size_t max_bytes,
                    Done<std::vector<HistoryChunk>> done) override {
    read<std::vector<HistoryChunk>>(std::move(done),
                                    [=](Reader& reader) { return reader.history(key, first, last, max_bytes); });
  }
  void read_history_reverse(const RunKey& key, int64_t last, size_t max_bytes,
                            Done<std::vector<HistoryChunk>> done) override {
    read<std::vector<HistoryChunk>>(std::move(done),
                                    [=](Reader& reader) { return reader.history_reverse(key, last, max_bytes); });
  }
  void scan_wake(const Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 Done<Page<std::pair<RunKey, absl::Time>>> done) override {
    read<Page<std::pair<RunKey, absl::Time>>>(std::move(done),
                                              [=](Reader& reader) { return reader.wake(lease, until, after, limit); });
  }
  void scan_work(const Lease& lease, const std::string& after, size_t limit, Done<Page<RunKey>> done) override {
    read<Page<RunKey>>(std::move(done), [=](Reader& reader) { return reader.work(lease, after, limit); });
  }
  void scan_outbox(const Lease& lease, const std::string& after, size_t limit, Done<Page<OutboxRow>> done) override {
    read<Page<OutboxRow>>(std::move(done), [=](Reader& reader) { return reader.outbox(lease, after, limit); });
  }
  void list(const VisibilityQuery& query, size_t page_size, const std::string& token,
            Done<Page<VisibilityRow>> done) override {
    read<Page<VisibilityRow>>(std::move(done), [=](Reader& reader) { return reader.list(query, page_size, token); });
  }
  void count(const VisibilityQuery& query, Done<std::vector<CountGroup>> done) override {
    read<std::vector<CountGroup>>(std::move(done), [=](Reader& reader) { return reader.count(query); });
  }
  absl::Status put_namespace(const NamespaceRow& row) override;
  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override;
  absl::StatusOr<std::optional<std::string>> get_setting(const std::string& name) override;
  absl::Status put_setting(const std::string& name, const std::string& value) override;

 private:
  struct Queued {
    Batch batch;
    CommitDone done;
    absl::Status status;
  };
  using ReadTask = absl::AnyInvocable<void(Reader&)>;

  template <typename T, typename F>
  void read(Done<T> done, F call) {
    {
      const std::lock_guard lock(read_mutex_);
      reads_.push_back(
          [done = std::move(done), call = std::move(call)](Reader& reader) mutable { done(call(reader)); });
    }
    read_wake_.notify_one();
  }

  void write_loop();
  void write_group(std::vector<Queued>& group);
  absl::Status write_one(const Batch& batch);
  void read_loop(Reader& reader);

  const SqliteOptions options_;
  FileLock lock_;
  Connection writer_db_;
  BatchWriter writer_;
  std::mutex writer_db_mutex_;  // the writer thread's transactions, and the blocking calls
  std::vector<Connection> reader_dbs_;
  std::vector<std::unique_ptr<Reader>> readers_;

  std::mutex write_mutex_;
  std::condition_variable write_wake_;
  std::deque<Queued> writes_;
  std::mutex read_mutex_;
  std::condition_variable read_wake_;
  std::deque<ReadTask> reads_;
  bool stopping_ = false;  // guarded by both mutexes
  std::vector<std::thread> threads_;
};

absl::Status SqliteStore::open() {
  const std::filesystem::path path(options_.path);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(options_.path, " is a folder; name a file in it"));
  }
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
    if (error)
      return absl::PermissionDeniedError(
          absl::StrCat("cannot make the folder ", path.parent_path().string(), ": ", error.message()));
  }
  if (auto status = lock_.take(options_.path + ".lock", options_.path); !status.ok()) return status;
  auto db = connect(options_.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db.ok()) return db.status();
  writer_db_ = *std::move(db);
  // Checkpoints are few and large: a commit that has to move pages takes long.
  const char* setup =
      "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
      "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;";
  if (auto status = migrate(writer_db_.get()); !status.ok()) return status;
  if (auto status = execute(writer_db_.get(), setup, "opening " + options_.path); !status.ok()) return status;
  if (options_.max_pages > 0) {
    const std::string limit = absl::StrCat("PRAGMA max_page_count = ", options_.max_pages);
    if (auto status = execute(writer_db_.get(), limit.c_str(), "limiting the file"); !status.ok()) return status;
  }
  if (auto status = writer_.prepare(writer_db_.get()); !status.ok()) return status;
  for (int i = 0; i < options_.readers; ++i) {
    auto reader_db = connect(options_.path, SQLITE_OPEN_READWRITE);
    if (!reader_db.ok()) return reader_db.status();
    if (auto status =
            execute(reader_db->get(), "PRAGMA query_only = 1; PRAGMA cache_size = -4096;", "opening a reader");
        !status.ok())
      return status;
    readers_.push_back(std::make_unique<Reader>());
    if (auto status = readers_.back()->prepare(reader_db->get()); !status.ok()) return status;
    reader_dbs_.push_back(*std::move(reader_db));
  }
  threads_.emplace_back([this] { write_loop(); });
  for (auto& reader : readers_) threads_.emplace_back([this, &reader = *reader] { read_loop(reader); });
  return absl::OkStatus();
}

SqliteStore::~SqliteStore() {
  {
    const std::scoped_lock lock(write_mutex_, read_mutex_);
    stopping_ = true;
  }
  write_wake_.notify_all();
  read_wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  readers_.clear();
  reader_dbs_.clear();
}

void SqliteStore::commit(Batch batch, CommitDone done) {
  {
    const std::lock_guard lock(write_mutex_);
    writes_.push_back({std::move(batch), std::move(done), absl::OkStatus()});
  }
  write_wake_.notify_one();
}

void SqliteStore::write_loop() {
  pthread_setname_np(pthread_self(), "skald-store-w");
  std::vector<Queued> group;
  while (true) {
    {
      std::unique_lock lock(write_mutex_);
      write_wake_.wait(lock, [this] { return stopping_ || !writes_.empty(); });
      if (writes_.empty()) return;
      while (!writes_.empty() && group.size() < options_.group_batches) {
        group.push_back(std::move(writes_.front()));
        writes_.pop_front();
      }
    }
    {
      const std::lock_guard lock(writer_db_mutex_);
      write_group(group);
    }
    for (Queued& queued : group) queued.done(queued.status);
    group.clear();
  }
}

// All batches in one transaction, each behind a savepoint, so that one that is refused takes no other along.
void SqliteStore::write_group(std::vector<Queued>& group) {
  sqlite3* db = writer_db_.get();
  absl::Status outcome = execute(db, "BEGIN IMMEDIATE", "beginning a commit");
  if (outcome.ok()) {
    for (Queued& queued : group) queued.status = write_one(queued.batch);
    // A full or failing disk may end the transaction under way: then nothing of the group was written.
    outcome = sqlite3_get_autocommit(db) == 0
                  ? execute(db, "COMMIT", "committing")
                  : absl::UnavailableError("a neighbour's failure ended the transaction; try again");
  }
  if (outcome.ok()) return;
  if (sqlite3_get_autocommit(db) == 0) execute(db, "ROLLBACK", "undoing a commit").IgnoreError();
  for (Queued& queued : group) {
    if (queued.status.ok()) queued.status = outcome;
  }
}

absl::Status SqliteStore::write_one(const Batch& batch) {
  sqlite3* db = writer_db_.get();
  if (sqlite3_get_autocommit(db) != 0)
    return absl::UnavailableError("a neighbour's failure ended the transaction; try again");
  if (auto status = execute(db, "SAVEPOINT batch", "beginning a batch"); !status.ok()) return status;
  absl::Status status = writer_.write(batch);
  if (sqlite3_get_autocommit(db) != 0) return status;
  if (!status.ok()) execute(db, "ROLLBACK TO batch", "undoing a batch").IgnoreError();
  if (auto released = execute(db, "RELEASE batch", "ending a batch"); status.ok()) status = released;
  return status;
}

void SqliteStore::read_loop(Reader& reader) {
  pthread_setname_np(pthread_self(), "skald-store-r");
  while (true) {
    ReadTask task;
    {
      std::unique_lock lock(read_mutex_);
      read_wake_.wait(lock, [this] { return stopping_ || !reads_.empty(); });
      if (reads_.empty()) return;
      task = std::move(reads_.front());
      reads_.pop_front();
    }
    task(reader);
  }
}

absl::StatusOr<Lease> SqliteStore::acquire(int first_slot, int last_slot, const std::string& holder) {
  const std::lock_guard lock(writer_db_mutex_);
  sqlite3* db = writer_db_.get();
  // The file's lock keeps other processes away: whoever held the slots is gone, and an epoch of its own fences what it
  // left behind.
  Statement highest;
  if (auto status = highest.prepare(db, "SELECT coalesce(max(epoch), 0) FROM ownership"); !status.ok()) return status;
  if (highest.step() != SQLITE_ROW) return sqlite_error(db, "taking the lease");
  const Lease lease{first_slot, last_slot, highest.number(0) + 1};
  highest.reset();
  Statement take;
  if (auto status = take.prepare(
          db, "REPLACE INTO ownership (first_slot, last_slot, epoch, holder, last_batch) VALUES (?, ?, ?, ?, '')");
      !status.ok()) {
    return status;
  }
  take.bind(1, int64_t{first_slot}).bind(2, int64_t{last_slot}).bind(3, lease.epoch).bind(4, holder);
  if (auto status = take.run("taking the lease"); !status.ok()) return status;
  return lease;
}

absl::Status SqliteStore::put_namespace(const NamespaceRow& row) {
  const std::lock_guard lock(writer_db_mutex_);
  Statement other;
  if (auto status = other.prepare(writer_db_.get(), "SELECT 1 FROM namespaces WHERE name = ? AND id <> ?");
      !status.ok())
    return status;
  other.bind(1, row.name).bind(2, row.id);
  if (other.step() == SQLITE_ROW) return absl::AlreadyExistsError("Namespace already exists.");
  Statement put;
  if (auto status = put.prepare(writer_db_.get(), "REPLACE INTO namespaces (id, name, record) VALUES (?, ?, ?)");
      !status.ok())
    return status;
  return put.bind(1, row.id).bind(2, row.name).bind_blob(3, row.record).run("writing a namespace");
}

absl::StatusOr<std::vector<NamespaceRow>> SqliteStore::namespaces() {
  const std::lock_guard lock(writer_db_mutex_);
  Statement all;
  if (auto status = all.prepare(writer_db_.get(), "SELECT id, name, record FROM namespaces ORDER BY name");
      !status.ok())
    return status;
  std::vector<NamespaceRow> rows;
  while (all.step() == SQLITE_ROW) rows.push_back({all.text(0), all.text(1), all.text(2)});
  return rows;
}

absl::StatusOr<std::optional<std::string>> SqliteStore::get_setting(const std::string& name) {
  const std::lock_guard lock(writer_db_mutex_);
  Statement get;
  if (auto status = get.prepare(writer_db_.get(), "SELECT value FROM settings WHERE name = ?"); !status.ok())
    return status;
  get.bind(1, name);
  if (get.step() != SQLITE_ROW) return std::nullopt;
  return get.text(0);
}

absl::Status SqliteStore::put_setting(const std::string& name, const std::string& value) {
  const std::lock_guard lock(writer_db_mutex_);
  Statement put;
  if (auto status = put.prepare(writer_db_.get(), "REPLACE INTO settings (name, value) VALUES (?, ?)"); !status.ok())
    return status;
  return put.bind(1, name).bind(2, value).run("writing a setting");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_sqlite(SqliteOptions options) {
  auto store = std::make_unique<SqliteStore>(std::move(options));
  if (auto status = store->open(); !status.ok()) return status;
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace skald::store

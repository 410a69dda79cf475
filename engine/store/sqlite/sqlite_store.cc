#include "engine/store/sqlite/sqlite_store.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>
#include <pthread.h>

#include "engine/store/sqlite/connection.h"
#include "engine/store/sqlite/contents.h"
#include "engine/store/sqlite/data_file.h"
#include "engine/store/sqlite/group_writer.h"
#include "engine/store/sqlite/reader.h"
#include "engine/store/sqlite/schema.h"

namespace skald::store {
namespace {

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(SqliteOptions options)
      : options_(std::move(options)), writer_(options_.group, writer_db_mutex_) {}
  ~SqliteStore() override;
  absl::Status open();

  absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder) override;
  void commit(Batch batch, CommitDone done) override { writer_.commit(std::move(batch), std::move(done)); }
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) override {
    writer_.outcome_of(lease, batch_id, std::move(done));
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
  absl::StatusOr<std::unique_ptr<Contents>> contents(const PageLimits& limits) override {
    return open_contents(options_.path, limits);
  }

 private:
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

  absl::Status open_reader();
  void read_loop(Reader& reader);

  const SqliteOptions options_;
  FileLock lock_;
  std::mutex writer_db_mutex_;  // the writer thread's transactions, and the blocking calls
  Connection writer_db_;
  GroupWriter writer_;
  std::vector<Connection> reader_dbs_;
  std::vector<std::unique_ptr<Reader>> readers_;

  std::mutex read_mutex_;
  std::condition_variable read_wake_;
  std::deque<ReadTask> reads_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// The file's lock keeps other processes away: whoever held the slots is gone, and a higher epoch fences what it left
// behind.
absl::StatusOr<Lease> take_lease(sqlite3* db, int first_slot, int last_slot, const std::string& holder) {
  Statement highest;
  if (auto status = highest.prepare(db, "SELECT coalesce(max(epoch), 0) FROM ownership"); !status.ok()) return status;
  if (highest.step() != SQLITE_ROW) return sqlite_error(db, "taking the lease");
  const Lease lease{first_slot, last_slot, highest.number(0) + 1};
  highest.reset();
  Statement end;
  if (auto status = end.prepare(db, "DELETE FROM ownership WHERE first_slot < ? AND last_slot > ?"); !status.ok()) {
    return status;
  }
  end.bind(1, int64_t{last_slot}).bind(2, int64_t{first_slot});
  if (auto status = end.run("ending the old lease"); !status.ok()) return status;
  Statement take;
  if (auto status = take.prepare(
          db, "INSERT INTO ownership (first_slot, last_slot, epoch, holder, last_batch) VALUES (?, ?, ?, ?, '')");
      !status.ok()) {
    return status;
  }
  take.bind(1, int64_t{first_slot}).bind(2, int64_t{last_slot}).bind(3, lease.epoch).bind(4, holder);
  if (auto status = take.run("taking the lease"); !status.ok()) return status;
  return lease;
}

absl::Status SqliteStore::open() {
  if (auto status = make_folder(options_.path); !status.ok()) return status;
  if (auto status = check_data_file(options_.path); !status.ok()) return status;
  if (auto status = lock_.take(options_.path); !status.ok()) return status;
  auto db = connect(options_.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db.ok()) return db.status();
  writer_db_ = *std::move(db);
  if (auto status = migrate(writer_db_.get()); !status.ok()) return status;
  // Checkpoints are few and large: a commit that has to move pages takes long.
  const char* setup =
      "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
      "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;";
  if (auto status = execute(writer_db_.get(), setup, "opening " + options_.path); !status.ok()) return status;
  keep_from_others(options_.path);
  if (options_.max_pages > 0) {
    const std::string limit = absl::StrCat("PRAGMA max_page_count = ", options_.max_pages);
    if (auto status = execute(writer_db_.get(), limit, "limiting the file"); !status.ok()) return status;
  }
  for (int i = 0; i < options_.readers; ++i) {
    if (auto status = open_reader(); !status.ok()) return status;
  }
  if (auto status = writer_.start(writer_db_.get()); !status.ok()) return status;
  for (auto& reader : readers_) threads_.emplace_back([this, &reader = *reader] { read_loop(reader); });
  return absl::OkStatus();
}

absl::Status SqliteStore::open_reader() {
  auto db = connect(options_.path, SQLITE_OPEN_READWRITE);
  if (!db.ok()) return db.status();
  const char* setup = "PRAGMA query_only = 1; PRAGMA cache_size = -4096;";
  if (auto status = execute(db->get(), setup, "opening a reader"); !status.ok()) return status;
  auto reader = std::make_unique<Reader>();
  if (auto status = reader->prepare(db->get()); !status.ok()) return status;
  reader_dbs_.push_back(*std::move(db));
  readers_.push_back(std::move(reader));
  return absl::OkStatus();
}

SqliteStore::~SqliteStore() {
  writer_.stop();
  {
    const std::lock_guard lock(read_mutex_);
    stopping_ = true;
  }
  read_wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  readers_.clear();
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
  if (auto status = execute(db, "BEGIN IMMEDIATE", "taking the lease"); !status.ok()) return status;
  absl::StatusOr<Lease> lease = take_lease(db, first_slot, last_slot, holder);
  if (lease.ok()) {
    if (auto status = execute(db, "COMMIT", "taking the lease"); !status.ok()) lease = status;
  }
  if (sqlite3_get_autocommit(db) == 0) execute(db, "ROLLBACK", "giving the lease up").IgnoreError();
  return lease;
}

absl::Status SqliteStore::put_namespace(const NamespaceRow& row) {
  const std::lock_guard lock(writer_db_mutex_);
  Statement other;
  if (auto status = other.prepare(writer_db_.get(), "SELECT 1 FROM namespaces WHERE name = ? AND id <> ?");
      !status.ok())
    return status;
  other.bind(1, row.name).bind(2, row.id);
  const int code = other.step();
  if (code == SQLITE_ROW) return absl::AlreadyExistsError("Namespace already exists.");
  if (code != SQLITE_DONE) return sqlite_error(writer_db_.get(), "writing a namespace");
  other.reset();
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
  int code = SQLITE_DONE;
  while ((code = all.step()) == SQLITE_ROW) rows.push_back({all.text(0), all.text(1), all.text(2)});
  if (code != SQLITE_DONE) return sqlite_error(writer_db_.get(), "reading the namespaces");
  return rows;
}

absl::StatusOr<std::optional<std::string>> SqliteStore::get_setting(const std::string& name) {
  const std::lock_guard lock(writer_db_mutex_);
  Statement get;
  if (auto status = get.prepare(writer_db_.get(), "SELECT value FROM settings WHERE name = ?"); !status.ok())
    return status;
  get.bind(1, name);
  const int code = get.step();
  if (code == SQLITE_ROW) return get.text(0);
  if (code != SQLITE_DONE) return sqlite_error(writer_db_.get(), "reading a setting");
  return std::nullopt;
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

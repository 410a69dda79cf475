#include "engine/store/mysql/mysql_store.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include "engine/store/mysql/contents.h"
#include "engine/store/mysql/keeper.h"
#include "engine/store/mysql/reader.h"
#include "engine/store/mysql/schema.h"
#include "engine/store/mysql/session.h"
#include "engine/store/mysql/writer_pool.h"

namespace skald::store {
namespace {

class MysqlStore final : public Store {
 public:
  explicit MysqlStore(const MysqlOptions& options)
      : options_(options), keeper_(options), writers_(options, [this](const absl::Status&) { keeper_.trouble(); }) {}
  ~MysqlStore() override;
  void start();

  absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder) override {
    return keeper_.acquire(first_slot, last_slot, holder);
  }
  void watch(Watcher watcher) override { keeper_.watch(std::move(watcher)); }
  void commit(Batch batch, CommitDone done) override {
    if (auto status = keeper_.presence(); !status.ok()) return done(status);
    writers_.commit(std::move(batch), std::move(done));
  }
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) override {
    if (auto status = keeper_.presence(); !status.ok()) return done(status);
    writers_.outcome_of(lease, batch_id, std::move(done));
  }

  void read_run(const RunKey& key, Done<std::optional<RunRow>> done) override {
    read<std::optional<RunRow>>(std::move(done), [key](MysqlReader& reader) { return reader.run(key); });
  }
  void read_current(const WorkflowKey& key, Done<std::optional<CurrentRow>> done) override {
    read<std::optional<CurrentRow>>(std::move(done), [key](MysqlReader& reader) { return reader.current(key); });
  }
  void read_history(const RunKey& key, int64_t first_event_id, int64_t last_event_id, size_t max_bytes,
                    Done<std::vector<HistoryChunk>> done) override {
    read<std::vector<HistoryChunk>>(std::move(done), [=](MysqlReader& reader) {
      return reader.history(key, first_event_id, last_event_id, max_bytes);
    });
  }
  void read_history_reverse(const RunKey& key, int64_t last_event_id, size_t max_bytes,
                            Done<std::vector<HistoryChunk>> done) override {
    read<std::vector<HistoryChunk>>(
        std::move(done), [=](MysqlReader& reader) { return reader.history_reverse(key, last_event_id, max_bytes); });
  }
  void scan_wake(const Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 Done<Page<std::pair<RunKey, absl::Time>>> done) override {
    read<Page<std::pair<RunKey, absl::Time>>>(
        std::move(done), [=](MysqlReader& reader) { return reader.wake(lease, until, after, limit); });
  }
  void scan_work(const Lease& lease, const std::string& after, size_t limit, Done<Page<RunKey>> done) override {
    read<Page<RunKey>>(std::move(done), [=](MysqlReader& reader) { return reader.work(lease, after, limit); });
  }
  void scan_outbox(const Lease& lease, const std::string& after, size_t limit, Done<Page<OutboxRow>> done) override {
    read<Page<OutboxRow>>(std::move(done), [=](MysqlReader& reader) { return reader.outbox(lease, after, limit); });
  }
  void list(const VisibilityQuery& query, size_t page_size, const std::string& page_token,
            Done<Page<VisibilityRow>> done) override {
    read<Page<VisibilityRow>>(std::move(done),
                              [=](MysqlReader& reader) { return reader.list(query, page_size, page_token); });
  }
  void count(const VisibilityQuery& query, Done<std::vector<CountGroup>> done) override {
    read<std::vector<CountGroup>>(std::move(done), [query](MysqlReader& reader) { return reader.count(query); });
  }

  absl::Status put_namespace(const NamespaceRow& row) override;
  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override;
  absl::StatusOr<std::optional<std::string>> get_setting(const std::string& name) override;
  absl::Status put_setting(const std::string& name, const std::string& value) override;
  absl::StatusOr<std::unique_ptr<Contents>> contents(const PageLimits& limits) override {
    if (auto status = keeper_.presence(); !status.ok()) return status;
    return mysql_contents(options_.address, limits);
  }

 private:
  using ReadTask = absl::AnyInvocable<void(MysqlReader&)>;

  template <typename T, typename F>
  void read(Done<T> done, F call) {
    if (auto status = keeper_.presence(); !status.ok()) return done(status);
    {
      const std::lock_guard lock(read_mutex_);
      reads_.push_back([this, done = std::move(done), call = std::move(call)](MysqlReader& reader) mutable {
        absl::StatusOr<T> result = call(reader);
        if (absl::IsUnavailable(result.status())) result = call(reader);  // an idle connection may have been closed
        if (absl::IsUnavailable(result.status())) keeper_.trouble();
        done(std::move(result));
      });
    }
    read_wake_.notify_one();
  }
  void read_loop();

  const MysqlOptions options_;
  Keeper keeper_;
  WriterPool writers_;

  std::mutex read_mutex_;
  std::condition_variable read_wake_;
  std::deque<ReadTask> reads_;
  bool stopping_ = false;
  std::vector<std::thread> readers_;
};

void MysqlStore::start() {
  keeper_.start();
  writers_.start();
  for (int i = 0; i < options_.readers; ++i) readers_.emplace_back([this] { read_loop(); });
}

MysqlStore::~MysqlStore() {
  writers_.stop();
  {
    const std::lock_guard lock(read_mutex_);
    stopping_ = true;
  }
  read_wake_.notify_all();
  for (std::thread& thread : readers_) thread.join();
  keeper_.stop();
}

void MysqlStore::read_loop() {
  pthread_setname_np(pthread_self(), "skald-store-r");
  Session session(options_.address, {.lock_wait = options_.lock_wait});
  MysqlReader reader(session);
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

absl::Status MysqlStore::put_namespace(const NamespaceRow& row) {
  return keeper_.with_session([&](Session& session) {
    const auto found = session.update(
        "UPDATE namespaces SET name = ?, record = ? WHERE id = ?",
        [&](Parameters& values) { values.add(row.name).add(row.record).add(row.id); }, "writing a namespace");
    absl::Status status = found.status();
    if (found.ok() && *found == 0) {
      status =
          session
              .update(
                  "INSERT INTO namespaces (id, name, record) VALUES (?, ?, ?)",
                  [&](Parameters& values) { values.add(row.id).add(row.name).add(row.record); }, "writing a namespace")
              .status();
    }
    if (!status.ok())
      return session.fault() == Fault::kDuplicate ? absl::AlreadyExistsError("Namespace already exists.") : status;
    return session.commit();
  });
}

absl::StatusOr<std::vector<NamespaceRow>> MysqlStore::namespaces() {
  std::vector<NamespaceRow> rows;
  const absl::Status status = keeper_.with_session([&](Session& session) {
    rows.clear();
    const absl::Status read = session.query(
        "SELECT id, name, record FROM namespaces ORDER BY name", nullptr,
        [&](const ResultRow& row) {
          rows.push_back({row.text(0), row.text(1), row.text(2)});
        },
        "reading the namespaces");
    session.rollback();
    return read;
  });
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<std::optional<std::string>> MysqlStore::get_setting(const std::string& name) {
  std::optional<std::string> value;
  const absl::Status status = keeper_.with_session([&](Session& session) {
    const absl::Status read = session.query(
        "SELECT value FROM settings WHERE name = ?", [&](Parameters& values) { values.add(name); },
        [&](const ResultRow& row) { value = row.text(0); }, "reading a setting");
    session.rollback();
    return read;
  });
  if (!status.ok()) return status;
  return value;
}

absl::Status MysqlStore::put_setting(const std::string& name, const std::string& value) {
  return keeper_.with_session([&](Session& session) {
    const auto put = session.update(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)",
        [&](Parameters& values) { values.add(name).add(value); }, "writing a setting");
    return put.ok() ? session.commit() : put.status();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_mysql(MysqlOptions options) {
  if (auto status = prepare_database(options.address, options.create); !status.ok()) return status;
  auto store = std::make_unique<MysqlStore>(options);
  store->start();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace skald::store

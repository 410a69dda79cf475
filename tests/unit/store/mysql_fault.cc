#include "tests/unit/store/mysql_fault.h"

#include <algorithm>
#include <thread>

#include <absl/time/clock.h>

namespace skald::store {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);
constexpr std::chrono::milliseconds kBetweenLooks(5);

}  // namespace

void await(const std::string& what, const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + kLimit;
  while (!condition()) {
    if (absl::Now() > give_up) FAIL() << "in vain awaited: " << what;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

MysqlAddress Witness::server_of(MysqlAddress address) {
  address.database.clear();
  return address;
}

Witness::Witness(const MysqlOptions& options, bool autocommit)
    : session_(server_of(options.address), {.autocommit = autocommit, .lock_wait = kLimit}) {}

void Witness::run(const std::string& sql) { EXPECT_EQ(session_.execute(sql, sql), absl::OkStatus()); }

std::string Witness::text(const std::string& sql) {
  std::string text;
  const auto take = [&](const ResultRow& row) { text = row.text(0); };
  EXPECT_EQ(session_.query_once(sql, nullptr, take, sql), absl::OkStatus());
  return text;
}

int64_t Witness::number(const std::string& sql) {
  int64_t number = -1;
  const auto take = [&](const ResultRow& row) { number = row.number(0); };
  EXPECT_EQ(session_.query_once(sql, nullptr, take, sql), absl::OkStatus());
  return number;
}

int64_t Witness::status(const std::string& name) {
  return number("SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE variable_name = '" +
                name + "'");
}

Watcher Heard::watcher() {
  return [news = news_](const absl::Status& status) {
    const std::lock_guard lock(news->mutex);
    news->codes.push_back(status.code());
  };
}

std::vector<absl::StatusCode> Heard::codes() const {
  const std::lock_guard lock(news_->mutex);
  return news_->codes;
}

bool Heard::has(absl::StatusCode code) const {
  const auto codes = this->codes();
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

void OwnServer::start(const std::vector<std::string>& server_options) {
  const absl::Status started = server_.start(server_options);
  ASSERT_TRUE(started.ok()) << started;
}

GlobalVariable::GlobalVariable(const MysqlOptions& options, std::string name, int64_t value)
    : witness_(options), name_(std::move(name)), before_(witness_.number("SELECT @@GLOBAL." + name_)) {
  witness_.run("SET GLOBAL " + name_ + " = " + std::to_string(value));
}

GlobalVariable::~GlobalVariable() { witness_.run("SET GLOBAL " + name_ + " = " + std::to_string(before_)); }

MysqlOptions as_plain_user(MysqlOptions options) {
  Witness witness(options);
  const std::string user = "plain_" + options.address.database;
  witness.run("CREATE USER '" + user + "'@'" + options.address.host + "' IDENTIFIED BY 'plain'");
  witness.run("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE VIEW ON `" + options.address.database +
              "`.* TO '" + user + "'@'" + options.address.host + "'");
  options.address.user = user;
  options.address.password = "plain";
  return options;
}

std::unique_ptr<Store> MysqlFault::another_store(const MysqlOptions& options) {
  auto store = open_mysql(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

void MysqlFault::open() { open(options_); }

void MysqlFault::open(const MysqlOptions& options) {
  auto store = open_mysql(options);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  store_->watch(heard_.watcher());
  const auto lease = store_->acquire(0, kSlots, "test");
  ASSERT_TRUE(lease.ok()) << lease.status();
  lease_ = *lease;
}

Batch MysqlFault::batch(const std::string& run) {
  Batch batch;
  batch.id = "batch-" + std::to_string(++batches_);
  batch.lease = lease_;
  const RunKey key = run_key(run);
  batch.runs.push_back({key, 1, at(5), true, "state"});
  batch.current.push_back({key.workflow(), run, 1, "request"});
  batch.history.push_back({key, {1, 3, "events"}});
  batch.outbox.push_back({"message-" + run, key, "message"});
  batch.visibility.push_back(visibility_row(run, 0, 1));
  return batch;
}

std::future<absl::Status> MysqlFault::begin_commit(Batch batch) {
  auto promise = std::make_shared<std::promise<absl::Status>>();
  store_->commit(std::move(batch), [promise](absl::Status status) { promise->set_value(std::move(status)); });
  return promise->get_future();
}

absl::StatusOr<bool> MysqlFault::outcome(const std::string& batch_id) { return outcome(batch_id, lease_); }

absl::StatusOr<bool> MysqlFault::outcome(const std::string& batch_id, const Lease& lease) {
  return wait_for<bool>([&](auto done) { store_->outcome_of(lease, batch_id, std::move(done)); });
}

absl::Status MysqlFault::read(const std::string& run) {
  const auto row = wait_for<std::optional<RunRow>>([&](auto done) { store_->read_run(run_key(run), std::move(done)); });
  if (!row.ok()) return row.status();
  return *row ? absl::OkStatus() : absl::NotFoundError(run);
}

int64_t MysqlFault::rows(const std::string& run) {
  const std::string of_run = " WHERE run_id = '" + run + "')";
  std::string sql = "SELECT ";
  for (const char* name : {"runs", "current_runs", "history", "outbox", "visibility"}) {
    if (sql.back() == ')') sql += " + ";
    sql += "(SELECT COUNT(*) FROM " + table(name) + of_run;
  }
  return witness().number(sql);
}

void MysqlFault::expect_work() {
  ASSERT_NE(store_, nullptr);
  const std::string run = "afterwards-" + std::to_string(batches_);
  EXPECT_EQ(commit_run(run), absl::OkStatus());
  EXPECT_EQ(rows(run), kWhole);
  EXPECT_EQ(read(run), absl::OkStatus());
}

Witness& MysqlFault::witness() {
  if (witness_ == nullptr) witness_ = std::make_unique<Witness>(options_);
  return *witness_;
}

int64_t MysqlFault::connections() {
  return witness().number("SELECT COUNT(*) FROM information_schema.processlist WHERE db = '" +
                          options_.address.database + "'");
}

int64_t MysqlFault::waiting_for_locks() {
  // Not innodb_trx: that table renews itself only when nobody has looked for a while.
  return witness().status("Innodb_row_lock_current_waits");
}

std::string MysqlFault::busy_connection() {
  return witness().text("SELECT id FROM information_schema.processlist WHERE command <> 'Sleep' AND db = '" +
                        options_.address.database + "'");
}

void MysqlFault::kill_connections(const std::string& where) {
  const std::string ids = witness().text("SELECT GROUP_CONCAT(id) FROM information_schema.processlist WHERE db = '" +
                                         options_.address.database + "' AND " + where);
  for (size_t from = 0; from < ids.size();) {
    const size_t end = std::min(ids.find(',', from), ids.size());
    witness().run("KILL " + ids.substr(from, end - from));
    from = end + 1;
  }
}

}  // namespace skald::store

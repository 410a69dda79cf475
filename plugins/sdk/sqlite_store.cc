#include <cctype>
#include <functional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/sdk/effect_store.h"
#include "plugins/sdk/text.h"

namespace skald::plugin {
namespace {

// A checkpoint costs two more fsyncs: with 16 MiB of log between them they do not count.
constexpr const char* kCheckpoint = "PRAGMA wal_autocheckpoint=4000";

// One transaction at a time writes here: there is nothing to lock a row against.
std::string_view without_lock(std::string_view sql) {
  constexpr std::string_view kLock = "FOR UPDATE";
  const bool locks = sql.ends_with(kLock) && sql.size() > kLock.size() &&
                     std::isspace(static_cast<unsigned char>(sql[sql.size() - kLock.size() - 1])) != 0;
  return locks ? sql.substr(0, sql.size() - kLock.size()) : sql;
}

// SQLite makes absolute names of files, which a process that may not pass the folders above its own cannot open. Names
// that begin with ./ stay as they are: such a process does not leave its folder.
const char* vfs_for(const std::string& path) {
  if (!path.starts_with("./")) return nullptr;
  static sqlite3_vfs* const here = [] {
    static sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
    vfs.zName = "skald-here";
    vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* out) {
      sqlite3_snprintf(size, out, "%s", name);
      return SQLITE_OK;
    };
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? &vfs : nullptr;
  }();
  return here == nullptr ? nullptr : here->zName;
}

// Books are for the plugin's user and his group.
void keep_from_others(const std::string& path) {
  for (const char* more : {"", "-wal", "-shm"}) {
    const std::string file = path + more;
    struct stat about {};
    if (stat(file.c_str(), &about) == 0 && about.st_uid == geteuid())
      chmod(file.c_str(), about.st_mode & 07777 & ~static_cast<mode_t>(S_IRWXO));
  }
}

// The ledger's transactions need no help of ours here: a statement costs a microsecond.
class SqliteStore final : public LedgerStore {
 public:
  // One that reads.
  explicit SqliteStore(const std::string& path) : path_(path), reads_(true) {
    open(SQLITE_OPEN_READONLY);
    run("PRAGMA cache_size=-8192", {});
  }
  SqliteStore(const std::string& path, int schema) : path_(path) {
    open(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    try {
      check_schema(schema);
      run("PRAGMA journal_mode=WAL", {});
      run("PRAGMA synchronous=FULL", {});
      run(kCheckpoint, {});
      run("PRAGMA cache_size=-32768", {});
      keep_from_others(path);
    } catch (...) {
      close();
      throw;
    }
  }
  ~SqliteStore() override { close(); }

  std::vector<Row> run(std::string_view sql, std::initializer_list<Value> parameters) override {
    sqlite3_stmt* statement = prepared(sql);
    if (static_cast<int>(parameters.size()) != sqlite3_bind_parameter_count(statement)) {
      throw std::runtime_error(path_ + ": " + std::string(sql) + " was given " + std::to_string(parameters.size()) +
                               " parameters");
    }
    if (marked_ && !sqlite3_stmt_readonly(statement)) set_savepoint();
    int index = 0;
    for (const Value& value : parameters) bind(statement, ++index, value);
    std::vector<Row> rows;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) rows.push_back(read(statement));
    const std::string problem = code == SQLITE_DONE ? "" : sentence();
    sqlite3_reset(statement);
    if (code != SQLITE_DONE) throw std::runtime_error(problem);
    return rows;
  }

  int64_t changed() override { return sqlite3_changes64(db_); }

  void begin(const Keys&, bool) override { run(reads_ ? "BEGIN" : "BEGIN IMMEDIATE", {}); }

  void mark() override {
    release_savepoint();
    marked_ = true;
  }

  void undo() override {
    if (!savepoint_) return;
    run("ROLLBACK TO SAVEPOINT effect", {});
    release_savepoint();
    marked_ = true;
  }

  void commit() override {
    marked_ = savepoint_ = false;
    run("COMMIT", {});
  }

  void rollback() noexcept override {
    marked_ = savepoint_ = false;
    try {
      run("ROLLBACK", {});
    } catch (const std::exception&) {  // the database has rolled back by itself
    }
  }

  std::unique_ptr<LedgerStore> reader() const override { return std::make_unique<SqliteStore>(path_); }

  bool has_column(std::string_view table, std::string_view column) override {
    return !run("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", {std::string(table), std::string(column)}).empty();
  }

 private:
  void open(int flags) {
    if (sqlite3_open_v2(path_.c_str(), &db_, flags, vfs_for(path_)) != SQLITE_OK) {
      const std::string reason = sqlite3_errmsg(db_);
      sqlite3_close(db_);
      throw std::runtime_error("cannot open " + path_ + ": " + reason +
                               "; its folder must be there, and both must be writable");
    }
    sqlite3_busy_timeout(db_, 5000);
  }

  void set_savepoint() {
    marked_ = false;
    run("SAVEPOINT effect", {});
    savepoint_ = true;
  }
  void release_savepoint() {
    if (std::exchange(savepoint_, false)) run("RELEASE SAVEPOINT effect", {});
  }

  // What went wrong last.
  std::string sentence() const {
    const int code = sqlite3_errcode(db_) & 0xff;
    if (code != SQLITE_NOTADB && code != SQLITE_CORRUPT) return path_ + ": " + sqlite3_errmsg(db_);
    return path_ + " is damaged (" + sqlite3_errmsg(db_) +
           "): stop the server, put a backup of this file in its place and remove those beside it that end in -wal and "
           "-shm. Without a backup move all three away: the plugin then begins anew, and does not know what it has "
           "done";
  }

  void check_schema(int schema) {
    const int64_t found = number(run("PRAGMA user_version", {})[0][0]);
    const bool empty = number(run("SELECT COUNT(*) FROM sqlite_master", {})[0][0]) == 0;
    if (!empty) check_version(path_, found, schema, "the file away");
    if (found != stored_version(schema)) run("PRAGMA user_version=" + std::to_string(stored_version(schema)), {});
  }

  sqlite3_stmt* prepared(std::string_view sql) {
    auto found = statements_.find(sql);
    if (found != statements_.end()) return found->second;
    sqlite3_stmt* statement = nullptr;
    const std::string_view own = without_lock(sql);
    if (sqlite3_prepare_v3(db_, own.data(), static_cast<int>(own.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK) {
      throw std::runtime_error(sentence());
    }
    statements_.emplace(sql, statement);
    return statement;
  }

  // The values outlive the steps that read them, and all are bound again by the next run: nothing is copied.
  static void bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      sqlite3_bind_int64(statement, index, *number);
    } else {
      const auto& text = std::get<std::string>(value);
      sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    }
  }

  static Row read(sqlite3_stmt* statement) {
    Row row;
    const int columns = sqlite3_column_count(statement);
    row.reserve(static_cast<size_t>(columns));
    for (int i = 0; i < columns; ++i) {
      if (sqlite3_column_type(statement, i) == SQLITE_INTEGER) {
        row.emplace_back(int64_t{sqlite3_column_int64(statement, i)});
      } else {
        const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        row.emplace_back(
            std::string(data == nullptr ? "" : data, static_cast<size_t>(sqlite3_column_bytes(statement, i))));
      }
    }
    return row;
  }

  void close() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    statements_.clear();
    sqlite3_close(db_);
    db_ = nullptr;
  }

  const std::string path_;
  const bool reads_ = false;
  sqlite3* db_ = nullptr;
  bool marked_ = false;     // the next statement that writes needs a savepoint before it
  bool savepoint_ = false;  // it is set
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
};

}  // namespace

std::unique_ptr<LedgerStore> open_sqlite_store(const std::string& path, int schema) {
  return std::make_unique<SqliteStore>(path, schema);
}

}  // namespace skald::plugin

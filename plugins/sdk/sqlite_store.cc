#include <stdexcept>
#include <unordered_map>

#include <sqlite3.h>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin {
namespace {

class SqliteStore final : public EffectStore {
 public:
  explicit SqliteStore(const std::string& path) : path_(path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) {
      const std::string reason = sqlite3_errmsg(db_);
      sqlite3_close(db_);
      throw std::runtime_error("cannot open " + path + ": " + reason);
    }
    sqlite3_busy_timeout(db_, 5000);
    try {
      run("PRAGMA journal_mode=WAL", {});
      run("PRAGMA synchronous=FULL", {});
    } catch (...) {
      close();
      throw;
    }
  }
  ~SqliteStore() override { close(); }

  std::vector<Row> run(const std::string& sql, std::initializer_list<Value> parameters) override {
    sqlite3_stmt* statement = prepared(sql);
    int index = 0;
    for (const Value& value : parameters) bind(statement, ++index, value);
    std::vector<Row> rows;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) rows.push_back(read(statement));
    const std::string reason = code == SQLITE_DONE ? "" : sqlite3_errmsg(db_);
    sqlite3_reset(statement);
    if (code != SQLITE_DONE) throw std::runtime_error(path_ + ": " + reason);
    return rows;
  }

 private:
  sqlite3_stmt* prepared(const std::string& sql) {
    auto found = statements_.find(sql);
    if (found != statements_.end()) return found->second;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      throw std::runtime_error(path_ + ": " + sqlite3_errmsg(db_));
    }
    return statements_[sql] = statement;
  }

  static void bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      sqlite3_bind_int64(statement, index, *number);
    } else {
      const auto& text = std::get<std::string>(value);
      sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
  }

  static Row read(sqlite3_stmt* statement) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
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

  std::string path_;
  sqlite3* db_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace

std::unique_ptr<EffectStore> open_sqlite_store(const std::string& path) { return std::make_unique<SqliteStore>(path); }

}  // namespace skald::plugin

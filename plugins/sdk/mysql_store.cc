#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "plugins/sdk/activity_error.h"
#include "plugins/sdk/mysql_batch.h"
#include "plugins/sdk/mysql_session.h"
#include "plugins/sdk/text.h"

namespace skald::plugin {
namespace {

// A round trip to the database costs more than what a plugin's statement does there. So, without care: rows that are
// inserted wait for the end of the batch, or for a statement that could see them, and go as one; lookups by key are
// asked once for all keys of the batch; and there are no savepoints. If an effect then fails halfway, or something is
// refused that many effects have in common, the batch is applied again, with care: each statement at once, and a
// savepoint before the first that writes of each effect.
class MysqlStore final : public LedgerStore {
 public:
  // One that reads.
  explicit MysqlStore(const MysqlLogin& login) : login_(login), reads_(true), session_(login) {}
  MysqlStore(const MysqlLogin& login, int schema) : login_(login), session_(login) {
    session_.connect();
    check_schema(schema);
  }

  void begin(const Keys& keys, bool careful) override {
    pending_.clear();
    broken_.reset();
    if (std::exchange(unfit_, false)) session_.drop();
    session_.connect();
    if (reads_) {
      send("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
      send("START TRANSACTION WITH CONSISTENT SNAPSHOT");
      return;
    }
    answers_.begin(keys());
    mode_ = careful ? Mode::kCareful : Mode::kFast;
    sent_ = false;
    mark();
  }

  std::vector<Row> run(std::string_view sql, std::initializer_list<Value> parameters) override {
    const SqlStatement& statement = read(sql);
    std::vector<Value> values(parameters);
    if (values.size() != statement.parameters())
      throw std::runtime_error(std::string(sql) + " was given " + std::to_string(values.size()) + " parameters");
    if (broken_) throw *broken_;
    if (reads_ && !statement.reads()) throw std::runtime_error("what only reads must not run " + std::string(sql));
    if (mode_ == Mode::kFast && !statement.inserts_into().empty()) return insert_later(statement, std::move(values));
    if (pending_.concerns(statement, values)) send_pending(&statement);
    if (statement.is_lookup() && std::holds_alternative<std::string>(values[0])) return look_up(statement, values);
    return run_now(statement, values);
  }

  int64_t changed() override { return changed_; }

  void mark() override {
    mark_ = pending_.mark();
    written_ = false;
    savepoint_ = false;
  }

  void undo() override {
    if (broken_) throw *broken_;
    if (written_ && mode_ == Mode::kFast) again("an effect of the batch failed after it had written", true);
    pending_.undo(mark_);
    if (savepoint_) {
      send("ROLLBACK TO SAVEPOINT effect");
      answers_.forget_all();
    }
    written_ = false;
  }

  void commit() override {
    if (broken_) throw *broken_;
    send_pending(nullptr);
    try {
      if (sent_) session_.commit();
    } catch (const MysqlError& e) {
      end(e);
    }
    mode_ = Mode::kDirect;
    answers_.begin({});
  }

  void rollback() noexcept override {
    pending_.clear();
    try {
      if (sent_ && session_.connected()) session_.execute("ROLLBACK");
    } catch (const std::exception&) {
      session_.drop();
    }
    mode_ = Mode::kDirect;
    answers_.begin({});
  }

  std::unique_ptr<LedgerStore> reader() const override { return std::make_unique<MysqlStore>(login_); }

  bool has_column(std::string_view table, std::string_view column) override {
    static constexpr std::string_view kColumn = R"(
      SELECT 1
      FROM information_schema.columns
      WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?)";
    return !run(kColumn, {std::string(table), std::string(column)}).empty();
  }

 private:
  enum class Mode { kDirect, kFast, kCareful };  // kDirect: outside of batches

  const SqlStatement& read(std::string_view sql) {
    const auto found = statements_.find(sql);
    if (found != statements_.end()) return *found->second;
    return *statements_.emplace(sql, std::make_unique<SqlStatement>(sql)).first->second;
  }

  std::vector<Row> insert_later(const SqlStatement& statement, std::vector<Value> row) {
    pending_.add(statement, std::move(row));
    changed_ = 1;
    return {};
  }

  std::vector<Row> look_up(const SqlStatement& statement, const std::vector<Value>& values) {
    const auto& key = std::get<std::string>(values[0]);
    if (answers_.worthwhile(statement, key)) answers_.learn(statement, send(statement.lookup_text(answers_.keys())));
    const std::vector<Row>* known = answers_.find(statement, key);
    return known != nullptr ? *known : send(statement.text(values));
  }

  std::vector<Row> run_now(const SqlStatement& statement, const std::vector<Value>& values) {
    if (statement.reads()) return send(statement.text(values));
    if (!statement.index().empty() && has_index(statement)) return {};
    if (mode_ == Mode::kCareful && !savepoint_ && !statement.defines()) {
      send("SAVEPOINT effect");
      savepoint_ = true;
    }
    answers_.forget(statement, values);
    auto rows = send(statement.text(values));
    written_ = true;
    return rows;
  }

  void send_pending(const SqlStatement* before) {
    const bool own = pending_.mark() != mark_;
    try {
      pending_.send(
          before, session_.longest_statement() / 2,
          [this, own](const std::string& text) {
            send(text);
            written_ = written_ || own;
          },
          [this](const SqlStatement& insert, const std::vector<Value>& row) { answers_.forget(insert, row); });
      if (!own) mark_ = pending_.mark();
    } catch (const RepeatBatch&) {
      throw;
    } catch (const std::exception& e) {  // whose row it is about is not known
      again(e.what(), true);
    }
  }

  std::vector<Row> send(const std::string& text) {
    check_length(text.size());
    sent_ = true;
    try {
      MysqlSession::Result result = session_.execute(text);
      changed_ = result.changed;
      return std::move(result.rows);
    } catch (const MysqlError& e) {
      end(e);
    }
  }

  // What a statement's failure means for the batch.
  [[noreturn]] void end(const MysqlError& error) {
    if (mode_ != Mode::kDirect) {
      if (error.lost()) again(error.what(), true);
      if (error.in_the_way()) again(error.what(), false);
      if (error.duplicate() && mode_ == Mode::kFast) again(error.what(), true);
    }
    if (error.lost() || error.unfit()) {
      unfit_ = true;
      throw ActivityError("DatabaseUnavailable", error.what());
    }
    if (error.duplicate()) throw DuplicateRow(error.what());
    if (error.too_long()) throw ActivityError("InvalidInput", error.what(), true);
    throw std::runtime_error(error.what());
  }

  // Whatever the author's code makes of this exception: the batch is over.
  [[noreturn]] void again(const std::string& why, bool soon) {
    broken_.emplace(why, soon);
    throw *broken_;
  }

  void check_length(size_t bytes) const {
    if (bytes + 1024 <= session_.longest_statement()) return;
    throw ActivityError("InvalidInput",
                        "a statement of " + std::to_string(bytes) + " bytes is above what MySQL at " + session_.name() +
                            " takes, max_allowed_packet = " + std::to_string(session_.longest_statement()),
                        true);
  }

  bool has_index(const SqlStatement& statement) {
    return number(run("SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND "
                      "table_name = ? AND index_name = ?",
                      {statement.index_table(), statement.index()})[0][0]) > 0;
  }

  void check_schema(int schema) {
    static constexpr std::string_view kTables =
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    static constexpr std::string_view kOurs = " AND table_name = 'plugin_schema'";
    const auto count = [this](std::string_view sql) { return number(run(sql, {})[0][0]); };
    if (count(kTables) > 0 && count(std::string(kTables) + std::string(kOurs)) == 0)
      throw std::runtime_error(session_.name() + " holds tables that no plugin made: name another database");
    run("CREATE TABLE IF NOT EXISTS plugin_schema (id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)", {});
    run("INSERT IGNORE INTO plugin_schema VALUES (1, ?)", {stored_version(schema)});
    session_.commit();
    const int64_t found = number(run("SELECT version FROM plugin_schema", {})[0][0]);
    check_version(session_.name(), found, schema, "the tables to another database");
    if (found != stored_version(schema)) run("UPDATE plugin_schema SET version = ?", {stored_version(schema)});
    session_.commit();
  }

  const MysqlLogin login_;
  const bool reads_ = false;  // in one consistent snapshot, and nothing else
  MysqlSession session_;
  std::unordered_map<std::string, std::unique_ptr<SqlStatement>, TextHash, std::equal_to<>> statements_;
  Mode mode_ = Mode::kDirect;
  PendingRows pending_;
  PendingRows::Mark mark_;
  KeyedAnswers answers_;
  std::optional<RepeatBatch> broken_;
  int64_t changed_ = 0;
  bool sent_ = false;       // in this transaction
  bool written_ = false;    // since the mark
  bool savepoint_ = false;  // since the mark
  bool unfit_ = false;      // a new connection may find a better server
};

}  // namespace

std::unique_ptr<LedgerStore> open_mysql_store(const MysqlLogin& login, int schema) {
  return std::make_unique<MysqlStore>(login, schema);
}

}  // namespace skald::plugin

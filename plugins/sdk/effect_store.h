#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skald::plugin {

using Value = std::variant<int64_t, std::string>;
using Row = std::vector<Value>;

// A plugin's tables, as its author sees them: one dialect on SQLite and on MySQL (docs/plugins.md has its rules). Used
// by one thread at a time. Errors are exceptions with a sentence.
class EffectStore {
 public:
  virtual ~EffectStore() = default;
  // Runs one statement with its parameters and returns its rows. The statement is read once and kept: put values into
  // parameters, never into the text. What a row is read for in order to change it is read by SELECT ... FOR UPDATE.
  virtual std::vector<Row> run(std::string_view sql, std::initializer_list<Value> parameters = {}) = 0;
  // How many rows the last run() inserted, updated (be it to what they were) or deleted.
  virtual int64_t changed() = 0;
};

// The batch did not happen, or nobody knows whether it did: it is to be rolled back and applied again, with care.
struct RepeatBatch : std::runtime_error {
  RepeatBatch(const std::string& why, bool soon_) : std::runtime_error(why), soon(soon_) {}
  bool soon;  // at once; else after a pause, because others are in the way
};

// There is a row with this key already, perhaps since a moment ago: somebody else may have applied the same effect.
struct DuplicateRow : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The ledger's side of it: one transaction a batch.
class LedgerStore : public EffectStore {
 public:
  // `keys` are those that the batch's effects look for. Without `careful` a store may write rows later than it is told
  // to, and may be unable to undo one effect alone: then something throws RepeatBatch, and the ledger begins again with
  // care.
  using Keys = std::function<std::vector<std::string>()>;
  virtual void begin(const Keys& keys, bool careful) = 0;
  // What follows can be undone alone, and what was before cannot any more.
  virtual void mark() = 0;
  virtual void undo() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
  // Another connection to the same tables that reads: from begin() to commit() they stand still as they were committed.
  // Thread-safe, unlike the rest.
  virtual std::unique_ptr<LedgerStore> reader() const = 0;
  // Whether a table has a column: what tables of an older program lack is added.
  virtual bool has_column(std::string_view table, std::string_view column) = 0;
};

// A store's version: of the plugin's tables, and of the ledger's, which brings its own up to date. Programs that do not
// know the ledger's refuse the store.
inline constexpr int64_t kLedgerVersion = 1;
inline constexpr int64_t stored_version(int64_t schema) { return schema + kLedgerVersion * 65536; }
// Throws std::runtime_error if `found` is not one that a plugin with tables of version `schema` can take.
void check_version(const std::string& store, int64_t found, int64_t schema, const std::string& other_place);

// WAL, synchronous=FULL; the file is made when it is not there. `schema` is the version of the tables that the caller
// makes: a file with another one is refused, untouched.
std::unique_ptr<LedgerStore> open_sqlite_store(const std::string& path, int schema = 1);

// Where a MySQL server is and how to get in.
struct MysqlLogin {
  std::string host;
  int port = 3306;
  std::string user, password;
  std::string database;                   // also called schema; made when it is not there
  bool tls = false;                       // refuse a connection that is not encrypted
  std::string tls_ca, tls_cert, tls_key;  // PEM files, or empty
};

// Tables in a MySQL (MariaDB, TiDB) database. It connects again by itself: while the server is away, batches fail with
// a retryable ActivityError "DatabaseUnavailable". Nothing it says contains the password.
std::unique_ptr<LedgerStore> open_mysql_store(const MysqlLogin& login, int schema = 1);

// The store of a plugin under the host's `data_path`: skald_plugin.h says what that is.
std::unique_ptr<LedgerStore> open_plugin_store(const std::string& data_path, const std::string& plugin, int schema);

inline int64_t number(const Value& value) { return std::get<int64_t>(value); }
inline const std::string& text(const Value& value) { return std::get<std::string>(value); }

}  // namespace skald::plugin

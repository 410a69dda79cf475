#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skald::plugin {

using Value = std::variant<int64_t, std::string>;
using Row = std::vector<Value>;

// A database under an effect ledger. Used by one thread at a time. Errors are std::runtime_error with a sentence.
class EffectStore {
 public:
  virtual ~EffectStore() = default;
  // Runs one statement with its parameters and returns its rows. The statement stays prepared: put values into
  // parameters, never into the text.
  virtual std::vector<Row> run(std::string_view sql, std::initializer_list<Value> parameters = {}) = 0;
};

// WAL, synchronous=FULL; the file is made when it is not there. `schema` is the version of the tables that the caller
// makes: a file with another one is refused, untouched.
std::unique_ptr<EffectStore> open_sqlite_store(const std::string& path, int schema = 1);

inline int64_t number(const Value& value) { return std::get<int64_t>(value); }
inline const std::string& text(const Value& value) { return std::get<std::string>(value); }

}  // namespace skald::plugin

#pragma once

#include <string>
#include <vector>

#include "engine/store/visibility_query.h"

namespace skald::store {

// A list filter as an SQL condition on `visibility v`, in words that every SQL store knows. Values are bound, never
// spliced: values() are those of the condition's placeholders, in their order.
class FilterSql {
 public:
  explicit FilterSql(const Filter& filter) : sql_(condition(filter)) {}
  const std::string& sql() const { return sql_; }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::string condition(const Filter& filter);
  std::string joined(const Filter& filter, const char* with, const char* none);
  std::string comparison(const Filter& filter);
  std::string compared(const Filter& filter, const std::string& column);
  std::string placeholder(Value value);

  std::vector<Value> values_;
  std::string sql_;
};

}  // namespace skald::store

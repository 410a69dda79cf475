#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skald::plugin::llm {

// Fields by the words of their names, in whatever style these are written: "full_name" is fullName, full-name, FULL NAME
// and fullname, and "name" is a word of customerName and of name_on_card too. "customer.name" are these words at the end
// of a path: customer.name, customerName, order.customer.name. Immutable.
class FieldNames {
 public:
  explicit FieldNames(const std::vector<std::string>& names);
  // `path`: the keys of the objects down to the field, with full stops between them.
  bool contains(std::string_view path) const;
  // What its values are called: "CUSTOMER_NAME", or "TEXT" where it has no letters.
  static std::string kind_of(std::string_view path);

 private:
  std::set<std::string> wanted_;  // words joined, in small letters, and their plurals
  size_t longest_ = 0;
};

}  // namespace skald::plugin::llm

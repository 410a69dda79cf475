#include "plugins/sdk/mysql_batch.h"

#include <algorithm>
#include <utility>

namespace skald::plugin {
namespace {

constexpr size_t kLongestInsert = 1 << 20;
constexpr size_t kLongestLookup = 1 << 18;

// A row's value in a column; nothing if the insertion does not say.
const Value* value_in(const SqlStatement& insert, const std::vector<Value>& row, const std::string& column) {
  for (const SqlStatement::Cell& cell : insert.cells()) {
    if (cell.column == column) return cell.parameter ? &row[*cell.parameter] : &cell.literal;
  }
  return nullptr;
}

// Whether the database could take them for the same: a collation of MySQL ignores spaces at the end.
bool may_equal(const Value& a, const Value& b) {
  if (a.index() != b.index() || std::holds_alternative<int64_t>(a)) return a.index() != b.index() || a == b;
  const auto trimmed = [](const Value& value) {
    const std::string_view text = std::get<std::string>(value);
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  return trimmed(a) == trimmed(b);
}

}  // namespace

void PendingRows::add(const SqlStatement& insert, Parameters row) {
  for (Group& group : groups_) {
    if (group.insert == &insert) return group.rows.push_back(std::move(row));
  }
  groups_.push_back({&insert, {std::move(row)}});
}

bool PendingRows::concerns(const SqlStatement& statement, const Parameters& parameters) const {
  const auto excluded = [&](const Group& group, const Parameters& row) {
    for (const auto& equality : statement.equalities()) {
      if (equality.table != group.insert->inserts_into()) continue;
      const Value* value = value_in(*group.insert, row, equality.column);
      if (value != nullptr && !may_equal(*value, parameters[equality.parameter])) return true;
    }
    return false;
  };
  for (const Group& group : groups_) {
    if (!statement.names(group.insert->inserts_into())) continue;
    for (const Parameters& row : group.rows) {
      if (!excluded(group, row)) return true;
    }
  }
  return false;
}

void PendingRows::send(const SqlStatement* before, size_t longest, const Send& send, const Sent& sent) {
  const size_t most = std::min(longest, kLongestInsert);
  for (Group& group : groups_) {
    if (before != nullptr && !before->names(group.insert->inserts_into())) continue;
    std::string text;
    for (const Parameters& row : group.rows) {
      const std::string values = group.insert->row_text(row);
      if (!text.empty() && text.size() + values.size() + 1 > most) {
        send(text);
        text.clear();
      }
      text += (text.empty() ? group.insert->insert_head() : ",") + values;
    }
    if (!text.empty()) send(text);
    for (const Parameters& row : group.rows) sent(*group.insert, row);
    group.rows.clear();
  }
}

PendingRows::Mark PendingRows::mark() const {
  Mark mark;
  for (const Group& group : groups_) mark.push_back(group.rows.size());
  return mark;
}

void PendingRows::undo(const Mark& mark) {
  for (size_t i = 0; i < groups_.size(); ++i) groups_[i].rows.resize(i < mark.size() ? mark[i] : 0);
}

void KeyedAnswers::begin(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  size_t bytes = 0;
  for (const std::string& key : keys) bytes += key.size();
  keys_ = bytes > kLongestLookup ? std::vector<std::string>() : std::move(keys);
  tables_.clear();
}

const std::vector<Row>* KeyedAnswers::find(const SqlStatement& lookup, const std::string& key) const {
  for (const Table& table : tables_) {
    if (table.lookup != &lookup) continue;
    const auto found = table.rows.find(key);
    return found == table.rows.end() ? nullptr : &found->second;
  }
  return nullptr;
}

bool KeyedAnswers::worthwhile(const SqlStatement& lookup, const std::string& key) const {
  if (keys_.size() < 2 || !std::binary_search(keys_.begin(), keys_.end(), key)) return false;
  return std::none_of(tables_.begin(), tables_.end(), [&](const Table& table) { return table.lookup == &lookup; });
}

void KeyedAnswers::learn(const SqlStatement& lookup, std::vector<Row> rows) {
  Table& table = tables_.emplace_back(Table{&lookup, {}});
  for (const std::string& key : keys_) table.rows[key];
  for (Row& row : rows) {
    const Value key = std::move(row.back());
    row.pop_back();
    if (const auto* text = std::get_if<std::string>(&key)) table.rows[*text].push_back(std::move(row));
  }
}

void KeyedAnswers::forget(const SqlStatement& statement, const std::vector<Value>& parameters) {
  for (Table& table : tables_) {
    const SqlStatement::Equality& by = table.lookup->equalities()[0];
    if (!statement.names(by.table)) continue;
    const Value* key = nullptr;
    if (statement.inserts_into() == by.table) key = value_in(statement, parameters, by.column);
    for (const auto& equality : statement.equalities()) {
      if (equality.table == by.table && equality.column == by.column) key = &parameters[equality.parameter];
    }
    if (key != nullptr && std::holds_alternative<std::string>(*key)) {
      table.rows.erase(std::get<std::string>(*key));
    } else {
      table.rows.clear();
    }
  }
}

void KeyedAnswers::forget_all() {
  for (Table& table : tables_) table.rows.clear();
}

}  // namespace skald::plugin

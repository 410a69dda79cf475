#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugins/sdk/sql_statement.h"

namespace skald::plugin {

// Rows that a batch has inserted and the database has not seen yet, to be sent as few statements.
class PendingRows {
 public:
  using Parameters = std::vector<Value>;
  using Mark = std::vector<size_t>;

  void add(const SqlStatement& insert, Parameters row);
  // Whether this statement may see or change one of them, and so must come after them.
  bool concerns(const SqlStatement& statement, const Parameters& parameters) const;
  // Sends those of the tables that the statement names, or all, in the order of their first.
  using Send = std::function<void(const std::string& text)>;
  using Sent = std::function<void(const SqlStatement& insert, const Parameters& row)>;
  void send(const SqlStatement* before, size_t longest, const Send& send, const Sent& sent);

  Mark mark() const;
  void undo(const Mark& mark);
  void clear() { groups_.clear(); }

 private:
  struct Group {
    const SqlStatement* insert;
    std::vector<Parameters> rows;
  };
  std::vector<Group> groups_;
};

// Answers of lookups by key, which a batch asks for all its keys at once.
class KeyedAnswers {
 public:
  void begin(std::vector<std::string> keys);
  // What is known; nothing if the database must be asked.
  const std::vector<Row>* find(const SqlStatement& lookup, const std::string& key) const;
  // Whether to ask for all keys now: it has not been done, `key` is one of them, and there are others.
  bool worthwhile(const SqlStatement& lookup, const std::string& key) const;
  const std::vector<std::string>& keys() const { return keys_; }
  void learn(const SqlStatement& lookup, std::vector<Row> rows);
  // A statement has been run, or a row has been sent: what it may have changed is not known any more.
  void forget(const SqlStatement& statement, const std::vector<Value>& parameters);
  void forget_all();

 private:
  struct Table {
    const SqlStatement* lookup;
    std::unordered_map<std::string, std::vector<Row>> rows;
  };
  std::vector<std::string> keys_;  // sorted, each once
  std::vector<Table> tables_;
};

}  // namespace skald::plugin

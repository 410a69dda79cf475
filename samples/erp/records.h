#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "samples/erp/refusal.h"

namespace skald::erp {

// The records of one kind, each with a version that every change raises, and a feed of changes. Not thread-safe.
class Records {
 public:
  // `name` is what a record is called in sentences: "order".
  explicit Records(std::string name) : name_(std::move(name)) {}

  json create(const std::string& id, json record, const std::string& by = "api");
  // Merges `change` in. With `version` only if the record still has it: else Refusal 409 with the record as it is;
  // Refusal 404 if there is none.
  json change(const std::string& id, const json& change, std::optional<int64_t> version, const std::string& by = "api");

  const json* find(const std::string& id) const;
  const json& at(const std::string& id) const;  // Refusal 404
  // The record whose field "reference" is this, or null.
  const json* by_reference(const std::string& reference) const;
  const std::map<std::string, json>& all() const { return records_; }

  // Those that changed after `cursor`, in the order of their last change: {"records", "next", "more"}. An empty cursor
  // is the beginning.
  json page(const std::string& cursor, size_t limit) const;

  // Before the next change with a version somebody else changes the record.
  void expect_rival() { rival_ = true; }

 private:
  void note(const std::string& id, json& record, const std::string& by);

  std::string name_;
  std::map<std::string, json> records_;
  std::map<std::string, std::string> references_;  // ids by reference
  std::map<std::string, int64_t> last_change_;     // by id
  std::map<int64_t, std::string> feed_;            // the last change of each
  int64_t changes_ = 0;
  bool rival_ = false;
};

}  // namespace skald::erp

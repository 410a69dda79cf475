#pragma once

#include <map>
#include <string>

#include "engine/core/core.h"
#include "engine/store/contents.h"
#include "engine/upkeep/report.h"

namespace skald::upkeep {

// The namespaces of a store, for those who check rows that refer to them.
class KnownNamespaces {
 public:
  // Reads them all; records that are wrong are reported.
  static absl::StatusOr<KnownNamespaces> read(store::Contents& contents, Report& report);

  // Null if there is none of this id, or its record cannot be read.
  const core::NamespaceSettings* find(const std::string& id) const;
  bool contains(const std::string& id) const { return by_id_.contains(id); }

  // How sentences name a row.
  std::string name(const store::WorkflowKey& key) const;
  std::string name(const store::RunKey& key) const;

 private:
  struct Known {
    bool readable = false;
    core::NamespaceSettings settings;
  };
  void add(const store::NamespaceRow& row, Report& report);

  std::map<std::string, Known> by_id_;
};

// "Running", "Completed", ...; the number if it is none of the API's.
std::string status_name(int status);
// The time as SQL shows it: Unix nanoseconds, or NULL.
std::string sql_time(absl::Time time);
// Whether both are stored as the same value.
bool same_time(absl::Time left, absl::Time right);

}  // namespace skald::upkeep

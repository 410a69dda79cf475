#include "engine/upkeep/known_namespaces.h"

#include <utility>

#include "temporal/api/enums/v1/workflow.pb.h"
#include <absl/strings/str_cat.h>

#include "engine/namespaces/registry.h"

namespace skald::upkeep {

absl::StatusOr<KnownNamespaces> KnownNamespaces::read(store::Contents& contents, Report& report) {
  auto rows = contents.namespaces();
  if (!rows.ok()) return rows.status();
  KnownNamespaces known;
  for (const store::NamespaceRow& row : *rows) known.add(row, report);
  report.count(Table::kNamespaces, rows->size());
  return known;
}

void KnownNamespaces::add(const store::NamespaceRow& row, Report& report) {
  Known& known = by_id_[row.id];
  known.settings.id = row.id;
  known.settings.name = row.name;
  namespaces::Record record;
  const auto violation = [&](const std::string& what) {
    report.violation(Table::kNamespaces, absl::StrCat("namespace ", row.name, " (id ", row.id, "): ", what,
                                                      "; restore the row namespaces.record from a backup"));
  };
  if (!record.ParseFromString(row.record)) return violation("its record cannot be read");
  if (record.id() != row.id) violation(absl::StrCat("its record says the id ", record.id()));
  if (record.name() != row.name) violation(absl::StrCat("its record says the name ", record.name()));
  known.settings = namespaces::settings_of(record);
  known.readable = true;
}

const core::NamespaceSettings* KnownNamespaces::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() || !found->second.readable ? nullptr : &found->second.settings;
}

std::string KnownNamespaces::name(const store::WorkflowKey& key) const {
  const auto found = by_id_.find(key.namespace_id);
  const std::string ns = found == by_id_.end() ? absl::StrCat("id ", key.namespace_id) : found->second.settings.name;
  return absl::StrCat("namespace ", ns, ", workflow ", key.workflow_id);
}

std::string KnownNamespaces::name(const store::RunKey& key) const {
  return absl::StrCat(name(key.workflow()), ", run ", key.run_id);
}

std::string status_name(int status) {
  switch (status) {
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING:
      return "Running";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_COMPLETED:
      return "Completed";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_FAILED:
      return "Failed";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_CANCELED:
      return "Canceled";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_TERMINATED:
      return "Terminated";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
      return "ContinuedAsNew";
    case temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
      return "TimedOut";
    default:
      return absl::StrCat("status ", status);
  }
}

std::string sql_time(absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return "NULL";
  return absl::StrCat(absl::ToUnixNanos(time));
}

bool same_time(absl::Time left, absl::Time right) { return sql_time(left) == sql_time(right); }

}  // namespace skald::upkeep

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/store/contents.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/report.h"
#include "engine/upkeep/rows.h"

namespace skald::upkeep {

// Goes through current_runs beside the runs: each row points at a run that there is, with its status and the request
// that started it; an open run is the current one of its workflow id, and the only open one.
class CurrentCheck {
 public:
  CurrentCheck(store::Contents& contents, const KnownNamespaces& namespaces, Report& report);

  // In the order of their keys. Without a state the request is not known.
  absl::Status run(const store::RunKey& key, int status, const std::optional<std::string>& start_request_id);
  // After the last one.
  absl::Status finish();

 private:
  absl::Status advance_to(const store::WorkflowKey& workflow);
  void end_workflow();
  void violation(const store::WorkflowKey& workflow, const std::string& what);

  const KnownNamespaces& namespaces_;
  Report& report_;
  Rows<store::CurrentRow> rows_;
  std::optional<store::WorkflowKey> workflow_;  // whose runs go by
  std::optional<store::CurrentRow> current_;    // its row
  bool found_ = false;                          // its run went by
  std::vector<std::string> open_;
};

}  // namespace skald::upkeep

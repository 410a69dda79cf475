#include "engine/shard/quarantine.h"

#include <absl/strings/str_cat.h>

namespace skald::shard {

absl::Status in_quarantine(const store::WorkflowKey& workflow) {
  return absl::UnavailableError(absl::StrCat("workflow ", workflow.workflow_id,
                                             " is in quarantine: the server died twice while it worked on it; try it with `skald workflow retry ",
                                             workflow.workflow_id, "`, or terminate it"));
}

}  // namespace skald::shard

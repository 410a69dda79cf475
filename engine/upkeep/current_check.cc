#include "engine/upkeep/current_check.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "engine/upkeep/run_check.h"

namespace skald::upkeep {

CurrentCheck::CurrentCheck(store::Contents& contents, const KnownNamespaces& namespaces, Report& report)
    : namespaces_(namespaces),
      report_(report),
      rows_([&contents](const std::string& after) { return contents.current(after); }) {}

void CurrentCheck::violation(const store::WorkflowKey& workflow, const std::string& what) {
  report_.violation(Table::kCurrentRuns, absl::StrCat(namespaces_.name(workflow), ": ", what));
}

absl::Status CurrentCheck::run(const store::RunKey& key, int status,
                               const std::optional<std::string>& start_request_id) {
  if (workflow_ != key.workflow()) {
    end_workflow();
    if (auto moved = advance_to(key.workflow()); !moved.ok()) return moved;
    workflow_ = key.workflow();
  }
  if (is_open(status)) open_.push_back(key.run_id);
  if (!current_ || current_->run_id != key.run_id) return absl::OkStatus();
  found_ = true;
  if (current_->status != status) {
    violation(*workflow_, absl::StrCat("current_runs.status is ", current_->status, ", its run ", key.run_id, " is ",
                                       status_name(status), "; set it to ", status, " while no server runs"));
  }
  if (start_request_id && current_->start_request_id != *start_request_id) {
    violation(*workflow_,
              absl::StrCat("current_runs.start_request_id is '", current_->start_request_id, "', its run ", key.run_id,
                           " was started by '", *start_request_id, "'; set it to that while no server runs"));
  }
  return absl::OkStatus();
}

void CurrentCheck::end_workflow() {
  if (!workflow_) return;
  if (current_ && !found_) {
    violation(*workflow_, absl::StrCat("current_runs points at run ", current_->run_id,
                                       ", which there is not; point it at the run that was started last"));
  }
  if (open_.size() > 1) {
    violation(*workflow_,
              absl::StrCat("the runs ", absl::StrJoin(open_, ", "), " are all open; terminate all but one of them"));
  } else if (open_.size() == 1 && (!current_ || current_->run_id != open_[0])) {
    violation(*workflow_, absl::StrCat("run ", open_[0], " is open, and current_runs ",
                                       current_ ? absl::StrCat("points at run ", current_->run_id) : "has no row",
                                       "; point it at the open run"));
  }
  workflow_.reset();
  current_.reset();
  found_ = false;
  open_.clear();
}

absl::Status CurrentCheck::advance_to(const store::WorkflowKey& workflow) {
  while (true) {
    auto row = rows_.peek();
    if (!row.ok()) return row.status();
    if (*row == nullptr || workflow < (*row)->key) return absl::OkStatus();
    report_.count(Table::kCurrentRuns, 1);
    if ((*row)->key == workflow) {
      current_ = std::move(**row);
      rows_.pop();
      return absl::OkStatus();
    }
    violation((*row)->key, absl::StrCat("current_runs points at run ", (*row)->run_id,
                                        ", and there is no run of this workflow id; delete the row"));
    rows_.pop();
  }
}

absl::Status CurrentCheck::finish() {
  end_workflow();
  while (true) {
    auto row = rows_.peek();
    if (!row.ok()) return row.status();
    if (*row == nullptr) return absl::OkStatus();
    if (auto status = advance_to((*row)->key); !status.ok()) return status;
    workflow_ = current_->key;
    violation(*workflow_, absl::StrCat("current_runs points at run ", current_->run_id,
                                       ", and there is no run of this workflow id; delete the row"));
    workflow_.reset();
    current_.reset();
  }
}

}  // namespace skald::upkeep

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/worker/transport.h"

namespace skald::worker {

using ReadHistory =
    std::function<void(wire::GetWorkflowExecutionHistoryRequest, Done<wire::GetWorkflowExecutionHistoryResponse>)>;
using HistoryRead = absl::AnyInvocable<void(absl::Status)>;

// Appends to the task's history the pages that its next_page_token stands for, and clears the token.
void read_remaining_history(ReadHistory read, const std::string& namespace_name,
                            std::shared_ptr<wire::PollWorkflowTaskQueueResponse> task, HistoryRead done);

// Puts before the task's history all events of the run that it does not hold, so that it begins at the first one.
void read_whole_history(ReadHistory read, const std::string& namespace_name,
                        std::shared_ptr<wire::PollWorkflowTaskQueueResponse> task, HistoryRead done);

}  // namespace skald::worker

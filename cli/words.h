#pragma once

#include <string>

#include "temporal/api/enums/v1/event_type.pb.h"
#include "temporal/api/enums/v1/failed_cause.pb.h"
#include "temporal/api/enums/v1/namespace.pb.h"
#include "temporal/api/enums/v1/workflow.pb.h"

namespace skald::cli {

// The API's enumerations in words.

std::string words(temporal::api::enums::v1::TimeoutType type);                // start to close
std::string words(temporal::api::enums::v1::RetryState state);                // no attempts left; empty if not told
std::string words(temporal::api::enums::v1::PendingActivityState state);      // cancel requested
std::string words(temporal::api::enums::v1::PendingWorkflowTaskState state);  // started
std::string words(temporal::api::enums::v1::NamespaceState state);            // registered
std::string words(temporal::api::enums::v1::ParentClosePolicy policy);        // request cancel
std::string words(temporal::api::enums::v1::WorkflowTaskFailedCause cause);   // unhandled command

// As filters of lists have them: Running, TimedOut.
std::string status_name(temporal::api::enums::v1::WorkflowExecutionStatus status);
// As the protocol's documents have them: ActivityTaskScheduled.
std::string event_name(temporal::api::enums::v1::EventType type);

}  // namespace skald::cli

#pragma once

namespace skald::store {

// A VisibilityRow's columns in SQL, in the order in which both stores read them.
inline constexpr char kVisibilityColumns[] =
    "namespace_id, run_id, workflow_id, workflow_type, task_queue, status, start_time, execution_time, close_time, "
    "history_length, history_size_bytes, state_transition_count, parent_workflow_id, parent_run_id, root_workflow_id, "
    "root_run_id, memo, search_attributes";

// The same of a table that the query calls v.
inline constexpr char kVisibilityColumnsOfV[] =
    "v.namespace_id, v.run_id, v.workflow_id, v.workflow_type, v.task_queue, v.status, v.start_time, v.execution_time, "
    "v.close_time, v.history_length, v.history_size_bytes, v.state_transition_count, v.parent_workflow_id, "
    "v.parent_run_id, v.root_workflow_id, v.root_run_id, v.memo, v.search_attributes";

}  // namespace skald::store

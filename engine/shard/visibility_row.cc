#include "engine/shard/visibility_row.h"

#include <utility>

#include "engine/core/core.h"
#include "engine/core/times.h"

namespace skald::shard {

store::VisibilityRow visibility_row(const skald::state::v1::RunState& state,
                                    std::map<std::string, store::AttributeValue> attributes) {
  store::VisibilityRow row;
  row.key = {state.namespace_id(), state.workflow_id(), state.run_id()};
  row.workflow_type = state.workflow_type();
  row.task_queue = state.task_queue();
  row.status = state.status();
  row.start_time = core::to_time(state.start_time());
  row.execution_time = state.has_execution_time() ? core::to_time(state.execution_time()) : row.start_time;
  if (state.has_close_time()) row.close_time = core::to_time(state.close_time());
  row.history_length = state.next_event_id() - 1;
  row.history_size_bytes = state.history_size_bytes();
  row.state_transition_count = state.state_transition_count();
  row.parent_workflow_id = state.parent().workflow_id();
  row.parent_run_id = state.parent().run_id();
  row.root_workflow_id = state.has_root() ? state.root().workflow_id() : state.workflow_id();
  row.root_run_id = state.has_root() ? state.root().run_id() : state.run_id();
  if (state.memo().fields_size() > 0) row.memo = core::encode(state.memo());
  if (state.search_attributes().indexed_fields_size() > 0) {
    row.search_attributes = core::encode(state.search_attributes());
  }
  row.attributes = std::move(attributes);
  return row;
}

}  // namespace skald::shard

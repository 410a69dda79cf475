#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/random.h"
#include "engine/core/input.h"
#include "engine/core/limits.h"
#include "engine/core/transition.h"

// The state machine of a run, pure: (RunState, Input, Now, Random) -> Transition. No I/O, clock, lock, log or thread. One file per
// concept. The rules are Temporal's, as its SDKs and clients meet them.
namespace skald::core {

// What the core has to know of the run's namespace.
struct NamespaceSettings {
  std::string id;
  std::string name;
  absl::Duration retention = absl::Hours(72);
  std::map<std::string, int> search_attributes;  // custom ones: name -> IndexedValueType
};

struct Context {
  absl::Time now;
  base::Random& random;
  const Limits& limits;
  const NamespaceSettings& ns;
  // The id of a namespace by name, for commands that reach into another one; nullopt if there is none.
  absl::FunctionRef<std::optional<std::string>(std::string_view)> namespace_id;
  // Whether a search attribute's value is of this type (IndexedValueType).
  absl::FunctionRef<bool(const temporal::api::common::v1::Payload&, int type)> is_of_type;
};

// The current run of the workflow id that is to be started, if there ever was one.
struct CurrentRun {
  std::string run_id;
  temporal::api::enums::v1::WorkflowExecutionStatus status;
  std::string start_request_id;
  state::RunState* open = nullptr;  // set if the run is open: start() may terminate or signal it
};

StartResult start(const StartRequest& request, const CurrentRun* current, const Context& context);

// Applies the input to the run in place.
Transition apply(state::RunState& run, const Input& input, const Context& context);

// When the run must be ticked next: its earliest timer, timeout, retry or deletion; InfiniteFuture() = never by itself.
absl::Time next_wake(const state::RunState& run);
// Whether tasks of the run wait in matching, or would have to after a restart (a started task too: its start may be forgotten).
bool has_work(const state::RunState& run);
// The scheduled ids of the activities that wait for a worker at `now`: what matching is told after a restart.
std::vector<int64_t> waiting_activities(const state::RunState& run, absl::Time now);
// The run is closed and its retention over.
bool is_expired(const state::RunState& run, absl::Time now);

// The start that a signal-with-start asks for.
wire::StartWorkflowExecutionRequest start_part(const wire::SignalWithStartWorkflowExecutionRequest& request);

wire::DescribeWorkflowExecutionResponse describe(const state::RunState& run);

// Writes at each value the type that its attribute has in the namespace (metadata `type`), unless one is there: SDKs read values by it.
void label_search_attributes(temporal::api::common::v1::SearchAttributes& attributes, const NamespaceSettings& ns);

// Serialised so that equal states give equal bytes (map entries in key order).
std::string encode(const google::protobuf::Message& message);

}  // namespace skald::core

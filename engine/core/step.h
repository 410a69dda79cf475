#pragma once

// What the core's concepts share: a run under transition. Private to the room.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "temporal/api/enums/v1/event_type.pb.h"
#include "temporal/api/enums/v1/failed_cause.pb.h"
#include <absl/status/status.h>
#include <absl/time/time.h>

#include "engine/core/core.h"
#include "engine/core/times.h"

namespace skald::core {

namespace enums = temporal::api::enums::v1;
namespace common = temporal::api::common::v1;
namespace failure = temporal::api::failure::v1;
using temporal::api::history::v1::HistoryEvent;

// The keys of a protobuf map in order: no iteration of the core may follow the map's own.
template <typename Map>
std::vector<typename Map::key_type> sorted_keys(const Map& map) {
  std::vector<typename Map::key_type> keys;
  keys.reserve(map.size());
  for (const auto& entry : map) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  return keys;
}

// A run's state, what happens to it now, and what comes of that.
class Step {
 public:
  Step(state::RunState& run_state, const Context& step) : state(run_state), context(step) {}

  state::RunState& state;
  const Context& context;
  Effects effects;
  std::optional<NewRun> successor;
  bool changed = false;
  bool durable = false;
  // While commands are carried out a new workflow task is only noted: its event follows those of all commands.
  bool defer_task = false;
  bool task_wanted = false;

  bool closed() const { return state.status() != enums::WORKFLOW_EXECUTION_STATUS_RUNNING; }
  bool has_task() const { return state.has_workflow_task(); }
  bool task_started() const { return has_task() && state.workflow_task().started_event_id() != 0; }

  // Now, but never before the last event.
  absl::Time event_time() const;

  // Appends an event that goes to history at once: closes, workflow task events, and what commands cause.
  HistoryEvent& append(enums::EventType type);
  // Appends an event from outside: buffered while a workflow task is started.
  HistoryEvent& arrive(enums::EventType type);
  // Gives the buffered events their ids, closes of activities and children last. True if there were any.
  bool flush_buffered();

  void mark_durable() { changed = durable = true; }

 private:
  HistoryEvent& numbered(HistoryEvent& event);
};

// apply.cc
// Adds the events to what the state counts of its history. Every event that is written is counted once.
void count_history(state::RunState& state, const std::vector<HistoryEvent>& events);
// Moves what the step did into the transition; the step is not used any more.
void take(Step& step, Transition& transition);
// Ends a transition: counts it, and holds the run to its limits.
void account(state::RunState& state, const Context& context, Transition& transition);

// A command that cannot be carried out: fails the workflow task.
struct CommandError {
  enums::WorkflowTaskFailedCause cause;
  std::string text;
};
using CommandResult = std::optional<CommandError>;

// workflow_task.cc
void schedule_workflow_task(Step& step);
// Writes the events of a transient task, which becomes real.
void materialize_task(Step& step);
void workflow_task_timed_out(Step& step, enums::TimeoutType type);
absl::Duration task_start_to_close(const Step& step, int32_t attempt);
absl::Status start_workflow_task(Step& step, const StartWorkflowTask& input, Output& output);
WorkflowTaskStarted begin_task(Step& step, const std::string& identity, const std::string& request_id,
                               bool partial_history);
absl::Status complete_workflow_task(state::RunState& state, const CompleteWorkflowTask& input, const Context& context,
                                    Transition& transition);
absl::Status fail_workflow_task(Step& step, const FailWorkflowTask& input);
void fail_task(Step& step, enums::WorkflowTaskFailedCause cause, const failure::Failure* failure,
               const std::string& identity);
void reset_sticky(Step& step);
void forget_starts(Step& step, uint64_t process);
void force_close_task(Step& step);

// commands.cc
CommandResult apply_command(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id);
bool is_closing(const temporal::api::command::v1::Command& command);

// activity.cc, activity_retry.cc
CommandResult schedule_activity(Step& step, const temporal::api::command::v1::Command& command,
                                int64_t completed_event_id);
CommandResult request_cancel_activity(Step& step, int64_t scheduled_event_id, int64_t completed_event_id);
absl::Status start_activity(Step& step, const StartActivity& input, Output& output);
absl::Status complete_activity(Step& step, const CompleteActivity& input);
absl::Status fail_activity(Step& step, const FailActivity& input);
absl::Status cancel_activity(Step& step, const CancelActivity& input);
absl::Status heartbeat_activity(Step& step, const HeartbeatActivity& input, Output& output);
state::PendingActivity* find_activity(Step& step, const state::TaskToken& token);
int64_t append_activity_started(Step& step, const state::PendingActivity& activity);
void activity_failed(Step& step, state::PendingActivity& activity, const failure::Failure& cause,
                     const std::string& identity);
void activity_timed_out(Step& step, state::PendingActivity& activity, enums::TimeoutType type);
void tick_activities(Step& step);
void forget_activity_starts(Step& step, uint64_t process);
// The timeout that an activity reaches first if nothing happens; InfiniteFuture() if none.
struct ActivityTimeout {
  enums::TimeoutType type = enums::TIMEOUT_TYPE_UNSPECIFIED;
  absl::Time at = absl::InfiniteFuture();
};
ActivityTimeout next_timeout(const state::PendingActivity& activity);
// Its next attempt is to be handed out at attempt_scheduled_time.
bool waits_for_retry(const state::PendingActivity& activity);
common::RetryPolicy filled_in(const common::RetryPolicy& given);
// When a failed attempt is tried again: the time until then, or why it is not.
struct RetryDecision {
  enums::RetryState state = enums::RETRY_STATE_UNSPECIFIED;  // IN_PROGRESS: try again
  absl::Duration backoff;
};
RetryDecision decide_retry(const common::RetryPolicy& policy, int32_t attempt, const failure::Failure& cause,
                           absl::Time now, absl::Time expiration);

// sizes.cc
// Whether what the command carries is within the limits; memos and search attributes are measured when they are merged.
CommandResult check_sizes(const Step& step, const temporal::api::command::v1::Command& command);
// The failure as a run keeps it: no chain of causes and no size beyond the limits.
failure::Failure within_limits(failure::Failure given, const Limits& limits);
// Its heads only, if it is larger than `limit`.
failure::Failure cut_to(const failure::Failure& cause, size_t limit);
// What stands for an answer that is beyond the limits.
failure::Failure too_large_failure(std::string_view message);

// timer.cc
CommandResult start_timer(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id);
CommandResult cancel_timer(Step& step, const std::string& timer_id, int64_t completed_event_id,
                           const std::string& identity);
void tick_timers(Step& step);

// child.cc
CommandResult start_child(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id);
void child_start_answered(Step& step, const MessageAnswered& input);
void child_closed(Step& step, const state::OutboxMessage& message);
void close_children(Step& step);
void tell_parent(Step& step, const HistoryEvent& close_event);

// external.cc
CommandResult signal_external(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id);
CommandResult cancel_external(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id);
void external_answered(Step& step, const MessageAnswered& input);
state::OutboxMessage new_message(Step& step, const std::string& target_namespace_id, const std::string& target_namespace,
                                 const std::string& workflow_id, const std::string& run_id);
absl::Status receive_message(Step& step, const state::OutboxMessage& message);

// signal.cc
absl::Status signal(Step& step, const std::string& name, const common::Payloads* input, const common::Header* header,
                    const std::string& identity, const std::string& request_id,
                    const common::WorkflowExecution* sender);
// More events wait for the workflow task than the limits allow.
bool buffer_overflows(const Step& step);
absl::Status request_cancel(Step& step, const std::string& reason, const std::string& identity,
                            const std::string& request_id, int64_t external_initiated_event_id,
                            const common::WorkflowExecution* sender);

// attributes.cc
// What is wrong with these attributes in the run's namespace; nullopt if nothing is.
std::optional<std::string> check_search_attributes(const Step& step, const common::SearchAttributes& attributes);
CommandResult upsert_search_attributes(Step& step, const common::SearchAttributes& upserts, int64_t completed_event_id);
CommandResult modify_properties(Step& step, const common::Memo& upserts, int64_t completed_event_id);

// close.cc
void complete_workflow(Step& step, const common::Payloads* result, int64_t completed_event_id);
void fail_workflow(Step& step, const failure::Failure& cause, int64_t completed_event_id);
void cancel_workflow(Step& step, const common::Payloads* details, int64_t completed_event_id);
CommandResult continue_as_new(
    Step& step, const temporal::api::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes& command,
    int64_t completed_event_id);
void terminate(Step& step, const std::string& reason, const common::Payloads* details, const std::string& identity);
void time_out_workflow(Step& step);

// new_run.cc
// What a run begins with, whoever starts it. The attributes go into event 1 as they are, completed by ids and times.
struct Beginning {
  temporal::api::history::v1::WorkflowExecutionStartedEventAttributes attributes;
  std::string run_id;
  std::string workflow_id;
  std::string request_id;
  enums::WorkflowIdReusePolicy id_reuse_policy = enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED;
  std::optional<state::ParentInfo> parent;
  temporal::api::sdk::v1::UserMetadata user_metadata;
  absl::Duration backoff;      // before the first task
  bool awaits_parent = false;  // a child waits for its parent's word
  absl::Time execution_expiration = absl::InfiniteFuture();
  // What the runs before it have been told already: it may be told once more.
  std::vector<std::string> signal_request_ids;
  std::string cancel_request_id;
  absl::Time cron_time = absl::InfinitePast();  // when the schedule's last run was due; InfinitePast() = the run's own execution time
};
// The timeouts of a run whose request leaves them out or gives longer ones than the limits that enclose them. Zero = none.
absl::Duration run_timeout_within(absl::Duration run, absl::Duration execution);
absl::Duration task_timeout_within(absl::Duration task, absl::Duration run, const Limits& limits);
NewRun new_run(Beginning beginning, const Context& context,
               const std::function<void(Step&)>& before_first_task = nullptr);
// The event 1 of a run that follows this one: what stays the same in the chain.
Beginning continued(const Step& step, enums::ContinueAsNewInitiator initiator);

// cron.cc
// The first time after `last` that the schedule names, and not before `now` (`last` itself if that is to come); nullopt if it has none or is malformed. Five fields (UTC),
// @hourly and the like, and `@every <duration>`, which counts from `last`.
std::optional<absl::Time> next_cron_time(const std::string& schedule, absl::Time last, absl::Time now);
absl::Status check_cron(const std::string& schedule);

// tick.cc
void tick(Step& step);

}  // namespace skald::core

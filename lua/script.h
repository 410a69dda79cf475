#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "temporal/api/command/v1/message.pb.h"
#include "temporal/api/failure/v1/message.pb.h"
#include "temporal/api/history/v1/message.pb.h"
#include "temporal/api/query/v1/message.pb.h"
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/time/time.h>

#include "lua/command_log.h"
#include "lua/definitions.h"
#include "lua/log_sink.h"
#include "lua/sandbox.h"
#include "lua/scheduler.h"

namespace skald::lua {

// Each operation that is cancelled tells why: of a long reason only the beginning.
inline constexpr size_t kLongestReason = 1'000;  // bytes

// How waiting code and what it started part when they are cancelled.
enum class CancellationType : uint8_t { kTry, kWait, kAbandon };

// Something outside that a workflow started and hears from again.
struct Operation {
  enum class Kind : uint8_t { kActivity, kTimer, kChild, kSignalExternal, kCancelExternal };
  Kind kind = Kind::kActivity;
  CancellationType cancellation = CancellationType::kTry;
  bool cancel_requested = false;
  uint32_t scope = 0;
  int64_t event_id = 0;     // of the event that began it; 0 = the command has not come back yet
  int future = LUA_NOREF;   // of its outcome
  int started = LUA_NOREF;  // children: of its start
  std::string id;           // activity id, timer id, workflow id
  std::string type;         // activity or workflow type
  std::string run_id;       // children, once started
};

// An activity as a script describes it.
struct ActivityTemplate {
  temporal::api::command::v1::ScheduleActivityTaskCommandAttributes attributes;
  CancellationType cancellation = CancellationType::kTry;
};

struct ChildTemplate {
  temporal::api::command::v1::StartChildWorkflowExecutionCommandAttributes attributes;
  CancellationType cancellation = CancellationType::kWait;
};

struct SignalChannel {
  bool named = false;  // by the script; the others are as many as those outside thought of
  std::deque<temporal::api::common::v1::Payloads> unread;
  int handler = LUA_NOREF;
  std::deque<int> next;             // futures of those that asked for the next one
  std::vector<uint32_t> receivers;  // coroutines
};

// Why a workflow task failed: the script's or the definition's fault, not the workflow's outcome.
struct TaskFailure {
  bool non_determinism = false;
  temporal::api::failure::v1::Failure failure;
};

// What a run is told about itself.
struct RunIdentity {
  std::string namespace_name;
  std::string workflow_id;
  std::string run_id;
};

// One run of a workflow: a sandbox in which its definition runs against its history. It is given events, and gives
// commands. The same events lead to the same commands; that they did so before is checked against the history's events.
// Not thread-safe; may go from thread to thread between calls.
class Script {
 public:
  using Event = temporal::api::history::v1::HistoryEvent;
  using Events = google::protobuf::RepeatedPtrField<Event>;
  enum class Progress { kDone, kSliceOver, kFailed };

  Script(RunIdentity identity, std::shared_ptr<const Definition> definition, const SandboxLimits& limits, LogSink& log);
  ~Script();

  static Script& of(lua_State* L) { return *Scheduler::current(L)->script; }

  // Takes a task's events: those up to the last WorkflowTaskStarted are run, later ones only compared with commands.
  // Events that the run knows already are passed over. `events` must live until go_on does not return kSliceOver.
  void begin(const Events& events);
  // The same events lie elsewhere now.
  void rebind(const Events& events) { events_ = &events; }
  // What the script may do before go_on and answer_query return kSliceOver; 0 instructions = no end.
  void begin_slice(uint64_t instructions, Lane lane) { sandbox_.begin_slice(instructions, lane); }
  // Runs the script. After kSliceOver the same call goes on, with another slice, on any thread.
  Progress go_on();
  // After kFailed. The run is of no further use.
  TaskFailure& task_failure() { return *failure_; }

  // The commands since the last call, ready to send.
  std::vector<temporal::api::command::v1::Command> take_commands();
  // Answers a query against the state after the last step. After kSliceOver the same call goes on. kFailed if the query's
  // function used up a limit: there is an answer, but the run is of no further use.
  Progress answer_query(const temporal::api::query::v1::WorkflowQuery& query,
                        temporal::api::query::v1::WorkflowQueryResult& result);

  uint64_t longest_stretch() const { return sandbox_.longest_stretch(); }
  const Definition& definition() const { return *definition_; }
  int64_t last_started_event_id() const { return last_started_event_id_; }
  // What history says of the library that the run began with: a run keeps to the rules of its beginning where replay would
  // see the difference.
  static constexpr int kLibraryVersion = 2;
  int library_version() const { return library_version_; }
  // No workflow task was completed before the present one.
  bool first_task() const { return completed_tasks_ == 0; }
  // What it holds, for the cache: what its sandbox took, and an estimate of the rest.
  size_t memory_bytes() const;

  // For the scheduler, on the script's stack: a coroutine ended well. Its result becomes what leaves the workflow.
  void encode_result(Coroutine& coroutine);
  // For the scheduler: a coroutine ended, or waits. False ends the step.
  bool after_resume(Coroutine& coroutine, int status, Pause pause);

  // ---- For the author's API; all from within a coroutine. ----
  Sandbox& sandbox() { return sandbox_; }
  Scheduler& scheduler() { return scheduler_; }
  LogSink& log() { return log_; }
  absl::Time now() const { return now_; }
  bool replaying() const { return replaying_; }
  const RunIdentity& identity() const { return identity_; }
  const temporal::api::history::v1::WorkflowExecutionStartedEventAttributes& started() const { return started_; }
  const std::string& task_queue() const { return started_.task_queue().name(); }
  absl::Time started_at() const { return started_at_; }
  const temporal::api::history::v1::WorkflowTaskStartedEventAttributes& task_started() const { return task_started_; }
  temporal::api::common::v1::Memo& memo() { return memo_; }
  temporal::api::common::v1::SearchAttributes& search_attributes() { return search_attributes_; }

  static constexpr size_t kMostOperations = 2'000;
  static constexpr size_t kMostCommands = 10'000;
  static constexpr size_t kMostCommandBytes = 16 << 20;
  static constexpr size_t kMostNames =
      10'000;  // activities, child workflows and signals that the script named, of each kind
  // What a script asks for outside of its own memory is bounded in number and bytes. Null, or what there is too much
  // of.
  const char* excess() const;
  std::string next_id(Operation::Kind kind);
  // Adds the operation and the command that starts it; its future is at `future` on L's stack.
  uint32_t start(lua_State* L, int future, Operation operation, temporal::api::command::v1::Command command,
                 ExpectedEvent expected);
  Operation* operation(uint32_t number);
  void add_command(temporal::api::command::v1::Command command, ExpectedEvent expected);
  void cancel_operation(uint32_t number, const std::string& reason);
  void cancel_scope(uint32_t scope, const std::string& reason);
  // The run is over with this command; nothing runs any more.
  void close_with(temporal::api::command::v1::Command command, ExpectedEvent expected);
  bool closed() const { return closed_; }

  // How the run comes to its end (script_end.cc).
  // A saga is open until it has succeeded or is undone; the run does not end before.
  void open_saga() { ++open_sagas_; }
  void close_saga() { --open_sagas_; }
  bool in_saga() const { return open_sagas_ > 0; }
  // The run fails with this error, or with an earlier one: its root scope is cancelled, and its end waits for sagas.
  void give_up(temporal::api::failure::v1::Failure failure);
  bool giving_up() const { return giving_up_.has_value(); }
  // Somebody looks at the future, or waits for it: what it ends with is heard of.
  void ask(Future& future);
  // The error of the first branch within the scope that failed and that nobody asked; null if there is none. It counts as
  // asked then.
  std::optional<temporal::api::failure::v1::Failure> take_unasked(uint32_t scope);

  std::vector<std::unique_ptr<ActivityTemplate>>& activity_templates() { return activity_templates_; }
  std::vector<std::unique_ptr<ChildTemplate>>& child_templates() { return child_templates_; }
  // The script names it.
  SignalChannel& channel(const std::string& name) {
    SignalChannel& channel = channels_[name];
    if (!std::exchange(channel.named, true)) ++named_channels_;
    return channel;
  }
  size_t channels() const { return named_channels_; }
  std::map<std::string, int>& query_handlers() { return query_handlers_; }
  // Runs the handler with a signal's arguments in a branch of its own.
  bool deliver(lua_State* L, SignalChannel& channel, const temporal::api::common::v1::Payloads& input,
               std::string& error);
  // An entry of memo or search attributes that cannot be read: the log says so, once.
  void tell_unreadable(const std::string& what, const std::string& error);
  // Within a side effect time and random numbers are real (author_records.cc).
  void begin_side_effect();
  void end_side_effect();
  bool in_side_effect() const { return in_side_effect_; }
  const std::string& side_effect_id() const { return side_effect_id_; }
  // The recorded value of a side effect, when the run is replayed.
  const temporal::api::common::v1::Payloads* recorded_marker(const std::string& id) const;

 private:
  // A command waits in `outgoing_` until the task ends, so that what is cancelled before it was sent is never sent.
  struct Outgoing {
    temporal::api::command::v1::Command command;
    ExpectedEvent expected;
    uint32_t operation = 0;  // that it starts
  };

  // script.cc
  bool next_task();
  int find_task(int from) const;
  bool heavy(int from, int to) const;
  bool compare_commands(int from, int to);
  bool apply_task(int from, int to);
  void seal_task();
  bool fail(const std::string& message, const std::string& trace, bool non_determinism = false);
  // script_end.cc
  bool ended(Coroutine& coroutine);
  bool threw(Coroutine& coroutine, int status);
  bool end_branch(Coroutine& coroutine, temporal::api::failure::v1::Failure failure);
  bool end_main(Coroutine& coroutine, temporal::api::command::v1::Command command);
  bool goes_on();
  temporal::api::command::v1::Command failing(temporal::api::failure::v1::Failure failure) const;
  bool start_main(std::string& error);
  // arrivals.cc
  void recall(const Event& marker);
  bool read_signal(const Event& event);
  void record_dropped();
  void refuse_input(const std::string& error);
  bool begin_query(const temporal::api::query::v1::WorkflowQuery& query,
                   temporal::api::query::v1::WorkflowQueryResult& result);
  // script_events.cc, script_operations.cc
  void apply(const Event& event);
  bool apply_start(const Event& event, std::string& error);
  void apply_signal(const Event& event);
  void apply_activity(const Event& event);
  void apply_child(const Event& event);
  void apply_external(const Event& event);
  bool compare(const Event& event, std::string& error);
  void settle_value(int64_t event_id, const temporal::api::common::v1::Payloads& value);
  void settle_failure(int64_t event_id, temporal::api::failure::v1::Failure failure);
  temporal::api::failure::v1::Failure wrapped(const Operation& operation,
                                              temporal::api::failure::v1::Failure cause) const;
  uint32_t number_of(int64_t event_id) const;
  void settle(uint32_t number, bool good);
  void settle_started(Operation& operation, bool good);
  void request_cancellation(const Operation& operation, const std::string& reason);

  RunIdentity identity_;
  std::shared_ptr<const Definition> definition_;
  LogSink& log_;
  Sandbox sandbox_;
  Scheduler scheduler_;

  // The task at hand
  const Events* events_ = nullptr;
  int next_event_ = 0;
  bool running_ = false;
  std::optional<TaskFailure> failure_;

  // What history told so far
  int64_t applied_event_id_ = 0;
  int64_t compared_event_id_ = 0;
  int64_t last_started_event_id_ = 0;
  int completed_tasks_ = 0;
  absl::Time now_;
  absl::Time started_at_;
  bool replaying_ = false;
  int library_version_ = kLibraryVersion;
  temporal::api::history::v1::WorkflowExecutionStartedEventAttributes started_;
  temporal::api::history::v1::WorkflowTaskStartedEventAttributes task_started_;
  size_t input_bytes_ = 0;
  temporal::api::common::v1::Memo memo_;
  temporal::api::common::v1::SearchAttributes search_attributes_;
  std::map<std::string, temporal::api::common::v1::Payloads> markers_;
  // Signals that could not be read: those of the task at hand, and the events of those that history says were dropped.
  struct Dropped {
    int64_t event_id;
    std::string signal;
    std::string reason;
  };
  std::vector<Dropped> dropped_;
  absl::flat_hash_set<int64_t> dropped_before_;
  std::set<std::string> told_unreadable_;

  // The query at hand
  Coroutine* query_ = nullptr;
  RandomStream random_before_query_{0};

  // What the script did
  bool closed_ = false;
  int open_sagas_ = 0;
  std::optional<temporal::api::command::v1::Command> ending_;    // the main function has ended with it
  std::optional<temporal::api::failure::v1::Failure> giving_up_;  // of a handler, or of a branch that nobody asked
  struct Unasked {
    uint32_t scope = 0;
    temporal::api::failure::v1::Failure failure;
  };
  std::map<uint32_t, Unasked> unasked_;
  uint32_t next_unasked_ = 1;
  temporal::api::common::v1::Payload result_;  // of the main function or a query's; or why there is none
  std::string result_error_;
  std::vector<Outgoing> outgoing_;
  size_t outgoing_bytes_ = 0;
  std::vector<temporal::api::command::v1::Command> to_send_;
  std::deque<ExpectedEvent> expected_;
  std::map<uint32_t, Operation> operations_;
  absl::flat_hash_map<int64_t, uint32_t> by_event_;
  uint32_t next_operation_ = 1;
  uint32_t ids_given_[5] = {};
  uint32_t markers_made_ = 0;
  bool in_side_effect_ = false;
  std::string side_effect_id_;
  RandomStream random_before_{0};
  absl::Time now_before_;
  std::vector<std::unique_ptr<ActivityTemplate>> activity_templates_;
  std::vector<std::unique_ptr<ChildTemplate>> child_templates_;
  std::map<std::string, SignalChannel> channels_;
  size_t named_channels_ = 0;
  std::map<std::string, int> query_handlers_;
};

// What is on top of the stack, thrown as an error by a script that has a bug (script_end.cc).
std::string error_message(lua_State* L);
// Pushes the metatable of futures (author_futures.cc).
void push_future_metatable(lua_State* L);
// Adds `require` and `print` to the globals (author.cc).
void open_run_library(lua_State* L);
// Runs the definition that is the function at 1, with the values above it as the workflow's arguments (author.cc).
int run_definition(lua_State* L);

}  // namespace skald::lua

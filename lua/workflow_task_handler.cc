#include "lua/workflow_task_handler.h"

#include <utility>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "lua/failures.h"

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
namespace wire = temporal::api::workflowservice::v1;
using temporal::api::query::v1::WorkflowQueryResult;

constexpr char kSdkName[] = "skald-lua";
constexpr char kSdkVersion[] = "0.2.0";
// History says with which definition a run began: the beginning of its hash stands behind the version.
constexpr size_t kHashPrefix = 16;

void set_failed(WorkflowTaskHandler::Answer& answer, TaskFailure failure) {
  wire::RespondWorkflowTaskFailedRequest request;
  request.set_cause(failure.non_determinism ? WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
                                            : WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE);
  *request.mutable_failure() = std::move(failure.failure);
  answer = std::move(request);
}

void set_query_answer(WorkflowTaskHandler::Answer& answer, WorkflowQueryResult result) {
  wire::RespondQueryTaskCompletedRequest request;
  request.set_completed_type(result.result_type());
  if (result.has_answer()) *request.mutable_query_result() = std::move(*result.mutable_answer());
  if (result.has_failure()) *request.mutable_failure() = std::move(*result.mutable_failure());
  request.set_error_message(result.error_message());
  answer = std::move(request);
}

// What went wrong, as the answer to a query or a task.
void set_error(const WorkflowTaskHandler::Task& task, WorkflowTaskHandler::Answer& answer, TaskFailure failure) {
  if (!task.has_query()) return set_failed(answer, std::move(failure));
  WorkflowQueryResult result;
  result.set_result_type(QUERY_RESULT_TYPE_FAILED);
  result.set_error_message(failure.failure.message());
  *result.mutable_failure() = std::move(failure.failure);
  set_query_answer(answer, std::move(result));
}

}  // namespace

// A run and the task it works on.
class WorkflowTaskHandler::TaskInHand final : public Unfinished {
 public:
  TaskInHand(WorkflowTaskHandler& handler, std::unique_ptr<Script> script, const Task& task)
      : handler_(handler), script_(std::move(script)), run_id_(script_->identity().run_id), task_(&task) {}

  ~TaskInHand() override {
    if (script_ == nullptr) return;
    handler_.cache_.drop_lent(run_id_);
    handler_.cache_.bury(std::move(script_));
  }

  void begin() {
    handler_.cache_.lend(run_id_);
    script_->begin(task_->history().events());
  }

  bool go_on(uint64_t slice, Answer& answer) override { return run(slice, Lane::kSlow, answer); }

  bool run(uint64_t slice, Lane lane, Answer& answer) {
    script_->begin_slice(slice, lane);
    const absl::Cleanup note = [this] { if (script_ != nullptr) stretch_ = script_->longest_stretch(); };
    if (!ran_) {
      switch (script_->go_on()) {
        case Script::Progress::kSliceOver:
          return false;
        case Script::Progress::kFailed:
          set_error(*task_, answer, std::move(script_->task_failure()));
          return true;
        case Script::Progress::kDone:
          break;
      }
      ran_ = true;
      usable_ = !script_->closed();
      if (!task_->has_query()) begin_completion();
    }
    return task_->has_query() ? answer_query(answer) : complete(answer);
  }

  uint64_t stretch() const { return stretch_; }

  // The task goes on beyond the caller's own.
  void own_task() {
    owned_ = std::make_unique<Task>(*task_);
    task_ = owned_.get();
    script_->rebind(task_->history().events());
  }

 private:
  bool answer_query(Answer& answer) {
    const Script::Progress progress = script_->answer_query(task_->query(), query_result_);
    if (progress == Script::Progress::kSliceOver) return false;
    set_query_answer(answer, std::move(query_result_));
    if (progress == Script::Progress::kDone) keep();
    return true;
  }

  void begin_completion() {
    for (auto& command : script_->take_commands()) *completion_.add_commands() = std::move(command);
    for (const auto& [id, query] : task_->queries()) queries_.push_back(id);
    if (script_->first_task()) {
      completion_.mutable_sdk_metadata()->set_sdk_name(kSdkName);
      completion_.mutable_sdk_metadata()->set_sdk_version(
          absl::StrCat(kSdkVersion, "+", script_->definition().hash.substr(0, kHashPrefix)));
    }
  }

  bool complete(Answer& answer) {
    for (; !queries_.empty(); queries_.pop_back()) {
      const std::string& id = queries_.back();
      const auto progress = script_->answer_query(task_->queries().at(id), (*completion_.mutable_query_results())[id]);
      if (progress == Script::Progress::kSliceOver) return false;
      if (progress == Script::Progress::kDone) continue;
      usable_ = false;
      break;
    }
    answer = std::move(completion_);
    if (usable_) keep();
    return true;
  }

  void keep() {
    stretch_ = script_->longest_stretch();
    handler_.cache_.give_back(std::move(script_));
  }

  WorkflowTaskHandler& handler_;
  std::unique_ptr<Script> script_;
  const std::string run_id_;
  const Task* task_;
  std::unique_ptr<Task> owned_;
  uint64_t stretch_ = 0;
  bool ran_ = false;     // only queries are still to be answered
  bool usable_ = false;  // the run may go into the cache
  wire::RespondWorkflowTaskCompletedRequest completion_;
  std::vector<std::string> queries_;
  WorkflowQueryResult query_result_;
};

WorkflowTaskHandler::WorkflowTaskHandler(const Definitions& definitions, LogSink& log, HandlerOptions options)
    : definitions_(definitions),
      log_(log),
      options_(std::move(options)),
      cache_(options_.cached_runs, options_.cached_bytes) {}

WorkflowTaskHandler::Verdict WorkflowTaskHandler::handle(const Task& task, std::string_view namespace_name,
                                                         uint64_t slice, Answer& answer,
                                                         std::unique_ptr<Unfinished>& unfinished) {
  bool needs_history = false;
  std::string error;
  std::unique_ptr<Script> script = find_or_make(task, namespace_name, needs_history, error);
  if (needs_history) return Verdict::kNeedsHistory;
  if (script == nullptr) {
    set_error(task, answer, {false, script_failure(error, "")});
    return Verdict::kAnswered;
  }
  auto in_hand = std::make_unique<TaskInHand>(*this, std::move(script), task);
  in_hand->begin();
  const bool answered = in_hand->run(slice, Lane::kFast, answer);
  uint64_t longest = longest_stretch_;
  while (longest < in_hand->stretch() && !longest_stretch_.compare_exchange_weak(longest, in_hand->stretch())) {
  }
  if (answered) return Verdict::kAnswered;
  in_hand->own_task();
  unfinished = std::move(in_hand);
  return Verdict::kUnfinished;
}

std::unique_ptr<Script> WorkflowTaskHandler::find_or_make(const Task& task, std::string_view namespace_name,
                                                       bool& needs_history, std::string& error) {
  const auto& events = task.history().events();
  const std::string& run_id = task.workflow_execution().run_id();
  std::unique_ptr<Script> script = cache_.take(run_id);
  if (script != nullptr) {
    const bool up_to_date =
        script->last_started_event_id() == task.previous_started_event_id() || (task.has_query() && events.empty());
    const bool joins = events.empty() || events[0].event_id() <= script->last_started_event_id() + 1;
    if (up_to_date && joins) return script;
    cache_.bury(std::move(script));
  }
  if (events.empty() || events[0].event_id() != 1) {
    needs_history = true;
    return nullptr;
  }
  const auto definition = definition_for(task);
  if (definition == nullptr) {
    std::string known;
    for (const auto& each : definitions_.all_current()) absl::StrAppend(&known, known.empty() ? "" : ", ", each->name);
    error = absl::StrCat("there is no workflow definition '", task.workflow_type().name(),
                         "'; this worker has: ", known.empty() ? "none" : known);
    return nullptr;
  }
  if (!definition->error.empty()) {
    error = definition->error;
    return nullptr;
  }
  RunIdentity identity{std::string(namespace_name), task.workflow_execution().workflow_id(), run_id};
  return std::make_unique<Script>(std::move(identity), definition, options_.limits, log_);
}

// The definition the run began with, if history tells and the process still has it; else the current one.
std::shared_ptr<const Definition> WorkflowTaskHandler::definition_for(const Task& task) const {
  const std::string& type = task.workflow_type().name();
  for (const auto& event : task.history().events()) {
    if (event.event_type() != EVENT_TYPE_WORKFLOW_TASK_COMPLETED) continue;
    const auto& metadata = event.workflow_task_completed_event_attributes().sdk_metadata();
    const size_t plus = metadata.sdk_version().find('+');
    if (metadata.sdk_name() != kSdkName || plus == std::string::npos) break;
    if (auto pinned = definitions_.with_hash(type, std::string_view(metadata.sdk_version()).substr(plus + 1)))
      return pinned;
    break;
  }
  return definitions_.current(type);
}

}  // namespace skald::lua

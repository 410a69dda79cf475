#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "lua/workflow_task_handler.h"

namespace skald::lua::testing {

// What an activity or child workflow of a test answers.
struct Outcome {
  enum class Kind { kResult, kFailure, kTimeout, kSilence } kind = Kind::kResult;
  std::string json;  // result, or the failure's details
  std::string type;  // of the failure
  std::string message;
  bool final = false;
  int causes = 0;  // one below the other

  static Outcome result(std::string json) { return {Kind::kResult, std::move(json)}; }
  static Outcome failure(std::string type, std::string message = "no") {
    return {Kind::kFailure, "", std::move(type), std::move(message)};
  }
  // An error that a retry would not mend: surely nothing was done.
  static Outcome refusal(std::string type) { return {Kind::kFailure, "", std::move(type), "no", /*final=*/true}; }
  static Outcome timeout() { return {Kind::kTimeout}; }
  // It never ends, unless it is cancelled.
  static Outcome silence() { return {Kind::kSilence}; }
};

class CollectedLog final : public LogSink {
 public:
  void write(Level, const RunIdentity&, std::string_view, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

// A server's part in the life of one workflow, without a server: it turns commands into events, lets activities end and
// time pass, and hands out workflow tasks, until nothing is left to do.
class HistoryDriver {
 public:
  using Answer = std::function<Outcome(const std::vector<std::string>& arguments)>;
  using Sources = std::map<std::string, std::string>;

  explicit HistoryDriver(const std::string& source, HandlerOptions options = {}, const ModuleSources& modules = {});

  void on_activity(const std::string& type, Answer answer) { activities_[type] = std::move(answer); }
  void on_child(const std::string& type, Answer answer) { children_[type] = std::move(answer); }
  // Called with the name of each signal that the workflow sends to another one.
  void on_sent_signal(std::function<void(const std::string& name)> heard) { sent_signal_ = std::move(heard); }
  // Something that happens later, between the timers. It may signal, or ask for cancellation.
  void after(absl::Duration wait, std::function<void()> happens) { later_.emplace(now_ + wait, std::move(happens)); }
  // Every task carries the whole history and meets a worker that does not know the run.
  void forget_between_tasks() { forget_ = true; }

  // How what comes from outside says that it is encoded, from here on.
  void encode_as(std::string encoding) { encoding_ = std::move(encoding); }
  // Before the start.
  void set_memo(const std::string& name, std::string value) { memo_[name] = std::move(value); }

  void start(const std::vector<std::string>& arguments = {});
  void signal(const std::string& name, const std::vector<std::string>& arguments = {});
  void request_cancel();
  // Goes on until the workflow is closed, its task failed, or it waits for something that will not come by itself.
  void run();
  // A worker that took a task and was not heard of again.
  void time_out_task();
  // One workflow task with what happened so far.
  void run_task();

  // "open", "completed", "failed", "canceled", "continued"
  std::string status() const { return status_; }
  // The JSON of the result, or of the next run's first argument.
  std::string result() const { return result_; }
  const temporal::api::failure::v1::Failure& failure() const { return failure_; }
  const temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest& task_failure() const {
    return task_failure_;
  }
  std::string task_failure_text() const { return task_failure_.failure().message(); }
  // The answer's JSON, or "error: …".
  std::string query(const std::string& name, const std::vector<std::string>& arguments = {});

  // Runs the whole history with a worker that does not know it. Empty if it leads to the same commands, else what
  // differs.
  std::string replay(const std::string& source = "") const;
  // The types of commands' events so far, in order, e.g. "ActivityTaskScheduled payment.capture".
  std::vector<std::string> commands() const { return commands_; }
  const temporal::api::history::v1::History& history() const { return history_; }
  std::vector<std::string>& log() { return log_.lines; }
  absl::Time now() const { return now_; }
  int tasks() const { return tasks_; }
  WorkflowTaskHandler& handler() { return handler_; }

 private:
  using Event = temporal::api::history::v1::HistoryEvent;
  struct Pending {
    std::string type;
    std::vector<std::string> arguments;
    bool cancel_requested = false;
    bool child_started = false;
    std::string workflow_id;
  };

  Event& add(temporal::api::enums::v1::EventType type);
  WorkflowTaskHandler::Task make_task(bool whole) const;
  void apply(const temporal::api::command::v1::Command& command, int64_t completed_id);
  void apply_other(const temporal::api::command::v1::Command& command, int64_t completed_id);
  bool advance_activity();
  bool advance_child();
  bool pass_time();

  Definitions definitions_;
  CollectedLog log_;
  WorkflowTaskHandler handler_;
  std::map<std::string, Answer> activities_;
  std::map<std::string, Answer> children_;
  std::function<void(const std::string& name)> sent_signal_ = [](const std::string&) {};
  bool forget_ = false;
  std::string encoding_ = "json/plain";
  std::map<std::string, std::string> memo_;

  temporal::api::history::v1::History history_;
  absl::Time now_ = absl::FromUnixSeconds(1'780'000'000);
  int64_t previous_started_ = 0;
  bool needs_task_ = false;
  int tasks_ = 0;
  std::map<int64_t, Pending> pending_activities_;
  std::map<int64_t, Pending> pending_children_;
  std::map<int64_t, std::pair<std::string, absl::Time>> timers_;
  std::multimap<absl::Time, std::function<void()>> later_;
  std::string status_ = "open";
  std::string result_;
  temporal::api::failure::v1::Failure failure_;
  temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest task_failure_;
  std::vector<std::string> commands_;
};

}  // namespace skald::lua::testing

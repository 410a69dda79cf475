#include "plugins/sdk/testing.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "plugins/sdk/json_schema.h"
#include "plugins/sdk/text.h"

namespace skald::plugin::testing {
namespace {

TestHost* current = nullptr;  // the one whose plugin runs, for its log

json parsed(skald_text text) { return text.size == 0 ? json() : json::parse(copied(text)); }

int64_t scheduled_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void check_config(const skald_plugin* plugin, const json& config) {
  if (plugin->config_schema == nullptr) return;
  std::string mistakes;
  for (const SchemaError& error : JsonSchema(json::parse(plugin->config_schema)).check(config))
    mistakes += (mistakes.empty() ? "" : "; ") + (error.pointer.empty() ? "/" : error.pointer) + " " + error.message;
  if (!mistakes.empty()) throw std::runtime_error("the configuration does not fit the plugin's schema: " + mistakes);
}

}  // namespace

struct TestHostFunctions {
  static RunningAttempt& attempt(skald_call* call) { return *reinterpret_cast<RunningAttempt*>(call); }

  static void answer(skald_call* call, Answer answer) {
    RunningAttempt& running = attempt(call);
    std::lock_guard lock(running.mutex_);
    if (running.answered_) return;
    running.answered_ = true;
    running.answer_ = std::move(answer);
    running.changed_.notify_all();
  }

  static void complete(skald_call* call, skald_text result) {
    Answer out;
    out.kind = Answer::Kind::kCompleted;
    out.result = parsed(result);
    answer(call, std::move(out));
  }

  static void fail(skald_call* call, const skald_failure* failure) {
    Answer out;
    out.kind = Answer::Kind::kFailed;
    out.error = copied(failure->type);
    out.message = copied(failure->message);
    out.details = parsed(failure->details);
    out.non_retryable = failure->non_retryable != 0;
    out.next_retry_delay = std::chrono::milliseconds(failure->next_retry_delay_ms);
    answer(call, std::move(out));
  }

  static void cancelled(skald_call* call) {
    Answer out;
    out.kind = Answer::Kind::kCancelled;
    answer(call, std::move(out));
  }

  static void heartbeat(skald_call* call, skald_text details) {
    RunningAttempt& running = attempt(call);
    std::lock_guard lock(running.mutex_);
    running.heartbeats_.push_back(parsed(details));
    running.changed_.notify_all();
  }

  static int cancel_requested(skald_call* call) {
    RunningAttempt& running = attempt(call);
    std::lock_guard lock(running.mutex_);
    return running.cancelled_ || std::chrono::system_clock::now() >= running.deadline_ ? 1 : 0;
  }

  static void log(int, skald_text text) {
    std::lock_guard lock(current->mutex_);
    current->logs_.push_back(copied(text));
  }

  static constexpr skald_host kHost = {SKALD_PLUGIN_ABI, &complete,         &fail, &cancelled,
                                       &heartbeat,       &cancel_requested, &log};
};

Answer RunningAttempt::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline_, [this] { return answered_; });
  return answered_ ? answer_ : Answer();
}

json RunningAttempt::wait_heartbeat(size_t which) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline_, [&] { return answered_ || heartbeats_.size() > which; });
  return heartbeats_.size() > which ? heartbeats_[which] : json();
}

std::vector<json> RunningAttempt::heartbeats() const {
  std::lock_guard lock(mutex_);
  return heartbeats_;
}

void RunningAttempt::cancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
}

TestHost::TestHost(const skald_plugin* plugin, json config) : plugin_(plugin), config_(std::move(config)) {
  check_config(plugin_, config_);
  std::string scratch = (std::filesystem::temp_directory_path() / "skald-test-XXXXXX").string();
  if (mkdtemp(scratch.data()) == nullptr) throw std::runtime_error("cannot make the folder " + scratch);
  folder_ = scratch;
  if (!config_.contains("$folder")) config_["$folder"] = folder_;
  try {
    open();
  } catch (...) {
    std::filesystem::remove_all(folder_);
    throw;
  }
}

TestHost::~TestHost() {
  plugin_->shutdown();
  current = nullptr;
  std::filesystem::remove_all(folder_);
}

void TestHost::open() {
  current = this;
  char error[512] = "";
  const std::string config = config_.dump(), books = folder_ + "/books";
  if (plugin_->init(&TestHostFunctions::kHost, lent(config), lent(books), error, sizeof error) != 0)
    throw std::runtime_error(std::string(plugin_->name) + " did not start: " + error);
}

void TestHost::restart() {
  plugin_->shutdown();
  open();
}

std::shared_ptr<RunningAttempt> TestHost::start(const Attempt& attempt) {
  auto running = std::make_shared<RunningAttempt>();
  running->deadline_ = std::chrono::system_clock::now() + attempt.timeout;
  {
    std::lock_guard lock(mutex_);
    attempts_.push_back(running);
  }
  const std::string input = attempt.input.dump(),
                    run_id = attempt.run_id.empty() ? "run-of-" + attempt.workflow_id : attempt.run_id,
                    chain = attempt.chain.empty() ? run_id : attempt.chain, key = run_id + "/" + attempt.activity_id,
                    details = attempt.heartbeat_details.is_null() ? "" : attempt.heartbeat_details.dump();
  const int64_t deadline =
      std::chrono::duration_cast<std::chrono::milliseconds>(running->deadline_.time_since_epoch()).count();
  const skald_task task = {lent(attempt.activity),
                           lent(input),
                           lent(key),
                           lent(attempt.namespace_name),
                           lent(attempt.workflow_id),
                           lent(attempt.workflow_type),
                           lent(run_id),
                           lent(attempt.activity_id),
                           lent(details),
                           attempt.number,
                           deadline,
                           lent(chain),
                           scheduled_now()};
  plugin_->execute(&task, reinterpret_cast<skald_call*>(running.get()));
  return running;
}

json TestHost::result(const Attempt& attempt) {
  Answer answer = run(attempt);
  if (answer.kind == Answer::Kind::kCompleted) return std::move(answer.result);
  const char* const ending = answer.kind == Answer::Kind::kFailed      ? "failed"
                             : answer.kind == Answer::Kind::kCancelled ? "was cancelled"
                                                                       : "was not answered in time";
  throw std::runtime_error(attempt.activity + " " + ending +
                           (answer.error.empty() ? "" : ": " + answer.error + ": " + answer.message));
}

std::vector<std::string> TestHost::logs() const {
  std::lock_guard lock(mutex_);
  return logs_;
}

}  // namespace skald::plugin::testing

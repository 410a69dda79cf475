// What a plugin's process says, and what follows when it has ended.
#include <algorithm>
#include <atomic>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <poll.h>
#include <skald/plugin/v1/isolation.pb.h>
#include <spdlog/spdlog.h>

#include "plugins/host/call.h"
#include "plugins/host/process_keeper.h"
#include "plugins/host/secrets.h"

namespace skald::plugins {
namespace {

constexpr int kExitPatienceMs = 500;  // between the end of its connection and its own
constexpr size_t kMostTypesNamed = 10;
constexpr char kNonsense[] = "sent what is no message, and was ended";

}  // namespace

void ProcessKeeper::take(const plugin::v1::FromPlugin& message) {
  using plugin::v1::FromPlugin;
  const auto answer = [&](uint64_t id, const auto& give) {
    const auto call = held(id, true);
    if (call == nullptr) return;
    completed_any_ = true;
    give(*call);
    call->give_back();
  };
  switch (message.message_case()) {
    case FromPlugin::kBegun:
      return take_begun(message);
    case FromPlugin::kOpened:
      return take_opened(message);
    case FromPlugin::kReady:
      return take_ready();
    case FromPlugin::kRefused:
      refusal_ = blank_secrets(message.refused().reason());
      if (refusal_.empty()) refusal_ = "it does not say why";
      return;
    case FromPlugin::kCompleted:
      return answer(message.completed().call(), [&](Call& call) {
        message.completed().size() > 0 ? call.refuse_output(static_cast<size_t>(message.completed().size()))
                                       : call.complete(message.completed().result());
      });
    case FromPlugin::kFailed:
      return answer(message.failed().call(), [&](Call& call) {
        const auto& f = message.failed();
        call.fail({f.type(), f.message(), f.details(), f.non_retryable(), f.next_retry_delay_ms()});
      });
    case FromPlugin::kCancelled:
      return answer(message.cancelled().call(), [](Call& call) { call.stopped(); });
    case FromPlugin::kHeartbeat:
      if (const auto call = held(message.heartbeat().call(), false)) call->heartbeat(message.heartbeat().details());
      return;
    case FromPlugin::kLog:
      return lines_->log(message.log().level(), message.log().text());
    case FromPlugin::kPong:
      unanswered_ticks_ = 0;
      return;
    case FromPlugin::kEnded:
      said_goodbye_ = true;
      return;
    default:
      ended_by_host_ = kNonsense;
  }
}

std::shared_ptr<Call> ProcessKeeper::held(uint64_t id, bool remove) {
  std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) {
    ended_by_host_ = "spoke of an attempt that it does not hold, and was ended";
    return nullptr;
  }
  auto call = found->second.call;
  if (remove) calls_.erase(found);
  return call;
}

void ProcessKeeper::take_begun(const plugin::v1::FromPlugin& message) {
  std::lock_guard lock(mutex_);
  if (phase_ == Phase::kEnding) return;
  if (phase_ != Phase::kOpening || child_->guarded() != 0 || message.begun().process() <= 0) {
    ended_by_host_ = kNonsense;
    return;
  }
  child_->set_guarded(message.begun().process());
  if (message.begun().files_hidden() || confinement_.user) return;
  static std::atomic<bool> told = false;
  if (!told.exchange(true)) {
    spdlog::warn(
        "this kernel has no Landlock: plugins in processes of their own, which have this process's user, can read its "
        "files. Let them have users of their own: run it as root");
  }
}

void ProcessKeeper::take_opened(const plugin::v1::FromPlugin& message) {
  const auto& opened = message.opened();
  std::lock_guard lock(mutex_);
  if (phase_ == Phase::kEnding) return;
  bool good = phase_ == Phase::kOpening && is_good_name(opened.name());
  for (const auto& activity : opened.activities()) good = good && is_good_name(activity);
  if (!good) {
    ended_by_host_ = kNonsense;
    return;
  }
  // The library is the same each time, and others may be reading.
  if (facts_.name.empty()) {
    facts_ = {opened.name(), opened.version(), {opened.activities().begin(), opened.activities().end()}, {}};
    if (opened.has_config_schema()) facts_.config_schema = opened.config_schema();
    lines_ = std::make_unique<LineLog>(facts_.name);
  }
  if (wanted_ == Phase::kServing) return send_init();
  enter(Phase::kOpened);
  settle(absl::OkStatus());
}

void ProcessKeeper::take_ready() {
  std::function<void(bool)> on_serving;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kEnding) return;
    if (phase_ != Phase::kStarting) {
      ended_by_host_ = kNonsense;
      return;
    }
    ended_by_host_ = illness();  // a limit below what it takes without any work is a mistake that is told at once
    if (!ended_by_host_.empty()) return;
    frames_->set_largest(static_cast<size_t>(setup_->limits.max_output_bytes) + kLargestOther);
    unanswered_ticks_ = 0;
    next_tick_ = absl::Now() + tick();
    on_serving = setup_->on_serving;
    enter(Phase::kServing);
    if (awaited_) {
      settle(absl::OkStatus());
    } else {
      spdlog::info("plugin {} is there again, as process {}", facts_.name, child_->guarded());
    }
  }
  on_serving(true);
}

// How, in words that follow its name.
std::string ProcessKeeper::ending() {
  if (ended_by_host_.empty() && child_->exited() >= 0) {
    pollfd exited = {child_->exited(), POLLIN, 0};
    if (poll(&exited, 1, kExitPatienceMs) == 0) ended_by_host_ = "closed its connection to the host, and was ended";
  }
  child_->kill();
  const std::string how = child_->wait();
  // What it said before it ended counts.
  const std::string why = ended_by_host_;
  ended_by_host_.clear();
  for (closed_ = speaks_nonsense_; !closed_ && ended_by_host_.empty();) {
    pollfd left = {child_->socket(), POLLIN, 0};
    if (poll(&left, 1, 0) <= 0) break;
    read_socket();
  }
  read_output();
  lines_->end();
  if (!refusal_.empty()) return absl::StrCat("did not start: ", refusal_);
  return why.empty() ? how : why;
}

void ProcessKeeper::aftermath() {
  const std::string how = ending();
  std::function<void(bool)> on_serving;
  {
    std::lock_guard lock(mutex_);
    if (setup_) on_serving = setup_->on_serving;
  }
  if (on_serving) on_serving(false);
  std::map<uint64_t, Held> held;
  Phase was;
  bool awaited, quitting;
  {
    std::lock_guard lock(mutex_);
    was = phase_;
    quitting = quit_;
    awaited = awaited_ && (was == Phase::kOpening || was == Phase::kOpened || was == Phase::kStarting);
    held.swap(calls_);
    child_.reset();
    unsent_.clear();
    unsent_from_ = 0;
    if (awaited) wanted_ = Phase::kNone;
  }
  if (was == Phase::kEnding) {
    if (!said_goodbye_) spdlog::error("plugin {} {} while it was shut down", facts_.name, how);
  } else if (!awaited && !quitting) {
    spdlog::error("plugin {} {}", facts_.name, how);
  }
  answer_crashed(held, how);
  std::lock_guard lock(mutex_);
  if (!awaited && was != Phase::kEnding) next_start_ = absl::Now() + pause_.after_crash(completed_any_);
  enter(Phase::kNone);
  if (!awaited) return;
  settle(absl::FailedPreconditionError(
      !refusal_.empty()         ? refusal_
      : was == Phase::kStarting ? absl::StrCat("in its init its process ", how)
                                : absl::StrCat("cannot load plugin ", image_->path(), ": its process ", how)));
}

void ProcessKeeper::answer_crashed(const std::map<uint64_t, Held>& held, const std::string& how) {
  if (held.empty()) return;
  std::map<std::string, int> types;
  for (const auto& [id, one] : held) ++types[one.call->type];
  std::vector<std::string> names;
  for (const auto& [type, count] : types) {
    if (names.size() == kMostTypesNamed) {
      names.push_back("…");
      break;
    }
    names.push_back(count == 1 ? type : absl::StrCat(type, " (", count, ")"));
  }
  const std::string sentence = absl::StrCat("plugin ", facts_.name, " ", how, "; it held ", absl::StrJoin(names, ", "));
  for (const auto& [id, one] : held) {
    one.call->answer(application_failure("PluginCrashed", sentence, false), Ending::kFailed);
    one.call->give_back();
  }
}

}  // namespace skald::plugins

#include "plugins/host/process_keeper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <poll.h>
#include <skald/plugin/v1/isolation.pb.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "plugins/host/call.h"

namespace skald::plugins {
namespace {

constexpr int kTicksToHang = 8;  // a process has had as many chances to react before it counts as stuck
constexpr absl::Duration kLongestTick = absl::Seconds(1);
constexpr absl::Duration kMemoryTick = absl::Milliseconds(50);
constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr size_t kMostUnsent = 8 << 20;  // then who gives it attempts waits
constexpr int kLibraryFd = 4;            // as child.h says

}  // namespace

ProcessKeeper::ProcessKeeper(std::shared_ptr<const LibraryImage> image, std::vector<std::string> command,
                             Confinement confinement)
    : image_(std::move(image)),
      command_(std::move(command)),
      confinement_(std::move(confinement)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

ProcessKeeper::~ProcessKeeper() { close(wake_); }

absl::Status ProcessKeeper::open() {
  std::unique_lock lock(mutex_);
  wanted_ = Phase::kOpened;
  return wait_settled(lock);
}

absl::Status ProcessKeeper::start(Backend::Setup setup) {
  std::unique_lock lock(mutex_);
  setup_ = std::move(setup);
  wanted_ = Phase::kServing;
  if (phase_ == Phase::kOpened) send_init();
  return wait_settled(lock);
}

absl::Status ProcessKeeper::wait_settled(std::unique_lock<std::mutex>& lock) {
  settled_.reset();
  awaited_ = true;
  wake();
  changed_.wait(lock, [this] { return settled_.has_value(); });
  awaited_ = false;
  return *settled_;
}

void ProcessKeeper::stop(absl::Time until) {
  std::unique_lock lock(mutex_);
  wanted_ = Phase::kNone;
  end_by_ = until;
  if (phase_ != Phase::kNone) {
    enter(Phase::kEnding);
    plugin::v1::ToPlugin message;
    message.mutable_shutdown();
    send(message);
  }
  wake();
  changed_.wait(lock, [this] { return phase_ == Phase::kNone; });
}

void ProcessKeeper::quit() {
  std::unique_lock lock(mutex_);
  quit_ = true;
  wake();
}

bool ProcessKeeper::execute(const std::shared_ptr<Call>& call) {
  const int64_t deadline = absl::ToUnixMillis(call->deadline());
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [this] { return phase_ != Phase::kServing || unsent_.size() - unsent_from_ < kMostUnsent || quit_; });
  if (phase_ != Phase::kServing) return false;
  const uint64_t id = ++last_call_;
  calls_.emplace(id, Held{call});
  plugin::v1::ToPlugin message;
  auto* out = message.mutable_execute();
  const CallTask& task = call->task;
  out->set_call(id);
  out->set_activity(task.activity);
  out->set_input(task.input);
  out->set_idempotency_key(task.key);
  out->set_namespace_(task.namespace_name);
  out->set_workflow_id(task.workflow_id);
  out->set_workflow_type(task.workflow_type);
  out->set_run_id(task.run_id);
  out->set_activity_id(task.activity_id);
  out->set_heartbeat_details(task.heartbeat_details);
  out->set_attempt(task.attempt);
  out->set_deadline_unix_ms(deadline);
  out->set_chain(task.chain);
  out->set_scheduled_unix_ns(task.scheduled_unix_ns);
  send(message);
  lock.unlock();
  call->on_cancel([weak = weak_from_this(), id] {
    const auto keeper = weak.lock();
    if (keeper == nullptr) return;
    std::lock_guard lock(keeper->mutex_);
    if (!keeper->calls_.contains(id)) return;
    plugin::v1::ToPlugin cancel;
    cancel.mutable_cancel()->set_call(id);
    keeper->send(cancel);
  });
  return true;
}

void ProcessKeeper::enter(Phase phase) {
  phase_ = phase;
  phase_since_ = absl::Now();
  changed_.notify_all();
}

void ProcessKeeper::settle(absl::Status status) {
  settled_ = std::move(status);
  changed_.notify_all();
}

void ProcessKeeper::send_init() {
  enter(Phase::kStarting);
  plugin::v1::ToPlugin message;
  auto* init = message.mutable_init();
  init->set_config(setup_->config);
  init->set_data_path(setup_->data_path);
  init->set_max_output_bytes(setup_->limits.max_output_bytes);
  init->set_max_data_bytes(setup_->limits.max_memory_bytes);
  init->set_max_files(setup_->limits.max_files);
  init->set_max_processes(setup_->limits.max_processes);
  send(message);
}

void ProcessKeeper::send(const plugin::v1::ToPlugin& message) {
  const bool idle = unsent_.empty();
  unsent_ += frame_of(message);
  if (!idle) return;
  flush();
  if (!unsent_.empty()) wake();
}

void ProcessKeeper::flush() {
  while (child_ != nullptr && unsent_from_ < unsent_.size()) {
    const ssize_t sent = ::send(child_->socket(), unsent_.data() + unsent_from_, unsent_.size() - unsent_from_,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    // Whoever does not listen any more is noticed where it is read from.
    unsent_from_ = sent < 0 ? unsent_.size() : unsent_from_ + static_cast<size_t>(sent);
  }
  unsent_.clear();
  unsent_from_ = 0;
  changed_.notify_all();
}

void ProcessKeeper::wake() {
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof one) < 0) return;  // it is full of wakes
  changed_.notify_all();
}

void ProcessKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!quit_) {
    if (wanted_ == Phase::kNone) {
      changed_.wait(lock);
    } else if (!awaited_ && next_start_ > absl::Now()) {
      changed_.wait_until(lock, absl::ToChronoTime(next_start_));
    } else if (spawn(lock)) {
      lock.unlock();
      serve();
      aftermath();
      lock.lock();
    }
  }
  if (awaited_) settle(absl::CancelledError("the host of the plugins stops"));
}

bool ProcessKeeper::spawn(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto child = Child::spawn(command_, image_->fd());
  lock.lock();
  if (!child.ok()) {
    if (!awaited_) spdlog::error("plugin {}: {}", facts_.name, base::text(child.status()));
    wanted_ = awaited_ ? Phase::kNone : wanted_;
    settle(child.status());
    next_start_ = absl::Now() + pause_.after_crash(completed_any_);
    return false;
  }
  if (wanted_ == Phase::kNone || quit_) return false;  // it is not wanted any more
  child_ = *std::move(child);
  frames_ = std::make_unique<FrameReader>(kLargestOther);
  lines_ = std::make_unique<LineLog>(facts_.name.empty() ? image_->path() : facts_.name);
  ended_by_host_.clear();
  refusal_.clear();
  closed_ = said_goodbye_ = speaks_nonsense_ = completed_any_ = false;
  unanswered_ticks_ = 0;
  next_tick_ = absl::Now();
  end_by_ = absl::InfiniteFuture();
  enter(Phase::kOpening);
  plugin::v1::ToPlugin message;
  message.mutable_open()->set_path(image_->path());
  message.mutable_open()->set_library(kLibraryFd);
  auto* const to = message.mutable_open()->mutable_confinement();
  to->set_folder(confinement_.folder);
  for (const std::string& path : confinement_.hidden) to->add_hidden(path);
  if (confinement_.user) {
    to->set_user(confinement_.user->user);
    to->set_group(confinement_.user->group);
  }
  send(message);
  return true;
}

void ProcessKeeper::serve() {
  while (ended_by_host_.empty() && !closed_) {
    listen();
    read_socket();
    read_output();
    if (ended_by_host_.empty()) look_after();
  }
}

absl::Duration ProcessKeeper::tick() const {
  const PluginLimits limits = setup_ ? setup_->limits : PluginLimits();
  const absl::Duration shortest = std::min(limits.hang_time / kTicksToHang, kLongestTick);
  return limits.max_memory_bytes > 0 ? std::min(shortest, kMemoryTick) : shortest;
}

void ProcessKeeper::listen() {
  pollfd all[4];
  absl::Duration patience;
  {
    std::lock_guard lock(mutex_);
    const short out = unsent_.empty() ? 0 : POLLOUT;
    all[0] = {child_->socket(), static_cast<short>(POLLIN | out), 0};
    all[1] = {child_->output(), POLLIN, 0};
    all[2] = {wake_, POLLIN, 0};
    all[3] = {child_->exited(), POLLIN, 0};
    patience = std::min(next_tick_, end_by_) - absl::Now();
  }
  const double ms = std::ceil(absl::ToDoubleMilliseconds(std::max(patience, absl::ZeroDuration())));
  poll(all, std::size(all), static_cast<int>(std::min(ms, 60000.0)));
  uint64_t wakes;
  if (all[2].revents != 0 && read(wake_, &wakes, sizeof wakes) < 0) wakes = 0;
  if (all[3].revents != 0) closed_ = true;
  std::lock_guard lock(mutex_);
  if (all[0].revents & POLLOUT) flush();
  if (quit_) ended_by_host_ = "was ended with its host";
}

// Once a tick: whether it is well. What it is not well with ends it.
void ProcessKeeper::look_after() {
  std::lock_guard lock(mutex_);
  const absl::Time now = absl::Now();
  if (now < next_tick_ && now < end_by_) return;
  next_tick_ = now + tick();
  ended_by_host_ = illness();
  if (!ended_by_host_.empty() || phase_ != Phase::kServing) return;
  if (unanswered_ticks_++ > 0) return;
  plugin::v1::ToPlugin message;
  message.mutable_ping();
  send(message);
}

std::string ProcessKeeper::illness() {
  const absl::Time now = absl::Now();
  const PluginLimits limits = setup_ ? setup_->limits : PluginLimits();
  if (phase_ == Phase::kEnding && now >= end_by_) return "did not shut down in time, and was ended";
  if ((phase_ == Phase::kOpening || phase_ == Phase::kStarting) && now - phase_since_ > kStartPatience)
    return absl::StrCat("did not start within ", absl::ToInt64Seconds(kStartPatience), " s, and was ended");
  if (limits.max_memory_bytes > 0) {
    if (const int64_t bytes = child_->resident_bytes(); bytes > limits.max_memory_bytes) {
      return absl::StrCat("took ", bytes >> 20, " MB of memory, and was ended: limits.max_memory_mb is ",
                          limits.max_memory_bytes >> 20);
    }
  }
  if (phase_ != Phase::kServing) return "";
  const int most = static_cast<int>(std::ceil(absl::FDivDuration(limits.hang_time, tick())));
  const std::string hang = absl::StrCat(absl::ToDoubleSeconds(limits.hang_time), " s (limits.hang_seconds)");
  if (unanswered_ticks_ > most) return absl::StrCat("did not react for ", hang, ", and was ended");
  for (auto& [id, held] : calls_) {
    if (held.call->deadline() > now || ++held.late_ticks <= most) continue;
    return absl::StrCat("hangs: ", held.call->type, " had not returned ", hang,
                        " after its deadline; the process was ended");
  }
  return "";
}

void ProcessKeeper::read_output() {
  char bytes[16 << 10];
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t n = read(child_->output(), bytes, sizeof bytes);
    if (n <= 0) return;
    lines_->append({bytes, static_cast<size_t>(n)});
  }
}

void ProcessKeeper::read_socket() {
  char bytes[64 << 10];
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t n = recv(child_->socket(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      closed_ = true;
      return;
    }
    frames_->append({bytes, static_cast<size_t>(n)});
    while (const auto frame = frames_->next()) {
      plugin::v1::FromPlugin message;
      if (message.ParseFromArray(frame->data(), static_cast<int>(frame->size()))) {
        take(message);
      } else {
        ended_by_host_ = "sent what is no message, and was ended";
      }
      speaks_nonsense_ = !ended_by_host_.empty();
      if (speaks_nonsense_) return;
    }
    if (frames_->broken()) ended_by_host_ = "sent a message that is too large, and was ended";
    speaks_nonsense_ = !ended_by_host_.empty();
    if (speaks_nonsense_) return;
  }
}

}  // namespace skald::plugins

#include "plugins/host/serve.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <absl/strings/numbers.h>
#include <fcntl.h>
#include <skald/plugin/v1/isolation.pb.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "plugins/host/confine.h"
#include "plugins/host/frames.h"
#include "plugins/host/guardian.h"
#include "plugins/host/library.h"
#include "plugins/sdk/exception_text.h"
#include "plugins/sdk/text.h"

namespace skald::plugins {
namespace {

using plugin::v1::FromPlugin;
using plugin::v1::ToPlugin;
using Clock = std::chrono::steady_clock;

constexpr size_t kLargestFrame = size_t{2} << 30;  // the host is trusted
constexpr size_t kLongestMessage = 64 << 10;
constexpr std::chrono::milliseconds kBeatInterval(20);  // of one attempt; the host sends fewer still
// Data segments hold the stacks of threads too, which are reserved and not used.
constexpr int64_t kReservedForStacks = int64_t{1} << 30;
// And addresses the heaps of threads, 64 MB each; what is shared counts among them alone.
constexpr int64_t kReservedForHeaps = int64_t{8} << 30;

// The attempts that the plugin holds, and its way to the host.
class Session {
 public:
  explicit Session(int fd) : fd_(fd) {}

  void send(const FromPlugin& message) {
    const std::string frame = frame_of(message);
    std::lock_guard lock(sending_);
    size_t sent = 0;
    while (sent < frame.size()) {
      const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) std::_Exit(1);  // the host is gone
      sent += static_cast<size_t>(n);
    }
  }

  void log(int level, const std::string& text) {
    FromPlugin message;
    message.mutable_log()->set_level(level);
    message.mutable_log()->set_text(text.substr(0, kLongestMessage));
    send(message);
  }

  void set_max_output(int64_t bytes) { max_output_ = static_cast<size_t>(bytes); }
  size_t max_output() const { return max_output_; }

  void begin(uint64_t call) {
    std::lock_guard lock(mutex_);
    calls_[call];
  }
  void cancel(uint64_t call) {
    std::lock_guard lock(mutex_);
    if (const auto found = calls_.find(call); found != calls_.end()) found->second.cancelled = true;
  }
  bool is_cancelled(uint64_t call) {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(call);
    return found == calls_.end() || found->second.cancelled;
  }

  // Sends the answer that `fill` writes, once; the attempt's last heartbeat goes before it.
  template <typename Fill>
  void answer(skald_call* handle, Fill fill) {
    const uint64_t call = reinterpret_cast<uintptr_t>(handle);
    std::unique_lock lock(mutex_);
    auto node = calls_.extract(call);
    if (node.empty()) {
      lock.unlock();
      return log(3, "the plugin answered an attempt that it does not hold: the answer is ignored");
    }
    if (node.mapped().pending) send_beat(call, node.mapped());
    lock.unlock();
    FromPlugin message;
    fill(call, message);
    send(message);
  }

  void beat(uint64_t call, std::string details) {
    if (details.size() > max_output_) return log(2, "the details of a heartbeat are too large, and are dropped");
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(call);
    if (found == calls_.end()) return;
    Held& held = found->second;
    held.details = std::move(details);
    held.pending = true;
    if (Clock::now() - held.last_beat >= kBeatInterval) return send_beat(call, held);
    beats_due_ = true;
    wake_.notify_one();
  }

  // Of a thread of its own: sends the heartbeats that came too soon after another.
  void send_beats() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return beats_due_; });
      beats_due_ = false;
      wake_.wait_for(lock, kBeatInterval, [] { return false; });
      for (auto& [call, held] : calls_) {
        if (held.pending) send_beat(call, held);
      }
    }
  }

 private:
  struct Held {
    bool cancelled = false, pending = false;
    std::string details;
    Clock::time_point last_beat{};
  };

  void send_beat(uint64_t call, Held& held) {  // mutex_ is held
    FromPlugin message;
    message.mutable_heartbeat()->set_call(call);
    message.mutable_heartbeat()->set_details(std::move(held.details));
    held.pending = false;
    held.last_beat = Clock::now();
    send(message);
  }

  const int fd_;
  size_t max_output_ = 0;
  std::mutex sending_;  // after mutex_
  std::mutex mutex_;    // guards what follows
  std::condition_variable wake_;
  bool beats_due_ = false;
  std::map<uint64_t, Held> calls_;
};

// Lives as long as the process: threads of the plugin may outlast everything.
Session* session = nullptr;

const skald_host& host_functions() {
  static const skald_host host = {
      SKALD_PLUGIN_ABI,
      [](skald_call* handle, skald_text result) {
        session->answer(handle, [&](uint64_t call, FromPlugin& message) {
          auto* completed = message.mutable_completed();
          completed->set_call(call);
          if (result.size > session->max_output()) {
            completed->set_size(static_cast<int64_t>(result.size));
          } else {
            completed->set_result(plugin::copied(result));
          }
        });
      },
      [](skald_call* handle, const skald_failure* f) {
        session->answer(handle, [&](uint64_t call, FromPlugin& message) {
          auto* failed = message.mutable_failed();
          failed->set_call(call);
          failed->set_type(plugin::copied(f->type).substr(0, kLongestMessage));
          failed->set_message(plugin::copied(f->message).substr(0, kLongestMessage));
          if (f->details.size <= session->max_output()) failed->set_details(plugin::copied(f->details));
          failed->set_non_retryable(f->non_retryable != 0);
          failed->set_next_retry_delay_ms(f->next_retry_delay_ms);
        });
      },
      [](skald_call* handle) {
        session->answer(handle,
                        [](uint64_t call, FromPlugin& message) { message.mutable_cancelled()->set_call(call); });
      },
      [](skald_call* handle, skald_text details) {
        session->beat(reinterpret_cast<uintptr_t>(handle), plugin::copied(details));
      },
      [](skald_call* handle) { return session->is_cancelled(reinterpret_cast<uintptr_t>(handle)) ? 1 : 0; },
      [](int level, skald_text text) { session->log(level, plugin::copied(text)); },
  };
  return host;
}

// What the host asks for and the plugin has to do, in order, on a thread that gives the plugin its work: the process's
// first, as libraries may expect of their loader.
class Work {
 public:
  void add(ToPlugin message) {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(message));
    }
    wake_.notify_one();
  }
  ToPlugin take() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !queue_.empty(); });
    ToPlugin message = std::move(queue_.front());
    queue_.pop_front();
    return message;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ToPlugin> queue_;
};

// What the host sends; its end ends the process.
class Inbox {
 public:
  explicit Inbox(int fd) : fd_(fd) {}

  ToPlugin next() {
    for (;;) {
      if (const auto frame = frames_.next()) {
        ToPlugin message;
        if (!message.ParseFromArray(frame->data(), static_cast<int>(frame->size()))) std::_Exit(1);
        return message;
      }
      const ssize_t n = recv(fd_, bytes_.data(), bytes_.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) std::_Exit(1);
      frames_.append({bytes_.data(), static_cast<size_t>(n)});
    }
  }

 private:
  const int fd_;
  FrameReader frames_{kLargestFrame};
  std::string bytes_ = std::string(256 << 10, '\0');
};

[[noreturn]] void read_all(Inbox& inbox, Work& work) {
  for (;;) {
    ToPlugin message = inbox.next();
    // A cancellation must not wait for an execute that takes its time.
    if (message.has_cancel()) {
      session->cancel(message.cancel().call());
    } else {
      if (message.has_execute()) session->begin(message.execute().call());
      work.add(std::move(message));
    }
  }
}

bool refuse(const absl::Status& why) {
  FromPlugin message;
  message.mutable_refused()->set_reason(std::string(base::text(why)).substr(0, kLongestMessage));
  session->send(message);
  return false;
}

const skald_plugin* open_plugin(const plugin::v1::Open& from) {
  const auto plugin = open_library(from.library(), from.path());
  if (!plugin.ok()) return refuse(plugin.status()), nullptr;
  const PluginFacts facts = facts_of(**plugin);
  prctl(PR_SET_NAME, ("skald-" + facts.name).substr(0, 15).c_str());
  FromPlugin message;
  auto* opened = message.mutable_opened();
  opened->set_name(facts.name);
  opened->set_version(facts.version);
  for (const std::string& activity : facts.activities) opened->add_activities(activity);
  if (facts.config_schema) opened->set_config_schema(*facts.config_schema);
  session->send(message);
  return *plugin;
}

// What counts against RLIMIT_AS and RLIMIT_DATA already; sanitizers reserve terabytes.
struct Taken {
  int64_t addresses = 0, data = 0;
};
Taken taken_bytes() {
  int64_t pages[6] = {};  // size resident shared text lib data
  std::ifstream statm("/proc/self/statm");
  for (int64_t& field : pages) statm >> field;
  return {pages[0] * sysconf(_SC_PAGESIZE), pages[5] * sysconf(_SC_PAGESIZE)};
}

void limit_to(__rlimit_resource resource, int64_t bytes) {
  const rlimit limit = {static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  setrlimit(resource, &limit);
}

bool start_plugin(const skald_plugin& plugin, const plugin::v1::Init& init) {
  if (init.max_data_bytes() > 0) {
    const Taken taken = taken_bytes();
    limit_to(RLIMIT_DATA, taken.data + init.max_data_bytes() + kReservedForStacks);
    limit_to(RLIMIT_AS, taken.addresses + init.max_data_bytes() + kReservedForHeaps);
  }
  if (init.max_files() > 0) limit_files(init.max_files());
  if (init.max_processes() > 0) limit_processes(init.max_processes());
  session->set_max_output(init.max_output_bytes());
  if (auto status = initialize(plugin, host_functions(), init.config(), init.data_path()); !status.ok())
    return refuse(status);
  FromPlugin message;
  message.mutable_ready();
  session->send(message);
  return true;
}

void execute(const skald_plugin& plugin, const plugin::v1::Execute& from) {
  const skald_task task = {plugin::lent(from.activity()),
                           plugin::lent(from.input()),
                           plugin::lent(from.idempotency_key()),
                           plugin::lent(from.namespace_()),
                           plugin::lent(from.workflow_id()),
                           plugin::lent(from.workflow_type()),
                           plugin::lent(from.run_id()),
                           plugin::lent(from.activity_id()),
                           plugin::lent(from.heartbeat_details()),
                           from.attempt(),
                           from.deadline_unix_ms(),
                           plugin::lent(from.chain()),
                           from.scheduled_unix_ns()};
  auto* const handle = reinterpret_cast<skald_call*>(from.call());
  try {
    plugin.execute(&task, handle);
  } catch (...) {
    const auto [type, text] = plugin::current_exception_text();
    skald_failure failure{};
    failure.type = plugin::lent(type);
    failure.message = plugin::lent(text);
    host_functions().fail(handle, &failure);
  }
}

int serve_plugin(Work& work) {
  const skald_plugin* plugin = nullptr;
  bool started = false;
  for (;;) {
    const ToPlugin message = work.take();
    if (message.has_open()) {
      plugin = open_plugin(message.open());
      if (plugin == nullptr) return 0;
    } else if (message.has_init()) {
      started = start_plugin(*plugin, message.init());
      if (!started) return 0;
    } else if (message.has_execute()) {
      execute(*plugin, message.execute());
    } else if (message.has_ping()) {
      FromPlugin pong;
      pong.mutable_pong();
      session->send(pong);
    } else if (message.has_shutdown()) {
      if (started) plugin->shutdown();
      FromPlugin ended;
      ended.mutable_ended();
      session->send(ended);
      return 0;
    }
  }
}

// Takes the first message as the process's only thread.
bool begin(ToPlugin first, Work& work) {
  const auto hidden = confine(first.open().confinement());
  if (!hidden.ok()) return refuse(hidden.status());
  FromPlugin message;
  message.mutable_begun()->set_process(getpid());
  message.mutable_begun()->set_files_hidden(*hidden);
  session->send(message);
  work.add(std::move(first));
  return true;
}

}  // namespace

int isolation_argument(int argc, const char* const* argv) {
  int fd = -1;
  const bool asked = argc == 5 && std::string_view(argv[1]) == "plugin" && std::string_view(argv[2]) == "serve" &&
                     std::string_view(argv[3]) == "--fd" && absl::SimpleAtoi(argv[4], &fd);
  return asked ? fd : -1;
}

int serve_isolated(int fd) {
  struct stat about {};
  if (fstat(fd, &about) != 0 || !S_ISSOCK(about.st_mode)) {
    fputs("skald: plugin serve is what a host of plugins starts, with a socket\n", stderr);
    return 2;
  }
  // The host decides when its plugins end; and they end with it, whichever of the two ways is quicker: its guardian
  // notices, or the socket. A handler, since a program that the plugin starts would inherit that they are ignored.
  for (const int ignored : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) signal(ignored, [](int) {});
  begin_guarded();
  setvbuf(stdout, nullptr, _IOLBF, 0);
  // When the machine has no memory left, it is to go before its host.
  std::ofstream("/proc/self/oom_score_adj") << 500;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd + 1, F_SETFD, FD_CLOEXEC);
  session = new Session(fd);
  static auto* const inbox = new Inbox(fd);
  static auto* const work = new Work;
  if (!begin(inbox->next(), *work)) std::_Exit(0);
  std::thread([] { read_all(*inbox, *work); }).detach();
  std::thread([] { session->send_beats(); }).detach();
  const int code = serve_plugin(*work);
  fflush(nullptr);
  std::_Exit(code);
}

}  // namespace skald::plugins

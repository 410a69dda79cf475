#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "plugins/host/backend.h"
#include "plugins/host/child.h"
#include "plugins/host/frames.h"
#include "plugins/host/isolation.h"
#include "plugins/host/library.h"
#include "plugins/host/line_log.h"
#include "plugins/host/restart_pause.h"

namespace skald::plugin::v1 {
class FromPlugin;
class ToPlugin;
}  // namespace skald::plugin::v1

namespace skald::plugins {

// Keeps the process of an isolated plugin: a thread of its own starts it, listens to it, watches it, ends it, and
// starts it again. That thread must outlive the process: it is its parent. Thread-safe.
class ProcessKeeper : public std::enable_shared_from_this<ProcessKeeper> {
 public:
  ProcessKeeper(std::shared_ptr<const LibraryImage> image, std::vector<std::string> command, Confinement confinement);
  ~ProcessKeeper();

  absl::Status open();  // starts the process and has it open the library
  absl::Status start(Backend::Setup setup);
  bool execute(const std::shared_ptr<Call>& call);
  void stop(absl::Time until);
  void run();                                          // the thread
  void quit();                                         // ends the process, and run()
  const PluginFacts& facts() const { return facts_; }  // once it is open

 private:
  static constexpr size_t kLargestOther = 8 << 20;  // of its messages beside results

  enum class Phase { kNone, kOpening, kOpened, kStarting, kServing, kEnding };
  struct Held {
    std::shared_ptr<Call> call;
    int late_ticks = 0;  // looks at it since its deadline
  };

  bool spawn(std::unique_lock<std::mutex>& lock);
  void serve();
  void listen();
  void look_after();
  std::string illness();  // mutex_ is held
  void read_socket();
  void read_output();
  void take(const plugin::v1::FromPlugin& message);
  void take_begun(const plugin::v1::FromPlugin& message);
  void take_opened(const plugin::v1::FromPlugin& message);
  void take_ready();
  std::shared_ptr<Call> held(uint64_t id, bool remove);
  std::string ending();
  void aftermath();
  void answer_crashed(const std::map<uint64_t, Held>& held, const std::string& how);
  void enter(Phase phase);  // mutex_ is held
  absl::Status wait_settled(std::unique_lock<std::mutex>& lock);
  void settle(absl::Status status);                // mutex_ is held
  void send(const plugin::v1::ToPlugin& message);  // mutex_ is held
  void send_init();                                // mutex_ is held
  void flush();                                    // mutex_ is held
  void wake();
  absl::Duration tick() const;

  const std::shared_ptr<const LibraryImage> image_;
  const std::vector<std::string> command_;
  const Confinement confinement_;
  const int wake_;  // an eventfd
  PluginFacts facts_;

  // The thread's own.
  std::unique_ptr<FrameReader> frames_;
  std::unique_ptr<LineLog> lines_;
  std::string ended_by_host_, refusal_;  // why
  bool closed_ = false;                  // the process has closed its socket
  bool said_goodbye_ = false;
  bool speaks_nonsense_ = false;  // what it says further counts for nothing
  bool completed_any_ = false;
  RestartPause pause_;
  absl::Time next_tick_, next_start_ = absl::InfinitePast();
  int unanswered_ticks_ = 0;  // since a ping that has had no answer; 0: there is none

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Phase phase_ = Phase::kNone, wanted_ = Phase::kNone;  // wanted: kNone, kOpened or kServing
  absl::Time phase_since_;
  bool quit_ = false;
  std::unique_ptr<Child> child_;
  std::string unsent_;
  size_t unsent_from_ = 0;
  std::optional<Backend::Setup> setup_;
  std::optional<absl::Status> settled_;  // how what open() or start() asked for ended
  bool awaited_ = false;                 // by open() or start()
  absl::Time end_by_ = absl::InfiniteFuture();
  uint64_t last_call_ = 0;
  std::map<uint64_t, Held> calls_;
};

}  // namespace skald::plugins

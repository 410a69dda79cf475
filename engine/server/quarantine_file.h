#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "engine/base/clock.h"
#include "engine/shard/quarantine.h"

namespace skald::server {

// The quarantine in two files: PREFIX.working is mapped into memory and holds what is worked on at this moment; the kernel keeps it when
// the process dies, and nothing waits for a disk. PREFIX.suspects is text, a line a workflow, written when a death is found at a start.
class QuarantineFile final : public shard::Quarantine {
 public:
  // Counts the deaths that the files tell of. FAILED_PRECONDITION if another process has them.
  static absl::StatusOr<std::unique_ptr<QuarantineFile>> open(const std::string& prefix, const base::Clock& clock);
  // An orderly end: nothing is being worked on.
  ~QuarantineFile() override;

  size_t begin(const store::WorkflowKey& workflow) override;
  void end(size_t note) override;
  std::optional<Suspect> suspect(const store::WorkflowKey& workflow) const override;
  void release(const store::WorkflowKey& workflow) override;

 private:
  // Room for ids of the longest kind; a longer one is not noted.
  struct Note {
    std::atomic<uint32_t> taken;  // kFree, kClaimed by who writes it, kWritten
    uint32_t namespace_length;
    uint32_t workflow_length;
    std::array<char, 2'036> text;  // namespace id, then workflow id
  };
  // More than threads that work at the same time; when all are taken, work goes on without a note.
  static constexpr size_t kNotes = 64;
  static constexpr uint32_t kFree = 0, kClaimed = 1, kWritten = 2;

  QuarantineFile(std::string prefix, const base::Clock& clock) : prefix_(std::move(prefix)), clock_(clock) {}
  absl::Status map();
  absl::Status read_suspects();
  void count_deaths();
  void write_suspects() const;

  const std::string prefix_;
  const base::Clock& clock_;
  int file_ = -1;
  Note* notes_ = nullptr;
  mutable std::mutex mutex_;  // guards what is below
  std::map<store::WorkflowKey, Suspect> suspects_;
  std::atomic<size_t> suspect_count_ = 0;  // so that a server without suspects takes no lock
};

}  // namespace skald::server

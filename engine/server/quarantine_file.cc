#include "engine/server/quarantine_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <cstdio>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <spdlog/spdlog.h>

namespace skald::server {
namespace {

// Deaths further apart have nothing to do with each other.
constexpr absl::Duration kApart = absl::Hours(1);

absl::Status cannot(const std::string& what, const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<QuarantineFile>> QuarantineFile::open(const std::string& prefix, const base::Clock& clock) {
  std::unique_ptr<QuarantineFile> opened(new QuarantineFile(prefix, clock));
  if (auto status = opened->map(); !status.ok()) return status;
  if (auto status = opened->read_suspects(); !status.ok()) return status;
  opened->count_deaths();
  return opened;
}

absl::Status QuarantineFile::map() {
  const std::string path = prefix_ + ".working";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return cannot("open", path);
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) return cannot("lock", path);
  constexpr size_t kBytes = kNotes * sizeof(Note);
  if (ftruncate(file_, kBytes) != 0) return cannot("size", path);
  void* mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (mapped == MAP_FAILED) return cannot("map", path);
  notes_ = static_cast<Note*>(mapped);
  return absl::OkStatus();
}

QuarantineFile::~QuarantineFile() {
  if (notes_ != nullptr) {
    for (size_t i = 0; i < kNotes; ++i) notes_[i].taken = kFree;
    munmap(notes_, kNotes * sizeof(Note));
  }
  if (file_ >= 0) close(file_);
}

// deaths, time of the last one, namespace id, workflow id: separated by blanks, the ids escaped as in C.
absl::Status QuarantineFile::read_suspects() {
  std::ifstream in(prefix_ + ".suspects");
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, '\t');
    Suspect suspect;
    int64_t seconds = 0;
    store::WorkflowKey key;
    if (words.size() != 4 || !absl::SimpleAtoi(words[0], &suspect.deaths) || !absl::SimpleAtoi(words[1], &seconds) ||
        !absl::CUnescape(words[2], &key.namespace_id) || !absl::CUnescape(words[3], &key.workflow_id)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the file ", prefix_, ".suspects, which tells on which workflows the server died, holds a line that cannot be read: mend or remove it"));
    }
    suspect.last_death = absl::FromUnixSeconds(seconds);
    suspects_[key] = suspect;
  }
  suspect_count_ = suspects_.size();
  return absl::OkStatus();
}

void QuarantineFile::count_deaths() {
  const absl::Time now = clock_.now();
  // Who is not in quarantine yet, and has not come up for long, is no suspect any more.
  bool changed = std::erase_if(suspects_, [&](const auto& known) {
                   return known.second.deaths < kDeaths && now - known.second.last_death > kApart;
                 }) > 0;
  std::set<store::WorkflowKey> dead;  // a workflow may be noted by two threads
  for (size_t i = 0; i < kNotes; ++i) {
    Note& note = notes_[i];
    if (note.taken.exchange(kFree) != kWritten) continue;
    if (note.workflow_length == 0 || size_t{note.namespace_length} + note.workflow_length > note.text.size()) continue;
    const char* text = note.text.data();
    dead.insert({std::string(text, note.namespace_length), std::string(text + note.namespace_length, note.workflow_length)});
  }
  for (const store::WorkflowKey& key : dead) {
    Suspect& suspect = suspects_[key];
    suspect.deaths += 1;
    suspect.last_death = now;
    changed = true;
    if (suspect.deaths < kDeaths) {
      spdlog::warn("the server died while it worked on workflow {}", key.workflow_id);
    }
  }
  for (const auto& [key, suspect] : suspects_) {
    if (suspect.deaths < kDeaths) continue;
    spdlog::error("workflow {} is in quarantine: the server died {} times while it worked on it. It is not driven any more; see what it does, and try it with "
                  "`skald workflow retry {}`, or terminate it",
                  key.workflow_id, suspect.deaths, key.workflow_id);
  }
  suspect_count_ = suspects_.size();
  if (changed) write_suspects();
}

void QuarantineFile::write_suspects() const {
  const std::string path = prefix_ + ".suspects";
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    for (const auto& [key, suspect] : suspects_) {
      out << suspect.deaths << '\t' << absl::ToUnixSeconds(suspect.last_death) << '\t' << absl::CEscape(key.namespace_id) << '\t' << absl::CEscape(key.workflow_id)
          << '\n';
    }
    if (!out.flush()) return spdlog::error("cannot write {}: {}", fresh, std::strerror(errno));
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) spdlog::error("cannot write {}: {}", path, std::strerror(errno));
}

size_t QuarantineFile::begin(const store::WorkflowKey& workflow) {
  if (workflow.namespace_id.size() + workflow.workflow_id.size() > sizeof(Note::text)) return kNotes;
  for (size_t i = 0; i < kNotes; ++i) {
    Note& note = notes_[i];
    uint32_t free = kFree;
    if (note.taken.load(std::memory_order_relaxed) != kFree || !note.taken.compare_exchange_strong(free, kClaimed)) continue;
    note.namespace_length = static_cast<uint32_t>(workflow.namespace_id.size());
    note.workflow_length = static_cast<uint32_t>(workflow.workflow_id.size());
    std::memcpy(note.text.data(), workflow.namespace_id.data(), workflow.namespace_id.size());
    std::memcpy(note.text.data() + workflow.namespace_id.size(), workflow.workflow_id.data(), workflow.workflow_id.size());
    note.taken.store(kWritten, std::memory_order_release);
    return i;
  }
  return kNotes;
}

void QuarantineFile::end(size_t note) {
  if (note < kNotes) notes_[note].taken.store(kFree, std::memory_order_release);
}

std::optional<shard::Quarantine::Suspect> QuarantineFile::suspect(const store::WorkflowKey& workflow) const {
  if (suspect_count_ == 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto found = suspects_.find(workflow);
  return found == suspects_.end() ? std::nullopt : std::optional(found->second);
}

void QuarantineFile::release(const store::WorkflowKey& workflow) {
  const std::lock_guard lock(mutex_);
  const auto found = suspects_.find(workflow);
  if (found == suspects_.end()) return;
  found->second = {kDeaths - 1, clock_.now()};
  write_suspects();
}

}  // namespace skald::server

// What time and the scans of the store bring up: runs that are due, have work, or are to be told something.
#include <utility>

#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/shard/owner.h"

namespace skald::shard {
namespace {

constexpr absl::Duration kTickRetryInterval = absl::Seconds(1);

}  // namespace

void Owner::tick(const store::RunKey& key) {
  submit(key.workflow(), key.run_id,
         [this](WorkflowEntry& entry, CachedRun* run) {
           if (run == nullptr) return;
           if (quarantined(entry.key)) return;
           if (core::is_expired(run->state, now())) return remove(entry, *run);
           apply(entry, *run, core::Tick{}, [](const absl::Status&, core::Output&) {});
           wakes_.set(*run, core::next_wake(run->state));
           // A workflow task that timed out gives its queries back.
           if (run->state.workflow_task().started_event_id() == 0) queries_.requeue(*run);
           queries_.pump(entry, *run);
         },
         [this, key](const absl::Status& status) {
           if (fatal_) return;
           spdlog::warn("workflow {} is due and cannot be read, next try in {}: {}", key.workflow_id,
                        absl::FormatDuration(kTickRetryInterval), base::text(status));
           parts_.executor.post_at(now() + kTickRetryInterval, [this, key] { tick(key); });
         });
}

// Retention is over: the run leaves memory, and its rows go.
void Owner::remove(WorkflowEntry& entry, CachedRun& run) {
  if (run.batch != 0 || entry.busy) {
    parts_.executor.post_at(now() + kTickRetryInterval, [this, key = run.key] { tick(key); });
    return;
  }
  wakes_.erase(run);
  leave(run, absl::NotFoundError("the workflow's retention is over"));
  if (entry.current && entry.current->run_id == run.key.run_id) entry.current.reset();
  commits_.erase(run.key);
  cache_.remove(entry, std::string(run.key.run_id));
}

void Owner::found_work(const store::RunKey& key, const std::string& page) {
  submit(key.workflow(), key.run_id,
         [this, page](WorkflowEntry& entry, CachedRun* run) {
           if (run == nullptr || quarantined(entry.key)) return;
           // A run that had to be loaded has dispatched its tasks by itself; of others those are in matching that fitted.
           if (run->refused) dispatch_all(*run);
           if (run->refused) scans_.refused(page);
           drive(entry, *run);
         },
         [this, key](const absl::Status&) { read_back_later(key); });
}

void Owner::found_message(const store::OutboxRow& row) {
  core::state::OutboxMessage message;
  if (!message.ParseFromString(row.message)) {
    return spdlog::error("the outbox message {} cannot be read and is left alone", row.id);
  }
  parts_.deliver(message);
}

}  // namespace skald::shard

#include "engine/shard/scans.h"

#include <utility>

namespace skald::shard {
namespace {

constexpr absl::Duration kNextTry = absl::Seconds(1);

}  // namespace

Scans::Scans(Parts parts) : parts_(std::move(parts)) {}

void Scans::start() {
  look_for_work();
  look_for_messages();
  look_ahead();
}

void Scans::again(absl::Duration later, void (Scans::*look)()) {
  if (stopped_) return;
  parts_.executor.post_at(parts_.clock.now() + later, [this, look] { (this->*look)(); });
}

void Scans::look_for_work() {
  if (scanning_work_) return;
  scanning_work_ = true;
  scan_work("");
}

void Scans::scan_work(const std::string& after) {
  parts_.store.scan_work(parts_.lease, after, parts_.page, [this](absl::StatusOr<store::Page<store::RunKey>> page) {
    parts_.executor.post([this, page = std::move(page)] {
      if (!page.ok()) {
        scanning_work_ = false;
        return again(kNextTry, &Scans::look_for_work);
      }
      for (const store::RunKey& key : page->rows) parts_.found_work(key);
      if (!page->next.empty()) return scan_work(page->next);
      scanning_work_ = false;
    });
  });
}

void Scans::look_for_messages() { scan_messages(""); }

void Scans::scan_messages(const std::string& after) {
  parts_.store.scan_outbox(parts_.lease, after, parts_.page, [this](absl::StatusOr<store::Page<store::OutboxRow>> page) {
    parts_.executor.post([this, page = std::move(page)] {
      if (!page.ok()) return again(kNextTry, &Scans::look_for_messages);
      for (const store::OutboxRow& row : page->rows) parts_.found_message(row);
      if (!page->next.empty()) scan_messages(page->next);
    });
  });
}

void Scans::look_ahead() {
  if (scanning_ahead_) return;
  scanning_ahead_ = true;
  horizon_ = parts_.clock.now() + parts_.lookahead;
  parts_.set_horizon(horizon_);
  scan_ahead("");
}

void Scans::scan_ahead(const std::string& after) {
  using Row = std::pair<store::RunKey, absl::Time>;
  parts_.store.scan_wake(parts_.lease, horizon_, after, parts_.page, [this](absl::StatusOr<store::Page<Row>> page) {
    parts_.executor.post([this, page = std::move(page)] {
      if (!page.ok()) {
        scanning_ahead_ = false;
        return again(kNextTry, &Scans::look_ahead);
      }
      for (const auto& [key, wake] : page->rows) parts_.found_sleeping(key, wake);
      if (!page->next.empty()) return scan_ahead(page->next);
      scanning_ahead_ = false;
      again(parts_.lookahead / 2, &Scans::look_ahead);
    });
  });
}

}  // namespace skald::shard

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
  if (scanning_work_) {
    // What asks for it may have happened behind the scan.
    work_wanted_ = true;
    return;
  }
  scanning_work_ = true;
  work_wanted_ = round_wrapped_ = round_refused_ = false;
  round_from_ = work_from_;
  scan_work(round_from_);
}

void Scans::refused(const std::string& page) {
  if (std::exchange(round_refused_, true)) return;
  work_from_ = page;
}

void Scans::scan_work(const std::string& after) {
  parts_.store.scan_work(parts_.lease, after, parts_.page, [this, after](absl::StatusOr<store::Page<store::RunKey>> page) {
    parts_.executor.post([this, after, page = std::move(page)] {
      if (!page.ok()) {
        scanning_work_ = false;
        return again(kNextTry, &Scans::look_for_work);
      }
      for (const store::RunKey& key : page->rows) parts_.found_work(key, after);
      std::string next = page->next;
      if (next.empty()) {
        // The end: what lies before the page where the round began is left.
        if (round_from_.empty() || round_wrapped_) return end_round();
        round_wrapped_ = true;
      }
      if (round_wrapped_ && next == round_from_) return end_round();
      scan_work(next);
    });
  });
}

void Scans::end_round() {
  scanning_work_ = false;
  if (work_wanted_) look_for_work();
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

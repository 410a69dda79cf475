#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/store.h"

namespace skald::shard {

// A store that notes what it is asked for and what is written, and fails what a test wants to fail.
class WatchedStore final : public store::Store {
 public:
  explicit WatchedStore(store::Store& below) : below_(below) {}

  std::vector<store::Batch> batches;      // as they came, those that fail too
  std::vector<std::string> reads;         // "run ID", "current ID", "history ID FIRST..LAST"
  std::vector<std::string> scans;         // "work AFTER", "outbox AFTER", "wake AFTER"
  std::vector<std::string> outcomes;      // batch ids asked for
  // What becomes of a batch: OK goes on to the store; UNKNOWN does too, its caller is not told; anything else fails it.
  std::function<absl::Status(const store::Batch&)> refuses = [](const store::Batch&) { return absl::OkStatus(); };
  int failing_reads = 0;  // so many of the next reads and scans fail

  void commit(store::Batch batch, store::CommitDone done) override {
    batches.push_back(batch);
    absl::Status refused = refuses(batch);
    if (refused.ok()) return below_.commit(std::move(batch), std::move(done));
    if (!absl::IsUnknown(refused)) return done(std::move(refused));
    below_.commit(std::move(batch), [done = std::move(done), refused](const absl::Status&) mutable { done(refused); });
  }
  void outcome_of(const store::Lease& lease, const std::string& id, store::Done<bool> done) override {
    outcomes.push_back(id);
    if (fails()) return done(absl::UnavailableError("no outcome"));
    below_.outcome_of(lease, id, std::move(done));
  }
  void read_run(const store::RunKey& key, store::Done<std::optional<store::RunRow>> done) override {
    reads.push_back("run " + key.run_id);
    if (fails()) return done(absl::UnavailableError("no read"));
    below_.read_run(key, std::move(done));
  }
  void read_current(const store::WorkflowKey& key, store::Done<std::optional<store::CurrentRow>> done) override {
    reads.push_back("current " + key.workflow_id);
    if (fails()) return done(absl::UnavailableError("no read"));
    below_.read_current(key, std::move(done));
  }
  void read_history(const store::RunKey& key, int64_t first, int64_t last, size_t bytes,
                    store::Done<std::vector<store::HistoryChunk>> done) override {
    reads.push_back("history " + key.run_id + " " + std::to_string(first) + ".." + std::to_string(last));
    if (fails()) return done(absl::UnavailableError("no read"));
    below_.read_history(key, first, last, bytes, std::move(done));
  }
  void read_history_reverse(const store::RunKey& key, int64_t last, size_t bytes,
                            store::Done<std::vector<store::HistoryChunk>> done) override {
    below_.read_history_reverse(key, last, bytes, std::move(done));
  }
  void scan_wake(const store::Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 store::Done<store::Page<std::pair<store::RunKey, absl::Time>>> done) override {
    scans.push_back("wake " + after);
    if (fails()) return done(absl::UnavailableError("no scan"));
    below_.scan_wake(lease, until, after, limit, std::move(done));
  }
  void scan_work(const store::Lease& lease, const std::string& after, size_t limit,
                 store::Done<store::Page<store::RunKey>> done) override {
    scans.push_back("work " + after);
    if (fails()) return done(absl::UnavailableError("no scan"));
    below_.scan_work(lease, after, limit, std::move(done));
  }
  void scan_outbox(const store::Lease& lease, const std::string& after, size_t limit,
                   store::Done<store::Page<store::OutboxRow>> done) override {
    scans.push_back("outbox " + after);
    if (fails()) return done(absl::UnavailableError("no scan"));
    below_.scan_outbox(lease, after, limit, std::move(done));
  }

  absl::StatusOr<store::Lease> acquire(int first, int last, const std::string& holder) override {
    return below_.acquire(first, last, holder);
  }
  void list(const store::VisibilityQuery& query, size_t size, const std::string& token,
            store::Done<store::Page<store::VisibilityRow>> done) override {
    below_.list(query, size, token, std::move(done));
  }
  void count(const store::VisibilityQuery& query, store::Done<std::vector<store::CountGroup>> done) override {
    below_.count(query, std::move(done));
  }
  absl::Status put_namespace(const store::NamespaceRow& row) override { return below_.put_namespace(row); }
  absl::StatusOr<std::vector<store::NamespaceRow>> namespaces() override { return below_.namespaces(); }
  absl::StatusOr<std::optional<std::string>> get_setting(const std::string& name) override {
    return below_.get_setting(name);
  }
  absl::Status put_setting(const std::string& name, const std::string& value) override {
    return below_.put_setting(name, value);
  }

 private:
  bool fails() { return failing_reads > 0 && failing_reads-- > 0; }

  store::Store& below_;
};

}  // namespace skald::shard

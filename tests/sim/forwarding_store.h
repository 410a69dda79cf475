#pragma once

#include <utility>

#include "engine/store/store.h"

namespace skald::sim {

// A store that hands all on to the one below.
class ForwardingStore : public store::Store {
 public:
  explicit ForwardingStore(store::Store& below) : below_(below) {}

  void commit(store::Batch batch, store::CommitDone done) override { below_.commit(std::move(batch), std::move(done)); }
  absl::StatusOr<store::Lease> acquire(int first, int last, const std::string& holder) override {
    return below_.acquire(first, last, holder);
  }
  void outcome_of(const store::Lease& lease, const std::string& id, store::Done<bool> done) override {
    below_.outcome_of(lease, id, std::move(done));
  }
  void read_run(const store::RunKey& key, store::Done<std::optional<store::RunRow>> done) override {
    below_.read_run(key, std::move(done));
  }
  void read_current(const store::WorkflowKey& key, store::Done<std::optional<store::CurrentRow>> done) override {
    below_.read_current(key, std::move(done));
  }
  void read_history(const store::RunKey& key, int64_t first, int64_t last, size_t bytes,
                    store::Done<std::vector<store::HistoryChunk>> done) override {
    below_.read_history(key, first, last, bytes, std::move(done));
  }
  void read_history_reverse(const store::RunKey& key, int64_t last, size_t bytes,
                            store::Done<std::vector<store::HistoryChunk>> done) override {
    below_.read_history_reverse(key, last, bytes, std::move(done));
  }
  void scan_wake(const store::Lease& lease, absl::Time until, const std::string& after, size_t limit,
                 store::Done<store::Page<std::pair<store::RunKey, absl::Time>>> done) override {
    below_.scan_wake(lease, until, after, limit, std::move(done));
  }
  void scan_work(const store::Lease& lease, const std::string& after, size_t limit,
                 store::Done<store::Page<store::RunKey>> done) override {
    below_.scan_work(lease, after, limit, std::move(done));
  }
  void scan_outbox(const store::Lease& lease, const std::string& after, size_t limit,
                   store::Done<store::Page<store::OutboxRow>> done) override {
    below_.scan_outbox(lease, after, limit, std::move(done));
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

 protected:
  store::Store& below_;
};

}  // namespace skald::sim

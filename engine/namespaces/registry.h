#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/core/core.h"
#include "engine/shard/namespace_source.h"
#include "engine/store/store.h"
#include "skald/state/v1/state.pb.h"

namespace skald::namespaces {

using Record = skald::state::v1::Namespace;

// The namespaces of this store: all in memory, written through. Thread-safe; writes block on the store.
class Registry final : public shard::NamespaceSource {
 public:
  // Reads all namespaces; makes `default` (kept 24 h) if there is none yet. `store` and `clock` outlive the registry.
  static absl::StatusOr<std::unique_ptr<Registry>> open(store::Store& store, const base::Clock& clock, base::Random& random);

  std::shared_ptr<const core::NamespaceSettings> by_id(std::string_view id) const override;
  std::shared_ptr<const core::NamespaceSettings> by_name(std::string_view name) const override;

  // NOT_FOUND `Namespace X is not found.`, with NamespaceNotFoundFailure.
  absl::StatusOr<Record> describe(std::string_view name, std::string_view id) const;
  // By name: those after this one, `most` at most.
  std::vector<Record> list(std::string_view after = "", size_t most = SIZE_MAX) const;
  // ALREADY_EXISTS `Namespace already exists.`, with NamespaceAlreadyExistsFailure. The id and the time are given here.
  absl::Status add(Record record);
  // Reads the record, has `change` change it and saves it, as one step. What `change` refuses is returned and not saved.
  absl::StatusOr<Record> update(std::string_view name, absl::FunctionRef<absl::Status(Record&)> change);

 private:
  struct Entry {
    Record record;
    std::shared_ptr<const core::NamespaceSettings> settings;
  };

  Registry(store::Store& store, const base::Clock& clock, base::Random& random) : store_(store), clock_(clock), random_(random) {}
  absl::Status save(const Record& record);
  void remember(Record record);

  store::Store& store_;
  const base::Clock& clock_;
  base::Random& random_;
  std::mutex write_mutex_;  // one change at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> by_name_;
  std::map<std::string, std::string, std::less<>> names_;  // by id
};

// What the core has to know of a namespace with this record.
core::NamespaceSettings settings_of(const Record& record);

absl::Status namespace_not_found(std::string_view name);

// Attributes that SDKs and tools set without asking whether they are defined: every namespace has them. Name -> IndexedValueType.
const std::map<std::string, int>& predefined_attributes();

}  // namespace skald::namespaces

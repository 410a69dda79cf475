#include "engine/namespaces/registry.h"

#include <utility>

#include "engine/core/core.h"
#include "engine/core/error.h"
#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/enums/v1/namespace.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace skald::namespaces {
namespace {

namespace enums = temporal::api::enums::v1;
constexpr int64_t kDefaultRetentionSeconds = 24 * 3600;
constexpr int64_t kShortestRetentionSeconds = 3600;

absl::Status check(const Record& record) {
  if (record.name().empty()) return absl::InvalidArgumentError("Namespace not set on request.");
  if (record.name().size() > 1'000) return absl::InvalidArgumentError("Namespace exceeds the length limit of 1000.");
  if (record.retention().seconds() < kShortestRetentionSeconds) {
    return absl::InvalidArgumentError("the workflow execution retention period must be at least one hour");
  }
  return absl::OkStatus();
}

}  // namespace

const std::map<std::string, int>& predefined_attributes() {
  static const auto* attributes = new std::map<std::string, int>{{"BuildIds", enums::INDEXED_VALUE_TYPE_KEYWORD_LIST},
                                                                 {"TemporalChangeVersion", enums::INDEXED_VALUE_TYPE_KEYWORD_LIST},
                                                                 {"BinaryChecksums", enums::INDEXED_VALUE_TYPE_KEYWORD_LIST},
                                                                 {"BatcherUser", enums::INDEXED_VALUE_TYPE_KEYWORD}};
  return *attributes;
}

core::NamespaceSettings settings_of(const Record& record) {
  core::NamespaceSettings settings;
  settings.id = record.id();
  settings.name = record.name();
  settings.retention = absl::Seconds(record.retention().seconds());
  settings.search_attributes = predefined_attributes();
  for (const auto& [name, type] : record.search_attributes()) settings.search_attributes[name] = type;
  return settings;
}

absl::Status namespace_not_found(std::string_view name) {
  temporal::api::errordetails::v1::NamespaceNotFoundFailure detail;
  detail.set_namespace_(std::string(name));
  return core::with_detail(absl::NotFoundError("Namespace " + std::string(name) + " is not found."), detail);
}

absl::StatusOr<std::unique_ptr<Registry>> Registry::open(store::Store& store, const base::Clock& clock, base::Random& random) {
  auto registry = std::unique_ptr<Registry>(new Registry(store, clock, random));
  auto rows = store.namespaces();
  if (!rows.ok()) return rows.status();
  for (const store::NamespaceRow& row : *rows) {
    Record record;
    if (!record.ParseFromString(row.record)) return absl::DataLossError("the record of the namespace " + row.name + " cannot be read");
    registry->remember(std::move(record));
  }
  if (rows->empty()) {
    Record record;
    record.set_name("default");
    record.mutable_retention()->set_seconds(kDefaultRetentionSeconds);
    if (auto status = registry->add(std::move(record)); !status.ok()) return status;
  }
  return registry;
}

std::shared_ptr<const core::NamespaceSettings> Registry::by_id(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto name = names_.find(id);
  return name == names_.end() ? nullptr : by_name_.find(name->second)->second.settings;
}

std::shared_ptr<const core::NamespaceSettings> Registry::by_name(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.settings;
}

absl::StatusOr<Record> Registry::describe(std::string_view name, std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto known = names_.find(id);
  const auto found = by_name_.find(name.empty() && known != names_.end() ? std::string_view(known->second) : name);
  if (found == by_name_.end()) return namespace_not_found(name.empty() ? id : name);
  return found->second.record;
}

std::vector<Record> Registry::list(std::string_view after, size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<Record> records;
  for (auto next = by_name_.upper_bound(after); next != by_name_.end() && records.size() < most; ++next) {
    records.push_back(next->second.record);
  }
  return records;
}

absl::Status Registry::add(Record record) {
  if (auto status = check(record); !status.ok()) return status;
  const std::lock_guard writing(write_mutex_);
  if (by_name(record.name()) != nullptr) {
    return core::with_detail(absl::AlreadyExistsError("Namespace already exists."), temporal::api::errordetails::v1::NamespaceAlreadyExistsFailure());
  }
  {
    const std::lock_guard lock(mutex_);
    record.set_id(random_.uuid());
  }
  record.set_state(enums::NAMESPACE_STATE_REGISTERED);
  record.mutable_created()->set_seconds(absl::ToUnixSeconds(clock_.now()));
  return save(record);
}

absl::StatusOr<Record> Registry::update(std::string_view name, absl::FunctionRef<absl::Status(Record&)> change) {
  const std::lock_guard writing(write_mutex_);
  auto record = describe(name, "");
  if (!record.ok()) return record.status();
  if (auto status = change(*record); !status.ok()) return status;
  if (auto status = check(*record); !status.ok()) return status;
  if (auto status = save(*record); !status.ok()) return status;
  return record;
}

absl::Status Registry::save(const Record& record) {
  if (auto status = store_.put_namespace({record.id(), record.name(), core::encode(record)}); !status.ok()) return status;
  remember(record);
  return absl::OkStatus();
}

void Registry::remember(Record record) {
  auto settings = std::make_shared<core::NamespaceSettings>(settings_of(record));
  const std::lock_guard lock(mutex_);
  names_[record.id()] = record.name();
  std::string name = record.name();
  by_name_[std::move(name)] = {std::move(record), std::move(settings)};
}

}  // namespace skald::namespaces

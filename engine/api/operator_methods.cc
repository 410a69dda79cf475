// The operator service: custom search attributes of a namespace, and the one cluster there is.
#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "engine/api/dispatch.h"
#include "engine/visibility/filter.h"

namespace skald::api {
namespace {

namespace admin = temporal::api::operatorservice::v1;
namespace enums = temporal::api::enums::v1;

std::string operator_method(const char* name) {
  return std::string("/temporal.api.operatorservice.v1.OperatorService/") + name;
}

// What every namespace has, and nobody may define or remove.
std::map<std::string, int> system_attributes() {
  std::map<std::string, int> types = visibility::standard_attributes();
  types.insert(namespaces::predefined_attributes().begin(), namespaces::predefined_attributes().end());
  return types;
}

absl::Status check_new_attribute(const std::string& name, int type, const std::map<std::string, int>& system) {
  if (name.empty()) return absl::InvalidArgumentError("Search attribute name is not set on request.");
  if (system.contains(name) || absl::StartsWith(name, "Temporal")) {
    return absl::InvalidArgumentError(absl::StrCat("Search attribute ", name, " is reserved by system."));
  }
  if (type == enums::INDEXED_VALUE_TYPE_UNSPECIFIED || !enums::IndexedValueType_IsValid(type)) {
    return absl::InvalidArgumentError(absl::StrCat("Unknown search attribute type: ", type, "."));
  }
  return absl::OkStatus();
}

// An attribute that is there with the same type is no error: the request may be a repetition.
absl::Status add_attributes(const admin::AddSearchAttributesRequest& request, namespaces::Record& record) {
  const auto system = system_attributes();
  for (const auto& [name, type] : request.search_attributes()) {
    if (auto status = check_new_attribute(name, type, system); !status.ok()) return status;
    const auto known = record.search_attributes().find(name);
    if (known != record.search_attributes().end() && known->second != type) {
      return absl::AlreadyExistsError(absl::StrCat("Search attribute ", name, " already exists."));
    }
    (*record.mutable_search_attributes())[name] = type;
  }
  return absl::OkStatus();
}

absl::Status remove_attributes(const admin::RemoveSearchAttributesRequest& request, namespaces::Record& record) {
  const auto system = system_attributes();
  for (const std::string& name : request.search_attributes()) {
    if (system.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat("Unable to remove non-custom search attributes: ", name, "."));
    }
    if (record.mutable_search_attributes()->erase(name) == 0) {
      return absl::NotFoundError(absl::StrCat("Search attribute ", name, " doesn't exist."));
    }
  }
  return absl::OkStatus();
}

// A request that changes the attributes of its namespace.
template <typename Request, typename Response>
void add_attribute_change(const Backend& backend, Methods& methods, const char* name,
                          absl::Status (*change)(const Request&, namespaces::Record&)) {
  answer<Request>(methods, operator_method(name),
                  [&backend, change](const Request& request) -> absl::StatusOr<Response> {
                    if (request.namespace_().empty())
                      return absl::InvalidArgumentError("Namespace not set on request.");
                    if (request.search_attributes().empty()) {
                      return absl::InvalidArgumentError("SearchAttributes are not set on request.");
                    }
                    auto changed = backend.namespaces.update(
                        request.namespace_(), [&](namespaces::Record& record) { return change(request, record); });
                    if (!changed.ok()) return changed.status();
                    return Response();
                  });
}

absl::StatusOr<admin::ListSearchAttributesResponse> list_attributes(const Backend& backend,
                                                                    const admin::ListSearchAttributesRequest& request) {
  if (request.namespace_().empty()) return absl::InvalidArgumentError("Namespace not set on request.");
  auto record = backend.namespaces.describe(request.namespace_(), "");
  if (!record.ok()) return record.status();
  admin::ListSearchAttributesResponse response;
  for (const auto& [name, type] : record->search_attributes()) {
    (*response.mutable_custom_attributes())[name] = static_cast<enums::IndexedValueType>(type);
  }
  for (const auto& [name, type] : system_attributes()) {
    (*response.mutable_system_attributes())[name] = static_cast<enums::IndexedValueType>(type);
  }
  return response;
}

}  // namespace

void add_operator_methods(const Backend& backend, Methods& methods) {
  add_attribute_change<admin::AddSearchAttributesRequest, admin::AddSearchAttributesResponse>(
      backend, methods, "AddSearchAttributes", add_attributes);
  add_attribute_change<admin::RemoveSearchAttributesRequest, admin::RemoveSearchAttributesResponse>(
      backend, methods, "RemoveSearchAttributes", remove_attributes);
  answer<admin::ListSearchAttributesRequest>(
      methods, operator_method("ListSearchAttributes"),
      [&backend](const auto& request) { return list_attributes(backend, request); });
  answer<admin::ListClustersRequest>(methods, operator_method("ListClusters"),
                                     [&backend](const auto&) -> absl::StatusOr<admin::ListClustersResponse> {
                                       admin::ListClustersResponse response;
                                       auto* cluster = response.add_clusters();
                                       cluster->set_cluster_name(kClusterName);
                                       cluster->set_cluster_id(backend.cluster_id);
                                       cluster->set_initial_failover_version(1);
                                       cluster->set_history_shard_count(store::kSlots);
                                       cluster->set_is_connection_enabled(true);
                                       return response;
                                     });
}

}  // namespace skald::api

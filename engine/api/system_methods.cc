#include <algorithm>

#include "temporal/api/enums/v1/namespace.pb.h"

#include "engine/api/dispatch.h"
#include "engine/api/validation.h"

namespace skald::api {
namespace {

constexpr int kDefaultNamespacePage = 100;
constexpr int kLargestNamespacePage = 1'000;
// A page's token is this and the last name of the page before.
constexpr std::string_view kNamespaceToken = "namespace:";

wire::GetSystemInfoResponse system_info(const Backend& backend) {
  wire::GetSystemInfoResponse response;
  response.set_server_version(backend.version);
  auto* capabilities = response.mutable_capabilities();
  capabilities->set_signal_and_query_header(true);
  capabilities->set_internal_error_differentiation(true);
  capabilities->set_activity_failure_include_heartbeat(true);
  capabilities->set_encoded_failure_attributes(true);
  capabilities->set_upsert_memo(true);
  capabilities->set_eager_workflow_start(true);
  capabilities->set_sdk_metadata(true);
  capabilities->set_count_group_by_execution_status(true);
  return response;
}

template <typename Response>
void describe(const Backend& backend, const namespaces::Record& record, Response* response) {
  auto* info = response->mutable_namespace_info();
  info->set_id(record.id());
  info->set_name(record.name());
  info->set_description(record.description());
  info->set_owner_email(record.owner_email());
  info->set_state(static_cast<temporal::api::enums::v1::NamespaceState>(record.state()));
  for (const auto& [key, value] : record.data()) (*info->mutable_data())[key] = value;
  auto* limits = info->mutable_limits();
  limits->set_blob_size_limit_error(static_cast<int64_t>(backend.limits.blob_error_bytes));
  limits->set_memo_size_limit_error(static_cast<int64_t>(backend.limits.memo_error_bytes));
  auto* capabilities = info->mutable_capabilities();
  capabilities->set_eager_workflow_start(true);
  capabilities->set_worker_poll_complete_on_shutdown(true);
  *response->mutable_config()->mutable_workflow_execution_retention_ttl() = record.retention();
  response->mutable_config()->set_history_archival_state(temporal::api::enums::v1::ARCHIVAL_STATE_DISABLED);
  response->mutable_config()->set_visibility_archival_state(temporal::api::enums::v1::ARCHIVAL_STATE_DISABLED);
  response->mutable_replication_config()->set_active_cluster_name(kClusterName);
  response->mutable_replication_config()->add_clusters()->set_cluster_name(kClusterName);
}

// Register requests and an update's configuration name archival alike.
template <typename Settings>
absl::Status check_archival(const Settings& settings) {
  namespace enums = temporal::api::enums::v1;
  if (settings.history_archival_state() != enums::ARCHIVAL_STATE_ENABLED && settings.visibility_archival_state() != enums::ARCHIVAL_STATE_ENABLED) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError("archival is not implemented by this server");
}

// What a namespace may be replicated to, and where it is active: this cluster.
template <typename Clusters>
absl::Status check_clusters(const std::string& active, const Clusters& clusters) {
  const bool elsewhere = (!active.empty() && active != kClusterName) || std::any_of(clusters.begin(), clusters.end(), [](const auto& cluster) {
    return cluster.cluster_name() != kClusterName;
  });
  return elsewhere ? absl::UnimplementedError("replication to other clusters is not implemented by this server") : absl::OkStatus();
}

absl::Status check_update(const wire::UpdateNamespaceRequest& request) {
  if (request.promote_namespace()) return absl::UnimplementedError("global namespaces are not implemented by this server");
  if (auto status = check_archival(request.config()); !status.ok()) return status;
  return check_clusters(request.replication_config().active_cluster_name(), request.replication_config().clusters());
}

absl::Status change(const wire::UpdateNamespaceRequest& request, namespaces::Record& record) {
  if (!request.update_info().description().empty()) record.set_description(request.update_info().description());
  if (!request.update_info().owner_email().empty()) record.set_owner_email(request.update_info().owner_email());
  for (const auto& [key, value] : request.update_info().data()) (*record.mutable_data())[key] = value;
  if (request.config().has_workflow_execution_retention_ttl()) {
    *record.mutable_retention() = request.config().workflow_execution_retention_ttl();
  }
  return absl::OkStatus();
}

absl::StatusOr<wire::ListNamespacesResponse> list_namespaces(const Backend& backend,
                                                             const wire::ListNamespacesRequest& request) {
  if (auto status = check_page_size("PageSize", request.page_size()); !status.ok()) return status;
  std::string_view after = request.next_page_token();
  if (!after.empty()) {
    if (!after.starts_with(kNamespaceToken)) return absl::InvalidArgumentError("Invalid NextPageToken.");
    after.remove_prefix(kNamespaceToken.size());
  }
  const int asked =
      request.page_size() == 0 ? kDefaultNamespacePage : std::min(request.page_size(), kLargestNamespacePage);
  const auto most = static_cast<size_t>(asked);
  auto records = backend.namespaces.list(after, most + 1);
  const bool more = records.size() > most;
  if (more) records.pop_back();
  wire::ListNamespacesResponse response;
  for (const auto& record : records) describe(backend, record, response.add_namespaces());
  if (more) response.set_next_page_token(std::string(kNamespaceToken) + records.back().name());
  return response;
}

void add_namespaces(const Backend& backend, Methods& methods) {
  answer<wire::DescribeNamespaceRequest>(methods, workflow_method("DescribeNamespace"),
                                         [&backend](const auto& request) -> absl::StatusOr<wire::DescribeNamespaceResponse> {
                                           if (request.namespace_().empty() && request.id().empty()) {
                                             return absl::InvalidArgumentError("Namespace not set on request.");
                                           }
                                           auto record = backend.namespaces.describe(request.namespace_(), request.id());
                                           if (!record.ok()) return record.status();
                                           wire::DescribeNamespaceResponse response;
                                           describe(backend, *record, &response);
                                           return response;
                                         });
  answer<wire::ListNamespacesRequest>(methods, workflow_method("ListNamespaces"),
                                      [&backend](const auto& request) { return list_namespaces(backend, request); });
  answer<wire::RegisterNamespaceRequest>(methods, workflow_method("RegisterNamespace"),
                                         [&backend](const auto& request) -> absl::StatusOr<wire::RegisterNamespaceResponse> {
                                           if (request.is_global_namespace()) {
                                             return absl::UnimplementedError("global namespaces are not implemented by this server");
                                           }
                                           if (auto status = check_archival(request); !status.ok()) return status;
                                           if (auto status = check_clusters(request.active_cluster_name(), request.clusters()); !status.ok()) return status;
                                           namespaces::Record record;
                                           record.set_name(request.namespace_());
                                           record.set_description(request.description());
                                           record.set_owner_email(request.owner_email());
                                           *record.mutable_retention() = request.workflow_execution_retention_period();
                                           for (const auto& [key, value] : request.data()) (*record.mutable_data())[key] = value;
                                           if (auto status = backend.namespaces.add(std::move(record)); !status.ok()) return status;
                                           return wire::RegisterNamespaceResponse();
                                         });
  answer<wire::UpdateNamespaceRequest>(methods, workflow_method("UpdateNamespace"),
                                       [&backend](const auto& request) -> absl::StatusOr<wire::UpdateNamespaceResponse> {
                                         if (auto status = check_update(request); !status.ok()) return status;
                                         auto record = backend.namespaces.update(
                                             request.namespace_(), [&request](namespaces::Record& changed) { return change(request, changed); });
                                         if (!record.ok()) return record.status();
                                         wire::UpdateNamespaceResponse response;
                                         describe(backend, *record, &response);
                                         return response;
                                       });
}

}  // namespace

void add_system_methods(const Backend& backend, Methods& methods) {
  answer<wire::GetSystemInfoRequest>(methods, workflow_method("GetSystemInfo"),
                                     [&backend](const auto&) { return absl::StatusOr<wire::GetSystemInfoResponse>(system_info(backend)); });
  answer<wire::GetClusterInfoRequest>(methods, workflow_method("GetClusterInfo"), [&backend](const auto&) -> absl::StatusOr<wire::GetClusterInfoResponse> {
    wire::GetClusterInfoResponse response;
    response.set_server_version(backend.version);
    response.set_cluster_id(backend.cluster_id);
    response.set_cluster_name(kClusterName);
    response.set_history_shard_count(store::kSlots);
    response.set_persistence_store("sqlite");
    response.set_visibility_store("sqlite");
    return response;
  });
  add_namespaces(backend, methods);
}

Methods all_methods(const Backend& backend) {
  Methods methods;
  add_system_methods(backend, methods);
  add_workflow_methods(backend, methods);
  add_worker_methods(backend, methods);
  add_history_methods(backend, methods);
  add_operator_methods(backend, methods);
  return methods;
}

}  // namespace skald::api

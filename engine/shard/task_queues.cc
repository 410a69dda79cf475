// What a task queue looks like: who polls it, and how much waits.
#include <utility>

#include "engine/shard/routing.h"

namespace skald::shard {
namespace {

namespace enums = temporal::api::enums::v1;
namespace taskqueue = temporal::api::taskqueue::v1;

matching::QueueKey key_of(const Call& call, const std::string& queue, int type) {
  const auto kind =
      type == enums::TASK_QUEUE_TYPE_ACTIVITY ? matching::TaskKind::kActivity : matching::TaskKind::kWorkflow;
  return {call.ns->id, kind, queue};
}

template <typename Message>
void add_pollers(const std::vector<matching::PollerInfo>& pollers, Message* message) {
  for (const auto& poller : pollers) {
    auto* info = message->add_pollers();
    info->set_identity(poller.identity);
    const int64_t nanos = absl::ToUnixNanos(poller.last_access);
    info->mutable_last_access_time()->set_seconds(nanos / 1'000'000'000);
    info->mutable_last_access_time()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  }
}

// Whether the enhanced mode is asked for the workers without a build id: there are no others.
bool asks_for_unversioned(const wire::DescribeTaskQueueRequest& request) {
  return !request.has_versions() || request.versions().unversioned() || request.versions().all_active() ||
         request.versions().build_ids().empty();
}

}  // namespace

std::vector<matching::PollerInfo> EngineImpl::pollers_of(const Call& call, const matching::QueueKey& queue) const {
  std::vector<matching::PollerInfo> pollers = options_.matching.pollers(queue);
  if (queue.kind == matching::TaskKind::kWorkflow && embedded_ != nullptr &&
      embedded_->polls(call.ns->name, queue.name)) {
    pollers.push_back({kEmbeddedIdentity, options_.clock.now()});
  }
  return pollers;
}

void EngineImpl::describe_task_queue(Call call, wire::DescribeTaskQueueRequest request,
                                     Done<wire::DescribeTaskQueueResponse> done) {
  const matching::Matching& matching = options_.matching;
  const std::string& name = request.task_queue().name();
  wire::DescribeTaskQueueResponse response;
  if (request.api_mode() != enums::DESCRIBE_TASK_QUEUE_MODE_ENHANCED) {
    const auto queue = key_of(call, name, request.task_queue_type());
    const auto backlog = static_cast<int64_t>(matching.backlog(queue));
    add_pollers(pollers_of(call, queue), &response);
    if (request.report_stats()) response.mutable_stats()->set_approximate_backlog_count(backlog);
    if (request.include_task_queue_status()) response.mutable_task_queue_status()->set_backlog_count_hint(backlog);
    return done(std::move(response));
  }
  if (!asks_for_unversioned(request)) return done(std::move(response));
  if (request.task_queue_types().empty()) {
    request.add_task_queue_types(enums::TASK_QUEUE_TYPE_WORKFLOW);
    request.add_task_queue_types(enums::TASK_QUEUE_TYPE_ACTIVITY);
  }
  taskqueue::TaskQueueVersionInfo& unversioned = (*response.mutable_versions_info())[""];
  if (request.report_task_reachability()) {
    unversioned.set_task_reachability(enums::BUILD_ID_TASK_REACHABILITY_REACHABLE);
  }
  for (const int type : request.task_queue_types()) {
    taskqueue::TaskQueueTypeInfo& info = (*unversioned.mutable_types_info())[type];
    if (type != enums::TASK_QUEUE_TYPE_WORKFLOW && type != enums::TASK_QUEUE_TYPE_ACTIVITY)
      continue;  // Nobody polls it.
    const auto queue = key_of(call, name, type);
    if (request.report_pollers()) add_pollers(pollers_of(call, queue), &info);
    if (request.report_stats()) {
      info.mutable_stats()->set_approximate_backlog_count(static_cast<int64_t>(matching.backlog(queue)));
    }
  }
  done(std::move(response));
}

}  // namespace skald::shard

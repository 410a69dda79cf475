#include "engine/shard/engine_impl.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include "engine/core/times.h"

#include "engine/shard/routing.h"

namespace skald::shard {

namespace {

// Who keeps a workflow from going on, as describe says it.
constexpr char kQuarantineIdentity[] = "skald-quarantine";

}  // namespace

EngineImpl::EngineImpl(EngineOptions options, OwnerLimits owner_limits, std::vector<OwnerLoop> loops, DecodeAttributes decode_attributes,
                       std::function<void(const absl::Status&)> on_fatal)
    : options_(std::move(options)) {
  if (!loops.empty()) process_ = loops.front().random->next() | 1;
  for (OwnerLoop& loop : loops) {
    embedded_ = loop.embedded;
    first_slots_.push_back(loop.lease.first_slot);
    owners_.push_back(std::make_unique<Owner>(
        OwnerParts{.clock = options_.clock,
                   .executor = loop.executor,
                   .store = options_.store,
                   .matching = options_.matching,
                   .namespaces = options_.namespaces,
                   .limits = options_.limits,
                   .process = process_,
                   .random = std::move(loop.random),
                   .embedded = loop.embedded,
                   .quarantine = options_.quarantine,
                   .lease = loop.lease,
                   .owner_limits = owner_limits,
                   .decode_attributes = decode_attributes,
                   .is_of_type = options_.is_of_type,
                   .deliver = [this](const core::state::OutboxMessage& message) { deliver(message); },
                   .on_fatal = on_fatal}));
  }
  options_.matching.on_room([this] {
    for (auto& owner : owners_) owner->work_scan();
  });
}

void EngineImpl::start() {
  for (auto& owner : owners_) owner->start();
}

void EngineImpl::drain() {
  draining_ = true;
  for (auto& owner : owners_) owner->end_waits();
}

void EngineImpl::settle(base::Task done) {
  // Called with the last owner's answer.
  auto last = std::make_shared<base::Task>(std::move(done));
  auto left = std::make_shared<std::atomic<size_t>>(owners_.size());
  for (auto& owner : owners_) {
    owner->settle([last, left](const absl::Status&) {
      if (--*left == 0) (*last)();
    });
  }
}

Statistics EngineImpl::statistics() const {
  Statistics sum;
  for (const auto& owner : owners_) {
    const Statistics one = owner->statistics();
    sum.commits += one.commits;
    sum.run_rows += one.run_rows;
    sum.rows += one.rows;
    sum.bytes += one.bytes;
  }
  return sum;
}

Owner& EngineImpl::owner_of(const store::WorkflowKey& key) {
  const int slot = store::slot_of(key.namespace_id, key.workflow_id);
  const auto after = std::upper_bound(first_slots_.begin(), first_slots_.end(), slot);
  return *owners_[static_cast<size_t>(after - first_slots_.begin()) - 1];
}

void EngineImpl::start_workflow(Call call, wire::StartWorkflowExecutionRequest request, Done<wire::StartWorkflowExecutionResponse> done) {
  store::WorkflowKey key{call.ns->id, request.workflow_id()};
  Owner& owner = owner_of(key);
  auto shared = std::make_shared<Done<wire::StartWorkflowExecutionResponse>>(std::move(done));
  owner.submit(
      std::move(key), "",
      [this, &owner, shared, call = std::move(call), request = std::move(request)](WorkflowEntry& entry, CachedRun*) mutable {
        core::StartRequest start;
        start.request = std::move(request);
        owner.create(entry, start, *call.ns, [this, &owner, shared](core::StartResult& result, CachedRun* run) {
          if (!result.status.ok()) return (*shared)(result.status);
          wire::StartWorkflowExecutionResponse response;
          response.set_run_id(result.run_id);
          response.set_started(result.created);
          if (run != nullptr) response.set_status(run->state.status());
          if (!result.eager_task || run == nullptr) return (*shared)(std::move(response));
          send_workflow_task(owner, *run, *std::move(result.eager_task),
                             [shared, response = std::move(response)](absl::StatusOr<WorkflowTask> task) mutable {
                               if (task.ok()) {
                                 auto* eager = response.mutable_eager_workflow_task();
                                 *eager = std::move(task->head);
                                 eager->mutable_history()->MergeFromString(task->history);
                               }
                               (*shared)(std::move(response));
                             });
        });
      },
      [shared](const absl::Status& status) { (*shared)(status); });
}

void EngineImpl::signal_with_start(Call call, wire::SignalWithStartWorkflowExecutionRequest request,
                                   Done<wire::SignalWithStartWorkflowExecutionResponse> done) {
  store::WorkflowKey key{call.ns->id, request.workflow_id()};
  Owner& owner = owner_of(key);
  auto shared = std::make_shared<Done<wire::SignalWithStartWorkflowExecutionResponse>>(std::move(done));
  owner.submit(
      std::move(key), "",
      [&owner, shared, call = std::move(call), request = std::move(request)](WorkflowEntry& entry, CachedRun*) mutable {
        core::StartRequest start;
        start.request = core::start_part(request);
        start.signal = std::move(request);
        owner.create(entry, start, *call.ns, [shared](core::StartResult& result, CachedRun*) {
          if (!result.status.ok()) return (*shared)(result.status);
          wire::SignalWithStartWorkflowExecutionResponse response;
          response.set_run_id(result.run_id);
          response.set_started(result.created);
          (*shared)(std::move(response));
        });
      },
      [shared](const absl::Status& status) { (*shared)(status); });
}

void EngineImpl::signal_workflow(Call call, wire::SignalWorkflowExecutionRequest request, Done<wire::SignalWorkflowExecutionResponse> done) {
  store::WorkflowKey key{call.ns->id, request.workflow_execution().workflow_id()};
  std::string run_id = request.workflow_execution().run_id();
  apply<wire::SignalWorkflowExecutionResponse>(std::move(key), std::move(run_id), core::SignalWorkflow{std::move(request)}, std::move(done),
                                              [](core::Output&) { return wire::SignalWorkflowExecutionResponse(); });
}

void EngineImpl::request_cancel(Call call, wire::RequestCancelWorkflowExecutionRequest request,
                                Done<wire::RequestCancelWorkflowExecutionResponse> done) {
  store::WorkflowKey key{call.ns->id, request.workflow_execution().workflow_id()};
  std::string run_id = request.workflow_execution().run_id();
  apply<wire::RequestCancelWorkflowExecutionResponse>(std::move(key), std::move(run_id), core::RequestCancelWorkflow{std::move(request)},
                                                     std::move(done), [](core::Output&) { return wire::RequestCancelWorkflowExecutionResponse(); });
}

void EngineImpl::terminate(Call call, wire::TerminateWorkflowExecutionRequest request, Done<wire::TerminateWorkflowExecutionResponse> done) {
  store::WorkflowKey key{call.ns->id, request.workflow_execution().workflow_id()};
  std::string run_id = request.workflow_execution().run_id();
  apply<wire::TerminateWorkflowExecutionResponse>(std::move(key), std::move(run_id), core::TerminateWorkflow{std::move(request)}, std::move(done),
                                                 [](core::Output&) { return wire::TerminateWorkflowExecutionResponse(); });
}

void EngineImpl::describe(Call call, wire::DescribeWorkflowExecutionRequest request, Done<wire::DescribeWorkflowExecutionResponse> done) {
  using Response = wire::DescribeWorkflowExecutionResponse;
  on_run<Response>({call.ns->id, request.execution().workflow_id()}, request.execution().run_id(), std::move(done),
                   [this](Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<Response> answer) {
                     owner.commits().when_durable(run, [response = described(entry, run), answer = std::move(answer)](const absl::Status& status) mutable {
                       if (!status.ok()) return answer(status);
                       answer(std::move(response));
                     });
                   });
}

wire::DescribeWorkflowExecutionResponse EngineImpl::described(const WorkflowEntry& entry, const CachedRun& run) const {
  wire::DescribeWorkflowExecutionResponse response = core::describe(run.state);
  if (!is_quarantined(entry.key, run.state.status())) return response;
  const Quarantine::Suspect suspect = *options_.quarantine->suspect(entry.key);
  auto* pause = response.mutable_workflow_extended_info()->mutable_pause_info();
  pause->set_identity(kQuarantineIdentity);
  core::set(pause->mutable_paused_time(), suspect.last_death);
  pause->set_reason(absl::StrCat("the server died ", suspect.deaths, " times while it worked on this workflow"));
  return response;
}

void EngineImpl::unpause(Call call, wire::UnpauseWorkflowExecutionRequest request, Done<wire::UnpauseWorkflowExecutionResponse> done) {
  using Response = wire::UnpauseWorkflowExecutionResponse;
  on_run<Response>({call.ns->id, request.workflow_id()}, request.run_id(), std::move(done),
                   [this, request](Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<Response> answer) {
                     if (!is_quarantined(entry.key, run.state.status()))
                       return answer(absl::FailedPreconditionError("the workflow is not in quarantine: there is nothing to try again"));
                     spdlog::warn("workflow {} is tried again after its quarantine, by {}: {}", entry.key.workflow_id, request.identity(), request.reason());
                     owner.retry(entry, run);
                     answer(Response());
                   });
}

bool EngineImpl::is_quarantined(const store::WorkflowKey& key, int status) const {
  return status == temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING && options_.quarantine != nullptr && options_.quarantine->holds(key);
}

}  // namespace skald::shard

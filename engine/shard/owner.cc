#include "engine/shard/owner.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "engine/core/error.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

// The event that schedules a run's first workflow task.
constexpr int64_t kFirstTask = 2;

}  // namespace

Owner::Owner(OwnerParts parts)
    : parts_(std::move(parts)),
      find_namespace_([this](std::string_view name) -> std::optional<std::string> {
        const auto found = parts_.namespaces.by_name(name);
        return found ? std::optional<std::string>(found->id) : std::nullopt;
      }),
      batch_prefix_(parts_.random->uuid() + "-") {}
Owner::~Owner() = default;

void Owner::start() {
  parts_.executor.post([this] {
    scan_work("");
    scan_outbox("");
    scan_horizon("");
  });
}

core::Context Owner::context(const core::NamespaceSettings& ns) const {
  return core::Context{now(), *parts_.random, parts_.limits, ns, find_namespace_, parts_.is_of_type};
}

void Owner::submit(store::WorkflowKey key, std::string run_id, WorkflowEntry::Operation operation,
                   absl::AnyInvocable<void(absl::Status)> failed) {
  parts_.executor.post([this, key = std::move(key), run_id = std::move(run_id), operation = std::move(operation),
                        failed = std::move(failed)]() mutable {
    if (fatal_)
      return failed(absl::UnavailableError("this server has lost its lease on the data and is shutting down"));
    WorkflowEntry& entry = entry_of(key);
    if (entry.waiting.size() >= parts_.owner_limits.waiting_per_workflow) {
      return failed(core::workflow_busy("too many requests wait for this workflow; try again later"));
    }
    entry.waiting.push_back({std::move(run_id), std::move(operation), std::move(failed)});
    pump(entry);
  });
}

WorkflowEntry& Owner::entry_of(const store::WorkflowKey& key) {
  auto& slot = entries_[{key.namespace_id, key.workflow_id}];
  if (!slot) {
    slot = std::make_unique<WorkflowEntry>();
    slot->key = key;
    slot->use = uses_.insert(uses_.begin(), slot.get());
    cached_bytes_ += sizeof(WorkflowEntry) + 2 * key.workflow_id.size();
  } else {
    touch(*slot);
  }
  return *slot;
}

void Owner::pump(WorkflowEntry& entry) {
  while (!entry.waiting.empty() && !entry.busy && !entry.loading) {
    WorkflowEntry::Waiting& next = entry.waiting.front();
    if (!entry.current_known) return load_current(entry);
    const std::string& run_id = !next.run_id.empty() ? next.run_id
                                : entry.current      ? entry.current->run_id
                                                     : next.run_id;
    CachedRun* run = nullptr;
    if (!run_id.empty()) {
      const auto found = entry.runs.find(run_id);
      if (found == entry.runs.end()) return load_run(entry, run_id);
      run = found->second.get();
    }
    WorkflowEntry::Operation operation = std::move(next.operation);
    entry.waiting.pop_front();
    operation(entry, run);
  }
  // A run that was looked for and does not exist is not remembered.
  if (entry.waiting.empty()) std::erase_if(entry.runs, [](const auto& run) { return run.second == nullptr; });
  shrink_cache();
}

void Owner::apply(WorkflowEntry& entry, CachedRun& run, const core::Input& input, Reply reply) {
  const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
  if (!ns) {
    core::Output none;
    return reply(absl::InternalError("the run's namespace is gone"), none);
  }
  core::Transition transition = core::apply(run.state, input, context(*ns));
  absorb_transition(entry, run, transition);
  when_durable(run,
               [reply = std::move(reply), status = std::move(transition.status), output = std::move(transition.output)](
                   absl::Status committed) mutable { reply(committed.ok() ? status : committed, output); });
  drive(entry, run);
}

void Owner::create(WorkflowEntry& entry, const core::StartRequest& request, const core::NamespaceSettings& ns,
                   StartReply reply) {
  std::optional<core::CurrentRun> current;
  CachedRun* current_run = nullptr;
  if (entry.current) {
    const auto found = entry.runs.find(entry.current->run_id);
    if (found != entry.runs.end()) current_run = found->second.get();
    current = core::CurrentRun{
        .run_id = entry.current->run_id,
        .status = static_cast<temporal::api::enums::v1::WorkflowExecutionStatus>(entry.current->status),
        .start_request_id = entry.current->start_request_id,
        .open = nullptr};
    if (current_run != nullptr) {
      current->status = current_run->state.status();
      if (current_run->state.status() == temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING)
        current->open = &current_run->state;
    }
  }
  auto result = std::make_shared<core::StartResult>(core::start(request, current ? &*current : nullptr, context(ns)));
  if (result->current_changed && current_run != nullptr)
    absorb_transition(entry, *current_run, *result->current_changed);
  CachedRun* created = nullptr;
  if (result->created_run) {
    if (current_run != nullptr) current_run->write_current = false;
    created = &adopt(entry, *result->created_run);
  }
  CachedRun* answering = created != nullptr ? created : current_run;
  auto answer = [result, reply = std::move(reply), answering](absl::Status committed) mutable {
    if (!committed.ok()) result->status = std::move(committed);
    reply(*result, answering);
  };
  if (answering == nullptr) return answer(absl::OkStatus());
  when_durable(*answering, std::move(answer));
  drive(entry, *answering);
}

CachedRun& Owner::adopt(WorkflowEntry& entry, core::NewRun& created) {
  auto& slot = entry.runs[created.state.run_id()];
  slot = std::make_unique<CachedRun>();
  CachedRun& run = *slot;
  run.serial = next_serial_++;
  run.state = std::move(created.state);
  run.key = {entry.key.namespace_id, entry.key.workflow_id, run.state.run_id()};
  run.write_current = true;
  run.write_visibility = true;
  entry.current = store::CurrentRow{entry.key, run.state.run_id(), run.state.status(), run.state.start_request_id()};
  entry.current_known = true;
  absorb(entry, run, created.effects, /*changed=*/true, /*durable=*/true);
  return run;
}

void Owner::absorb_transition(WorkflowEntry& entry, CachedRun& run, core::Transition& transition) {
  absorb(entry, run, transition.effects, transition.changed, transition.durable);
  if (transition.successor) {
    CachedRun& next = adopt(entry, *transition.successor);
    run.write_current = false;
    drive(entry, next);
  }
}

void Owner::absorb(WorkflowEntry& entry, CachedRun& run, core::Effects& effects, bool changed, bool durable) {
  for (const auto& event : effects.events) append_event(run.tail, event);
  if (!changed && effects.outbox_done.empty()) return;
  if (effects.closed || effects.visibility_changed) run.write_visibility = true;
  if (effects.closed && entry.current && entry.current->run_id == run.key.run_id) {
    entry.current->status = run.state.status();
    run.write_current = true;
  }
  if (durable) {
    Gathering& group = mark_dirty(entry, run);
    for (core::state::OutboxMessage& message : effects.outbox) {
      group.outbox.push_back({message.id(), run.key, message.SerializeAsString()});
      group.actions.push_back([this, message = std::move(message)](const absl::Status& status) {
        if (status.ok()) parts_.deliver(message);
      });
    }
    for (std::string& id : effects.outbox_done) group.outbox_done.push_back(std::move(id));
  } else {
    for (std::string& id : effects.outbox_done) message_done(std::move(id));
    run.has_volatile = run.has_volatile || changed;
  }
  dispatch_after_commit(run, effects);
  update_wake(run);
  recount(run);
  if (effects.closed && parts_.embedded != nullptr) parts_.embedded->forget(run.key.run_id);
  if (effects.closed) requeue_task_queries(run);
}

void Owner::dispatch_after_commit(CachedRun& run, const core::Effects& effects) {
  if (effects.dispatch_workflow_task && !serves(run)) {
    when_durable(run, [this, &run](const absl::Status& status) {
      if (status.ok()) dispatch_workflow_task(run);
    });
  }
  for (const int64_t scheduled : effects.dispatch_activities) {
    when_durable(run, [this, &run, scheduled](const absl::Status& status) {
      if (status.ok()) dispatch_activity(run, scheduled);
    });
  }
}

void Owner::dispatch_workflow_task(CachedRun& run) {
  using temporal::api::enums::v1::TASK_QUEUE_KIND_STICKY;
  if (!run.state.has_workflow_task() || run.state.workflow_task().started_event_id() != 0) return;
  const auto& task = run.state.workflow_task();
  const matching::QueueKey queue{run.key.namespace_id, matching::TaskKind::kWorkflow, task.task_queue().name()};
  if (task.task_queue().kind() == TASK_QUEUE_KIND_STICKY &&
      !parts_.matching.polled_since(queue, now() - parts_.limits.sticky_schedule_to_start_default)) {
    // Nobody has polled the sticky queue for long: its worker is gone, and the task need not wait for its timeout.
    WorkflowEntry& entry = entry_of(run.key.workflow());
    return apply(entry, run, core::ResetSticky{}, [](const absl::Status&, core::Output&) {});
  }
  if (parts_.embedded != nullptr && !serves(run) && task.scheduled_event_id() == kFirstTask &&
      parts_.embedded->polls(run.state.namespace_(), task.task_queue().name())) {
    spdlog::warn("workflow {}: there is no workflow {} here; another worker of the task queue {} may have it",
                 run.key.workflow_id, run.state.workflow_type(), task.task_queue().name());
  }
  parts_.matching.add(queue, {run.key, task.scheduled_event_id(), task.attempt(), ""});
}

void Owner::dispatch_activity(CachedRun& run, int64_t scheduled_event_id) {
  const auto found = run.state.activities().find(scheduled_event_id);
  if (found == run.state.activities().end() || found->second.has_started_time()) return;
  parts_.matching.add({run.key.namespace_id, matching::TaskKind::kActivity, found->second.task_queue()},
                      {run.key, scheduled_event_id, found->second.attempt(), ""});
}

void Owner::dispatch_all(CachedRun& run) {
  if (!serves(run)) dispatch_workflow_task(run);
  for (const int64_t scheduled : core::waiting_activities(run.state, now())) dispatch_activity(run, scheduled);
}

}  // namespace skald::shard

#include "engine/shard/owner.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "engine/core/error.h"
#include "engine/shard/visibility_row.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
Owner::Owner(OwnerParts parts)
    : parts_(std::move(parts)),
      find_namespace_([this](std::string_view name) -> std::optional<std::string> {
        const auto found = parts_.namespaces.by_name(name);
        return found ? std::optional<std::string>(found->id) : std::nullopt;
      }),
      cache_({.bytes = parts_.owner_limits.cache_bytes, .tail_bytes = parts_.owner_limits.tail_bytes},
             {.leaving =
                  [this](CachedRun& run) {
                    wakes_.leave(run);
                    leave(run, absl::UnavailableError("the workflow has left memory; try again"));
                  },
              .write_down = [this](WorkflowEntry& entry, CachedRun& run) { commits_.write(entry, run); }}),
      wakes_(parts_.clock, parts_.executor, [this](const store::RunKey& key) { tick(key); }),
      commits_({.clock = parts_.clock,
                .executor = parts_.executor,
                .store = parts_.store,
                .lease = parts_.lease,
                .batch_prefix = parts_.random->uuid() + "-",
                .batch_rows = parts_.owner_limits.batch_rows,
                .batch_bytes = parts_.owner_limits.batch_bytes,
                .visibility_row = [this](const CachedRun& run) { return make_visibility_row(run); },
                .durable =
                    [this](const std::vector<CachedRun*>& runs) {
                      for (CachedRun* run : runs) history_.wake(*run);
                      for (CachedRun* run : runs) cache_.retire(*run);
                    },
                .undone = [this](const auto& workflows, const absl::Status& answer,
                                 const absl::Status& why) { undone(workflows, answer, why); }}),
      history_(parts_.clock, parts_.executor, parts_.store),
      queries_({.clock = parts_.clock,
                .executor = parts_.executor,
                .matching = parts_.matching,
                .limits = parts_.limits,
                .commits = commits_,
                .serves = [this](const CachedRun& run) { return serves(run); },
                .activate =
                    [this](WorkflowEntry& entry, CachedRun& run, QueryDesk::Task task) {
                      activate(entry, run, std::move(task), /*whole_history=*/false);
                    },
                .on_run =
                    [this](const store::RunKey& key, std::function<void(CachedRun&)> go_on) {
                      submit(key.workflow(), key.run_id,
                             [go_on = std::move(go_on)](WorkflowEntry&, CachedRun* run) {
                               if (run != nullptr) go_on(*run);
                             },
                             [](const absl::Status&) {});
                    }}),
      late_(parts_.clock, parts_.executor,
            [this](CachedRun& run) { commits_.write(cache_.entry(run.key.workflow()), run); }),
      scans_({.clock = parts_.clock,
              .executor = parts_.executor,
              .store = parts_.store,
              .lease = parts_.lease,
              .page = parts_.owner_limits.scan_page,
              .lookahead = parts_.owner_limits.wake_horizon,
              .found_work = [this](const store::RunKey& key, const std::string& page) { found_work(key, page); },
              .found_message = [this](const store::OutboxRow& row) { found_message(row); },
              .set_horizon = [this](absl::Time horizon) { wakes_.set_horizon(horizon); },
              .found_sleeping =
                  [this](const store::RunKey& key, absl::Time wake) {
                    if (!cache_.holds(key)) wakes_.add_sleeping(wake, key);
                  }}) {}

Owner::~Owner() = default;

void Owner::start() {
  parts_.executor.post([this] { scans_.start(); });
}

void Owner::work_scan() {
  parts_.executor.post([this] { scans_.look_for_work(); });
}

void Owner::settle(CommitPipeline::Action done) {
  parts_.executor.post([this, done = std::move(done)]() mutable {
    late_.write_all();
    commits_.when_settled(std::move(done));
  });
}

void Owner::end_waits() {
  parts_.executor.post([this] {
    queries_.end_all(absl::UnavailableError("the server is stopping; try again"));
    history_.end_all();
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
    WorkflowEntry& entry = cache_.entry(key);
    if (entry.waiting.size() >= parts_.owner_limits.waiting_per_workflow) {
      return failed(core::workflow_busy("too many requests wait for this workflow; try again later"));
    }
    entry.waiting.push_back({std::move(run_id), std::move(operation), std::move(failed)});
    pump(entry);
  });
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
    const WorkNote note(parts_.quarantine, entry.key);
    operation(entry, run);
  }
  // A run that was looked for and does not exist is not remembered.
  if (entry.waiting.empty()) std::erase_if(entry.runs, [](const auto& run) { return run.second == nullptr; });
  cache_.shrink();
}

absl::StatusCode Owner::apply(WorkflowEntry& entry, CachedRun& run, const core::Input& input, Reply reply) {
  const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
  if (!ns) {
    core::Output none;
    const absl::Status gone = absl::InternalError("the run's namespace is gone");
    reply(gone, none);
    return gone.code();
  }
  if (quarantined(entry.key)) {
    if (!std::holds_alternative<core::TerminateWorkflow>(input)) {
      core::Output none;
      const absl::Status refused = in_quarantine(entry.key);
      reply(refused, none);
      return refused.code();
    }
    parts_.quarantine->release(entry.key);
  }
  core::Transition transition = core::apply(run.state, input, context(*ns));
  const absl::StatusCode said = transition.status.code();
  absorb_transition(entry, run, transition);
  // Starts and heartbeats. That a retry was handed out need not be known to anybody else.
  const bool late = transition.changed && !transition.durable && !std::holds_alternative<core::Tick>(input);
  if (late && !commits_.will_write(run)) late_.note(run);
  commits_.when_durable(
      run, [reply = std::move(reply), status = std::move(transition.status), output = std::move(transition.output)](
               absl::Status committed) mutable { reply(committed.ok() ? status : committed, output); });
  drive(entry, run);
  return said;
}

void Owner::create(WorkflowEntry& entry, const core::StartRequest& request, const core::NamespaceSettings& ns,
                   StartReply reply) {
  std::optional<core::CurrentRun> current;
  CachedRun* current_run = nullptr;
  // The first time its run is made and not driven, so that it can be seen; if that took the process with it too, not even that.
  if (const auto suspect = parts_.quarantine == nullptr ? std::nullopt : parts_.quarantine->suspect(entry.key);
      suspect && (suspect->deaths > Quarantine::kDeaths || (suspect->deaths == Quarantine::kDeaths && request.signal))) {
    core::StartResult refused;
    refused.status = in_quarantine(entry.key);
    return reply(refused, nullptr);
  }
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
  if (result->current_changed && result->current_changed->effects.closed && quarantined(entry.key)) parts_.quarantine->release(entry.key);
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
  commits_.when_durable(*answering, std::move(answer));
  drive(entry, *answering);
}

void Owner::retry(WorkflowEntry& entry, CachedRun& run) {
  parts_.quarantine->release(entry.key);
  forget_starts(entry, run);
  wakes_.set(run, core::next_wake(run.state));
  dispatch_all(run);
  drive(entry, run);
}

CachedRun& Owner::adopt(WorkflowEntry& entry, core::NewRun& created) {
  const std::string run_id = created.state.run_id();
  CachedRun& run = cache_.add(entry, run_id, std::move(created.state));
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
    // Not here: a run that is followed at once, again and again, would never let go of the loop, nor of its stack.
    drive_later(next.key);
  }
  keep_within_limit(entry, run);
}

// A state that has grown beyond what a store should be asked to take, with each step, ends its run.
void Owner::keep_within_limit(WorkflowEntry& entry, CachedRun& run) {
  const size_t most = parts_.limits.state_error_bytes;
  // What it takes in memory is known, and more than its bytes in the store.
  if (run.bytes <= most || run.state.status() != temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING) return;
  const size_t bytes = run.state.ByteSizeLong();
  const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
  if (bytes <= most || !ns) return;
  spdlog::warn("workflow {}, run {}, is terminated: its state takes {} bytes, and {} are allowed", run.key.workflow_id,
               run.key.run_id, bytes, most);
  core::TerminateWorkflow end;
  end.request.set_reason("Workflow state size exceeds limit.");
  end.request.set_identity("history-service");
  core::Transition transition = core::apply(run.state, end, context(*ns));
  absorb(entry, run, transition.effects, transition.changed, transition.durable);
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
    commits_.write(entry, run);
    for (core::state::OutboxMessage& message : effects.outbox) {
      store::OutboxRow row{message.id(), run.key, message.SerializeAsString()};
      commits_.write_message(entry, std::move(row), [this, message = std::move(message)](const absl::Status& status) {
        if (status.ok()) parts_.deliver(message);
      });
    }
    for (std::string& id : effects.outbox_done) commits_.message_done(entry, std::move(id));
  } else {
    for (std::string& id : effects.outbox_done) commits_.message_done(entry, std::move(id));
    if (changed && !std::exchange(run.has_volatile, true)) run.volatile_since = now();
  }
  dispatch_after_commit(run, effects);
  if (!quarantined(entry.key)) wakes_.set(run, core::next_wake(run.state));
  cache_.recount(run);
  if (effects.closed && parts_.embedded != nullptr) parts_.embedded->forget(run.key.run_id);
  if (effects.closed) queries_.requeue(run);
}

store::VisibilityRow Owner::make_visibility_row(const CachedRun& run) const {
  std::map<std::string, store::AttributeValue> attributes;
  if (run.state.search_attributes().indexed_fields_size() > 0) {
    const auto ns = parts_.namespaces.by_id(run.key.namespace_id);
    if (ns) attributes = parts_.decode_attributes(run.state.search_attributes(), *ns);
  }
  return visibility_row(run.state, std::move(attributes));
}

}  // namespace skald::shard

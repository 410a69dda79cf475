#pragma once

// How EngineImpl's parts reach a run. Private to the room.
#include <utility>

#include "engine/core/error.h"
#include "engine/shard/engine_impl.h"

namespace skald::shard {

inline absl::Status no_such_workflow(const store::WorkflowKey& key) {
  return core::workflow_not_found(key.workflow_id);
}

template <typename T, typename F>
void EngineImpl::on_run(store::WorkflowKey key, std::string run_id, Done<T> done, F operation) {
  Owner& owner = owner_of(key);
  auto shared = std::make_shared<Done<T>>(std::move(done));
  owner.submit(
      key, std::move(run_id),
      [&owner, key, shared, operation = std::move(operation)](WorkflowEntry& entry, CachedRun* run) mutable {
        if (run == nullptr) return (*shared)(no_such_workflow(key));
        operation(owner, entry, *run, std::move(*shared));
      },
      [shared](const absl::Status& status) { (*shared)(status); });
}

template <typename T, typename F>
void EngineImpl::apply(store::WorkflowKey key, std::string run_id, core::Input input, Done<T> done, F respond) {
  on_run<T>(std::move(key), std::move(run_id), std::move(done),
            [input = std::move(input), respond = std::move(respond)](Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<T> answer) mutable {
              owner.apply(entry, run, input,
                          [answer = std::move(answer), respond = std::move(respond)](const absl::Status& status, core::Output& output) mutable {
                            if (!status.ok()) return answer(status);
                            answer(respond(output));
                          });
            });
}

// Parses a task token and checks that it belongs to the call's namespace.
absl::StatusOr<core::state::TaskToken> parse_token(const Call& call, const std::string& bytes);

template <typename T, typename F>
void EngineImpl::apply_to_task(const Call& call, const std::string& bytes, Done<T> done, F make_input) {
  auto token = parse_token(call, bytes);
  if (!token.ok()) return done(token.status());
  store::WorkflowKey key{token->namespace_id(), token->workflow_id()};
  std::string run_id = token->run_id();
  apply<T>(std::move(key), std::move(run_id), make_input(*std::move(token)), std::move(done), [](core::Output& output) {
    T response;
    if constexpr (requires { response.set_cancel_requested(true); }) {
      if (auto* recorded = std::get_if<core::ActivityHeartbeatRecorded>(&output)) response.set_cancel_requested(recorded->cancel_requested);
    }
    return response;
  });
}

}  // namespace skald::shard

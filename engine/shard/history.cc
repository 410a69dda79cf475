// Reading history: pages by event id, long polls for what comes next, and the way back from the end.
#include <algorithm>
#include <utility>

#include "engine/shard/routing.h"
#include "engine/shard/wire_history.h"

namespace skald::shard {
namespace {

absl::StatusOr<core::state::HistoryToken> parse_history_token(const HistoryRequest& request) {
  core::state::HistoryToken token;
  if (request.next_page_token.empty()) {
    token.set_next_event_id(1);
    return token;
  }
  if (!token.ParseFromString(request.next_page_token) || token.run_id().empty() || token.next_event_id() < 0) {
    return absl::InvalidArgumentError("Invalid NextPageToken.");
  }
  if (!request.run_id.empty() && request.run_id != token.run_id()) {
    return absl::InvalidArgumentError("RunId is different from the one of NextPageToken.");
  }
  return token;
}

constexpr size_t kPageBytes = 3 << 20;

// Cuts a page to the bytes that an answer may have; returns how many events are left in it (one at least).
int64_t cut_page(std::string& events, int64_t count) {
  while (count > 1 && prefix_size(events, count) > kPageBytes) count /= 2;
  events.resize(prefix_size(events, count));
  return count;
}

}  // namespace

void EngineImpl::read_history(Call call, HistoryRequest request, Done<HistoryPage> done) {
  auto token = parse_history_token(request);
  if (!token.ok()) return done(token.status());
  const absl::Time deadline = std::min(options_.clock.now() + options_.history_wait, call.deadline - absl::Milliseconds(700));
  store::WorkflowKey key{call.ns->id, request.workflow_id};
  std::string run_id = token->run_id().empty() ? request.run_id : token->run_id();
  on_run<HistoryPage>(std::move(key), std::move(run_id), std::move(done),
                      [this, call = std::move(call), request = std::move(request), token = *std::move(token), deadline](
                          Owner& owner, WorkflowEntry& entry, CachedRun& run, Done<HistoryPage> answer) mutable {
                        history_page(owner, entry, run, std::move(call), std::move(request), std::move(token), deadline, std::move(answer));
                      });
}

void EngineImpl::history_page(Owner& owner, WorkflowEntry&, CachedRun& run, Call call, HistoryRequest request, core::state::HistoryToken token,
                              absl::Time deadline, Done<HistoryPage> done) {
  token.set_run_id(run.key.run_id);
  // A worker reads on within its task, whose last events may not be durable; everyone else sees what is.
  const int64_t durable = token.for_task() ? token.last_event_id() : run.durable_last_event_id;
  const bool closed = run.durable_closed;
  const bool nothing_new = request.close_event_only ? !closed : token.next_event_id() > durable;

  if (!token.for_task() && request.wait_new_event && nothing_new && !closed) {
    if (draining_ || options_.clock.now() >= deadline || (call.cancellation != nullptr && call.cancellation->cancelled())) {
      return done(HistoryPage{"", token.SerializeAsString()});
    }
    HistoryWaiter waiter{token.next_event_id(), request.close_event_only, deadline, nullptr};
    waiter.wake = [this, key = run.key, call = std::move(call), request = std::move(request), token, deadline, done = std::move(done)]() mutable {
      on_run<HistoryPage>(key.workflow(), key.run_id, std::move(done),
                          [this, call = std::move(call), request = std::move(request), token = std::move(token), deadline](
                              Owner& again, WorkflowEntry& same, CachedRun& found, Done<HistoryPage> answer) mutable {
                            history_page(again, same, found, std::move(call), std::move(request), std::move(token), deadline, std::move(answer));
                          });
    };
    return owner.history().wait(run, std::move(waiter));
  }

  int64_t first = token.next_event_id();
  int64_t last = durable;
  if (request.close_event_only) {
    if (!closed) return done(HistoryPage());  // There is none yet, and nobody waits for it.
    first = last;
  } else {
    const int64_t most = request.page_size > 0 ? std::min(request.page_size, options_.history_page_events) : options_.history_page_events;
    last = std::min(last, first + most - 1);
  }
  if (first > last) {
    // A reader who waits goes on asking until the run is closed.
    std::string next;
    if (request.wait_new_event && !closed) next = token.SerializeAsString();
    return done(HistoryPage{token.transient_history(), std::move(next)});
  }
  owner.history().read(run, first, last,
                    [token = std::move(token), first, last, durable, closed, wait = request.wait_new_event, close_only = request.close_event_only,
                     done = std::move(done)](absl::StatusOr<std::string> events) mutable {
                      if (!events.ok()) return done(events.status());
                      HistoryPage page{*std::move(events), ""};
                      const int64_t next = first + cut_page(page.history, last - first + 1);
                      const bool more = next <= durable || (wait && !closed);
                      if (more && !close_only) {
                        token.set_next_event_id(next);
                        page.next_page_token = token.SerializeAsString();
                      } else if (!more) {
                        page.history += token.transient_history();
                      }
                      done(std::move(page));
                    });
}

void EngineImpl::read_history_reverse(Call call, HistoryRequest request, Done<HistoryPage> done) {
  auto token = parse_history_token(request);
  if (!token.ok()) return done(token.status());
  const bool first_page = request.next_page_token.empty();
  store::WorkflowKey key{call.ns->id, request.workflow_id};
  std::string run_id = token->run_id().empty() ? request.run_id : token->run_id();
  on_run<HistoryPage>(std::move(key), std::move(run_id), std::move(done),
                      [this, request, first_page, token = *std::move(token)](Owner& owner, WorkflowEntry&, CachedRun& run,
                                                                             Done<HistoryPage> answer) mutable {
                        token.set_run_id(run.key.run_id);
                        const int64_t last = first_page ? run.durable_last_event_id : std::min(token.next_event_id(), run.durable_last_event_id);
                        if (last < 1) return answer(HistoryPage());
                        const int64_t most =
                            request.page_size > 0 ? std::min(request.page_size, options_.history_page_events) : options_.history_page_events;
                        const int64_t first = std::max<int64_t>(1, last - most + 1);
                        owner.history().read(run, first, last,
                                          [token = std::move(token), first, last, answer = std::move(answer)](absl::StatusOr<std::string> events) mutable {
                                            if (!events.ok()) return answer(events.status());
                                            HistoryPage page{reverse_events(*events), ""};
                                            const int64_t next = last - cut_page(page.history, last - first + 1);
                                            if (next > 0) {
                                              token.set_next_event_id(next);
                                              page.next_page_token = token.SerializeAsString();
                                            }
                                            answer(std::move(page));
                                          });
                      });
}

}  // namespace skald::shard

#include "engine/worker/history_reader.h"

#include <utility>

namespace skald::worker {
namespace {

using temporal::api::history::v1::History;

// Reads page after page into `history`.
struct Reading : std::enable_shared_from_this<Reading> {
  ReadHistory read;
  wire::GetWorkflowExecutionHistoryRequest request;
  History history;
  absl::AnyInvocable<void(absl::StatusOr<History>)> done;

  void next() {
    read(request, [self = shared_from_this()](absl::StatusOr<wire::GetWorkflowExecutionHistoryResponse> page) {
      if (!page.ok()) return self->done(page.status());
      for (auto& event : *page->mutable_history()->mutable_events()) *self->history.add_events() = std::move(event);
      if (page->next_page_token().empty()) return self->done(std::move(self->history));
      self->request.set_next_page_token(page->next_page_token());
      self->next();
    });
  }
};

std::shared_ptr<Reading> reading(ReadHistory read, const std::string& namespace_name,
                                 const wire::PollWorkflowTaskQueueResponse& task) {
  auto reading = std::make_shared<Reading>();
  reading->read = std::move(read);
  reading->request.set_namespace_(namespace_name);
  *reading->request.mutable_execution() = task.workflow_execution();
  return reading;
}

void append(History& to, History&& from, int64_t after) {
  for (auto& event : *from.mutable_events()) {
    if (event.event_id() > after) *to.add_events() = std::move(event);
  }
}

int64_t last_id(const History& history) { return history.events().empty() ? 0 : history.events().rbegin()->event_id(); }

}  // namespace

void read_remaining_history(ReadHistory read, const std::string& namespace_name,
                            std::shared_ptr<wire::PollWorkflowTaskQueueResponse> task, HistoryRead done) {
  if (task->next_page_token().empty()) return done(absl::OkStatus());
  auto pages = reading(std::move(read), namespace_name, *task);
  pages->request.set_next_page_token(task->next_page_token());
  pages->done = [task, done = std::move(done)](absl::StatusOr<History> rest) mutable {
    if (!rest.ok()) return done(rest.status());
    task->clear_next_page_token();
    const int64_t last = last_id(task->history());
    append(*task->mutable_history(), *std::move(rest), last);
    done(absl::OkStatus());
  };
  pages->next();
}

void read_whole_history(ReadHistory read, const std::string& namespace_name,
                        std::shared_ptr<wire::PollWorkflowTaskQueueResponse> task, HistoryRead done) {
  auto pages = reading(std::move(read), namespace_name, *task);
  pages->done = [task, done = std::move(done)](absl::StatusOr<History> whole) mutable {
    if (!whole.ok()) return done(whole.status());
    if (whole->events().empty() || whole->events(0).event_id() != 1) {
      return done(absl::DataLossError("the server's history of the run does not begin with its first event"));
    }
    // The task's own events count where both have them: those of a task that is tried again are in no history yet.
    History merged;
    History own = std::move(*task->mutable_history());
    const int64_t first_own = own.events().empty() ? last_id(*whole) + 1 : own.events(0).event_id();
    for (auto& event : *whole->mutable_events()) {
      if (event.event_id() < first_own) *merged.add_events() = std::move(event);
    }
    append(merged, std::move(own), 0);
    *task->mutable_history() = std::move(merged);
    done(absl::OkStatus());
  };
  pages->next();
}

}  // namespace skald::worker

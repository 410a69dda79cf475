#include "engine/worker/history_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/fake_transport.h"

namespace skald::worker {
namespace {

using Page = wire::GetWorkflowExecutionHistoryResponse;

class HistoryReaderTest : public testing::Test {
 protected:
  ReadHistory source() {
    return [this](auto request, auto done) { server_.read_history(std::move(request), std::move(done)); };
  }
  HistoryRead done() {
    return [this](absl::Status status) { status_ = std::move(status); };
  }
  static Page page(int64_t first, int64_t last, const std::string& token) {
    Page made;
    for (int64_t id = first; id <= last; ++id) made.mutable_history()->add_events()->set_event_id(id);
    made.set_next_page_token(token);
    return made;
  }
  void has(int64_t first, int64_t last) { *task_->mutable_history() = page(first, last, "").history(); }
  std::vector<int64_t> ids() const {
    std::vector<int64_t> found;
    for (const auto& event : task_->history().events()) found.push_back(event.event_id());
    return found;
  }

  FakeTransport server_;
  std::shared_ptr<wire::PollWorkflowTaskQueueResponse> task_ = std::make_shared<wire::PollWorkflowTaskQueueResponse>();
  std::optional<absl::Status> status_;
};

TEST_F(HistoryReaderTest, ReadsNothingWhenTheTaskHoldsAll) {
  has(1, 3);
  read_remaining_history(source(), "shop", task_, done());
  EXPECT_TRUE(status_->ok());
  EXPECT_TRUE(server_.history_reads.seen.empty());
}

TEST_F(HistoryReaderTest, AppendsPageAfterPage) {
  has(1, 2);
  task_->set_next_page_token("a");
  read_remaining_history(source(), "shop", task_, done());
  server_.history_reads.answer(page(3, 4, "b"));
  EXPECT_FALSE(status_.has_value());
  server_.history_reads.answer(page(5, 5, ""));
  ASSERT_TRUE(status_->ok());
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(server_.history_reads.seen[0].next_page_token(), "a");
  EXPECT_EQ(server_.history_reads.seen[1].next_page_token(), "b");
  EXPECT_TRUE(task_->next_page_token().empty());
}

TEST_F(HistoryReaderTest, APageThatCannotBeReadEndsIt) {
  task_->set_next_page_token("a");
  read_remaining_history(source(), "shop", task_, done());
  server_.history_reads.answer(absl::UnavailableError("away"));
  EXPECT_TRUE(absl::IsUnavailable(*status_));
}

TEST_F(HistoryReaderTest, WholeHistoryEndsWithTheTasksOwnEvents) {
  has(4, 5);
  read_whole_history(source(), "shop", task_, done());
  server_.history_reads.answer(page(1, 2, "more"));
  server_.history_reads.answer(page(3, 7, ""));
  ASSERT_TRUE(status_->ok());
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 2, 3, 4, 5})) << "what came after the task was made is not its matter";
}

TEST_F(HistoryReaderTest, AQuerysTaskHasNoEventsOfItsOwn) {
  read_whole_history(source(), "shop", task_, done());
  server_.history_reads.answer(page(1, 4, ""));
  EXPECT_EQ(ids(), (std::vector<int64_t>{1, 2, 3, 4}));
}

TEST_F(HistoryReaderTest, AHistoryWithoutItsBeginningIsRefused) {
  has(4, 5);
  read_whole_history(source(), "shop", task_, done());
  server_.history_reads.answer(page(2, 3, ""));
  EXPECT_TRUE(absl::IsDataLoss(*status_));
}

}  // namespace
}  // namespace skald::worker

#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/history/v1/message.pb.h"
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <sqlite3.h>

#include "engine/namespaces/registry.h"
#include "engine/shard/visibility_row.h"
#include "engine/store/sqlite/sqlite_store.h"
#include "engine/upkeep/check.h"
#include "engine/visibility/attributes.h"
#include "tests/unit/core/run_fixture.h"
#include "tests/unit/store/throwaway_file.h"

namespace skald::upkeep {

using core::state::OutboxMessage;
using core::state::RunState;
using temporal::api::history::v1::History;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A small store as an engine would leave it: `order-1` is open and waits for an activity, a timer, a child and a signal
// to be delivered; `order-2` is completed. Then to be broken with SQL.
class SampleStore : public core::RunTest {
 protected:
  SampleStore() {
    ns_.search_attributes = namespaces::predefined_attributes();
    ns_.search_attributes["Amount"] = core::enums::INDEXED_VALUE_TYPE_INT;
    auto opened = store::open_sqlite({.path = file_.path()});
    store_ = *std::move(opened);
    write_namespace();
    write_open_run();
    write_closed_run();
    store_.reset();
  }

  // Runs SQL on the closed file.
  void sql(const std::string& text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file_.path().c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, &error), SQLITE_OK) << text << ": " << error;
    EXPECT_GT(sqlite3_total_changes(db), 0) << text << " changes nothing";
    sqlite3_close(db);
  }

  // Changes the stored state of a run.
  void change_state(const std::string& workflow, const std::function<void(RunState&)>& change) {
    RunState state = workflow == "order-1" ? open_ : closed_;
    change(state);
    sql(absl::StrCat("UPDATE runs SET state = ", blob(core::encode(state)), " WHERE workflow_id = '", workflow, "'"));
  }

  // Changes the last message that order-1 has sent.
  void change_message(const std::function<void(OutboxMessage&)>& change) {
    OutboxMessage message = message_;
    change(message);
    sql(absl::StrCat("UPDATE outbox SET message = ", blob(core::encode(message)), " WHERE id = '", message_.id(), "'"));
  }

  static std::string blob(const std::string& bytes) { return absl::StrCat("X'", absl::BytesToHexString(bytes), "'"); }

  Report check() {
    auto opened = store::open_sqlite({.path = file_.path()});
    EXPECT_TRUE(opened.ok()) << opened.status();
    auto contents = (*opened)->contents({.rows = 2});
    EXPECT_TRUE(contents.ok()) << contents.status();
    auto report = upkeep::check(**contents, {});
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  }

  std::vector<std::string> sentences(Table table) { return check().of(table).sentences; }

  static std::vector<std::string> all_sentences(const Report& report) {
    std::vector<std::string> all;
    for (size_t i = 0; i < kTables; ++i) {
      const auto& some = report.of(static_cast<Table>(i)).sentences;
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }

  store::ThrowawayFile file_;
  RunState open_, closed_;
  std::vector<temporal::api::history::v1::HistoryEvent> open_events_, closed_events_;
  OutboxMessage message_;

 private:
  void write_namespace() {
    namespaces::Record record;
    record.set_id(ns_.id);
    record.set_name(ns_.name);
    record.mutable_retention()->set_seconds(3600);
    (*record.mutable_search_attributes())["Amount"] = core::enums::INDEXED_VALUE_TYPE_INT;
    EXPECT_TRUE(store_->put_namespace({ns_.id, ns_.name, core::encode(record)}).ok());
    EXPECT_TRUE(store_->put_setting("cluster_id", "cluster").ok());
    lease_ = *store_->acquire(0, store::kSlots, "test");
  }

  static temporal::api::command::v1::Command start_child() {
    temporal::api::command::v1::Command command;
    command.set_command_type(core::enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
    auto* attributes = command.mutable_start_child_workflow_execution_command_attributes();
    attributes->set_workflow_id("shipment-1");
    attributes->mutable_workflow_type()->set_name("shipment");
    return command;
  }
  static temporal::api::command::v1::Command signal_other() {
    temporal::api::command::v1::Command command;
    command.set_command_type(core::enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
    auto* attributes = command.mutable_signal_external_workflow_execution_command_attributes();
    attributes->mutable_execution()->set_workflow_id("stock-1");
    attributes->set_signal_name("taken");
    return command;
  }

  void write_open_run() {
    auto start = request();
    auto& amount = (*start.mutable_search_attributes()->mutable_indexed_fields())["Amount"];
    amount.set_data("42");
    (*amount.mutable_metadata())["encoding"] = "json/plain";
    (*start.mutable_memo()->mutable_fields())["note"].set_data("fragile");
    begin(start);
    const auto done = complete(take_task(), {schedule_activity("pay"), start_timer("patience", absl::Hours(1)),
                                             start_child(), signal_other()});
    EXPECT_TRUE(done.status.ok()) << done.status;
    EXPECT_EQ(done.effects.outbox.size(), 2u);
    message_ = done.effects.outbox.back();
    open_ = run_;
    open_events_ = events_;
    write(done.effects.outbox);
  }

  void write_closed_run() {
    events_.clear();
    auto start = request();
    start.set_workflow_id("order-2");
    begin(start);
    EXPECT_TRUE(complete(take_task(), {complete_workflow()}).status.ok());
    closed_ = run_;
    closed_events_ = events_;
    write({});
  }

  // The run's rows, its history in two chunks.
  void write(const std::vector<OutboxMessage>& messages) {
    const store::RunKey key{run_.namespace_id(), run_.workflow_id(), run_.run_id()};
    store::Batch batch;
    batch.id = run_.run_id();
    batch.lease = lease_;
    batch.runs.push_back({key, run_.status(), core::next_wake(run_), core::has_work(run_), core::encode(run_)});
    batch.current.push_back({key.workflow(), key.run_id, run_.status(), run_.start_request_id()});
    batch.visibility.push_back(
        shard::visibility_row(run_, visibility::decode_attributes(run_.search_attributes(), ns_.search_attributes)));
    const auto end = static_cast<int64_t>(events_.size());
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{1, 2}, std::pair<int64_t, int64_t>{3, end}}) {
      History history;
      for (int64_t id = first; id <= last; ++id) *history.add_events() = events_[static_cast<size_t>(id - 1)];
      batch.history.push_back({key, {first, last, core::encode(history)}});
    }
    for (const OutboxMessage& message : messages) batch.outbox.push_back({message.id(), key, core::encode(message)});
    std::promise<absl::Status> answer;
    store_->commit(std::move(batch), [&answer](absl::Status status) { answer.set_value(std::move(status)); });
    const absl::Status status = answer.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<store::Store> store_;
  store::Lease lease_;
};

}  // namespace skald::upkeep

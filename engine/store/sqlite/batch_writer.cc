#include "engine/store/sqlite/batch_writer.h"

namespace skald::store {
namespace {

void bind_time(Statement& statement, int index, absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    statement.bind_null(index);
  } else {
    statement.bind(index, absl::ToUnixNanos(time));
  }
}

}  // namespace

absl::Status BatchWriter::prepare(sqlite3* db) {
  db_ = db;
  const std::pair<Statement*, std::string_view> statements[] = {
      {&lease_, "SELECT epoch, holder, last_batch FROM ownership WHERE first_slot = ?"},
      {&last_batch_, "UPDATE ownership SET last_batch = ? WHERE first_slot = ?"},
      {&run_,
       R"sql(REPLACE INTO runs (namespace_id, workflow_id, run_id, slot, status, wake_time, has_work, state)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?))sql"},
      {&current_,
       R"sql(REPLACE INTO current_runs (namespace_id, workflow_id, run_id, status, start_request_id)
           VALUES (?, ?, ?, ?, ?))sql"},
      {&history_, "INSERT INTO history (run_id, first_event_id, last_event_id, events) VALUES (?, ?, ?, ?)"},
      {&outbox_,
       "INSERT OR IGNORE INTO outbox (id, slot, namespace_id, workflow_id, run_id, message) VALUES (?, ?, ?, ?, ?, ?)"},
      {&outbox_done_, "DELETE FROM outbox WHERE id = ?"},
      {&visibility_,
       R"sql(REPLACE INTO visibility (namespace_id, run_id, workflow_id, workflow_type, task_queue, status, start_time, execution_time, close_time,
             history_length, history_size_bytes, state_transition_count, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id,
             memo, search_attributes)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))sql"},
      {&attribute_,
       "INSERT INTO search_attributes (namespace_id, run_id, name, text, number, real) VALUES (?, ?, ?, ?, ?, ?)"},
      {&attributes_gone_, "DELETE FROM search_attributes WHERE namespace_id = ? AND run_id = ?"},
      {&run_gone_, "DELETE FROM runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?"},
      {&history_gone_, "DELETE FROM history WHERE run_id = ?"},
      {&visibility_gone_, "DELETE FROM visibility WHERE namespace_id = ? AND run_id = ?"},
      {&current_gone_, "DELETE FROM current_runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto status = statement->prepare(db, sql); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::write(const Batch& batch) {
  if (auto held = check_lease(batch.lease); !held.ok()) return held.status();
  if (auto status = delete_runs(batch); !status.ok()) return status;
  for (const std::string& id : batch.outbox_done) {
    if (auto status = outbox_done_.bind(1, id).run("deleting a message"); !status.ok()) return status;
  }
  if (auto status = write_runs(batch); !status.ok()) return status;
  if (auto status = write_visibility(batch); !status.ok()) return status;
  return last_batch_.bind(1, batch.id).bind(2, int64_t{batch.lease.first_slot}).run("noting the batch");
}

absl::StatusOr<bool> BatchWriter::is_last_batch(const Lease& lease, const std::string& batch_id) {
  const auto last = check_lease(lease);
  if (!last.ok()) return last.status();
  return *last == batch_id;
}

absl::StatusOr<std::string> BatchWriter::check_lease(const Lease& lease) {
  const int code = lease_.bind(1, int64_t{lease.first_slot}).step();
  const bool held = code == SQLITE_ROW && lease_.number(0) == lease.epoch;
  const std::string holder = code == SQLITE_ROW ? lease_.text(1) : "";
  std::string last_batch = held ? lease_.text(2) : "";
  lease_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return sqlite_error(db_, "reading the lease");
  if (!held) return lease_lost(holder);
  return last_batch;
}

absl::Status BatchWriter::delete_runs(const Batch& batch) {
  for (const RunKey& key : batch.deleted_runs) {
    absl::Status status =
        run_gone_.bind(1, key.namespace_id).bind(2, key.workflow_id).bind(3, key.run_id).run("deleting a run");
    if (status.ok()) status = history_gone_.bind(1, key.run_id).run("deleting a history");
    if (status.ok()) status = visibility_gone_.bind(1, key.namespace_id).bind(2, key.run_id).run("deleting a run");
    if (status.ok()) status = attributes_gone_.bind(1, key.namespace_id).bind(2, key.run_id).run("deleting a run");
    if (status.ok())
      status =
          current_gone_.bind(1, key.namespace_id).bind(2, key.workflow_id).bind(3, key.run_id).run("deleting a run");
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::write_runs(const Batch& batch) {
  for (const RunRow& row : batch.runs) {
    run_.bind(1, row.key.namespace_id).bind(2, row.key.workflow_id).bind(3, row.key.run_id);
    run_.bind(4, int64_t{slot_of(row.key)}).bind(5, int64_t{row.status});
    bind_time(run_, 6, row.wake_time);
    run_.bind(7, int64_t{row.has_work}).bind_blob(8, row.state);
    if (auto status = run_.run("writing a run"); !status.ok()) return status;
  }
  for (const CurrentRow& row : batch.current) {
    current_.bind(1, row.key.namespace_id)
        .bind(2, row.key.workflow_id)
        .bind(3, row.run_id)
        .bind(4, int64_t{row.status})
        .bind(5, row.start_request_id);
    if (auto status = current_.run("writing a current run"); !status.ok()) return status;
  }
  for (const HistoryRow& row : batch.history) {
    history_.bind(1, row.key.run_id)
        .bind(2, row.chunk.first_event_id)
        .bind(3, row.chunk.last_event_id)
        .bind_blob(4, row.chunk.bytes);
    if (auto status = history_.run("writing history"); !status.ok()) return status;
  }
  for (const OutboxRow& row : batch.outbox) {
    outbox_.bind(1, row.id).bind(2, int64_t{slot_of(row.source)});
    outbox_.bind(3, row.source.namespace_id)
        .bind(4, row.source.workflow_id)
        .bind(5, row.source.run_id)
        .bind_blob(6, row.message);
    if (auto status = outbox_.run("writing a message"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::write_visibility(const Batch& batch) {
  for (const VisibilityRow& row : batch.visibility) {
    visibility_.bind(1, row.key.namespace_id)
        .bind(2, row.key.run_id)
        .bind(3, row.key.workflow_id)
        .bind(4, row.workflow_type);
    visibility_.bind(5, row.task_queue).bind(6, int64_t{row.status});
    bind_time(visibility_, 7, row.start_time);
    bind_time(visibility_, 8, row.execution_time);
    bind_time(visibility_, 9, row.close_time);
    visibility_.bind(10, row.history_length).bind(11, row.history_size_bytes).bind(12, row.state_transition_count);
    visibility_.bind(13, row.parent_workflow_id)
        .bind(14, row.parent_run_id)
        .bind(15, row.root_workflow_id)
        .bind(16, row.root_run_id);
    visibility_.bind_blob(17, row.memo).bind_blob(18, row.search_attributes);
    if (auto status = visibility_.run("writing visibility"); !status.ok()) return status;
    // A run without custom attributes never had any, or has taken them away.
    if (row.attributes.empty() && row.search_attributes.empty() && row.state_transition_count <= 1) continue;
    if (auto status = attributes_gone_.bind(1, row.key.namespace_id).bind(2, row.key.run_id).run("writing visibility");
        !status.ok())
      return status;
    for (const auto& [name, value] : row.attributes) {
      const auto bind_key = [&]() { attribute_.bind(1, row.key.namespace_id).bind(2, row.key.run_id).bind(3, name); };
      for (const std::string& text : value.texts) {
        bind_key();
        attribute_.bind(4, text).bind_null(5).bind_null(6);
        if (auto status = attribute_.run("writing a search attribute"); !status.ok()) return status;
      }
      if (!value.number && !value.real) continue;
      bind_key();
      attribute_.bind_null(4);
      if (value.number) attribute_.bind(5, *value.number);
      if (value.real) attribute_.bind(6, *value.real);
      if (auto status = attribute_.run("writing a search attribute"); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace skald::store

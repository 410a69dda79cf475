#include "engine/store/mysql/batch_writer.h"

#include <map>
#include <vector>

#include "engine/store/mysql/bulk.h"

namespace skald::store {
namespace {

constexpr BulkStatement kRuns{
    "INSERT INTO runs (namespace_id, workflow_id, run_id, slot, status, wake_time, has_work, state) VALUES ",
    "(?,?,?,?,?,?,?,?)", ",",
    " ON DUPLICATE KEY UPDATE status = VALUES(status), wake_time = VALUES(wake_time), has_work = VALUES(has_work), "
    "state = VALUES(state)",
    "writing runs"};
constexpr BulkStatement kCurrent{
    "INSERT INTO current_runs (namespace_id, workflow_id, run_id, status, start_request_id) VALUES ", "(?,?,?,?,?)",
    ",",
    " ON DUPLICATE KEY UPDATE run_id = VALUES(run_id), status = VALUES(status), start_request_id = "
    "VALUES(start_request_id)",
    "writing current runs"};
constexpr BulkStatement kHistory{"INSERT INTO history (run_id, first_event_id, last_event_id, events) VALUES ",
                                 "(?,?,?,?)", ",", "", "writing history"};
constexpr BulkStatement kOutbox{"INSERT INTO outbox (id, slot, namespace_id, workflow_id, run_id, message) VALUES ",
                                "(?,?,?,?,?,?)", ",", " ON DUPLICATE KEY UPDATE id = outbox.id", "writing messages"};
constexpr BulkStatement kOutboxDone{"DELETE FROM outbox WHERE id IN (", "?", ",", ")", "deleting messages"};
constexpr BulkStatement kVisibility{
    R"sql(INSERT INTO visibility (namespace_id, run_id, workflow_id, workflow_type, task_queue, status, start_time, execution_time, close_time,
          history_length, history_size_bytes, state_transition_count, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id,
          memo, search_attributes)
        VALUES )sql",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", ",",
    " ON DUPLICATE KEY UPDATE workflow_type = VALUES(workflow_type), task_queue = VALUES(task_queue), status = "
    "VALUES(status), "
    "start_time = VALUES(start_time), execution_time = VALUES(execution_time), close_time = VALUES(close_time), "
    "history_length = VALUES(history_length), history_size_bytes = VALUES(history_size_bytes), "
    "state_transition_count = VALUES(state_transition_count), parent_workflow_id = VALUES(parent_workflow_id), "
    "parent_run_id = VALUES(parent_run_id), root_workflow_id = VALUES(root_workflow_id), root_run_id = "
    "VALUES(root_run_id), "
    "memo = VALUES(memo), search_attributes = VALUES(search_attributes), workflow_id = VALUES(workflow_id)",
    "writing visibility"};
constexpr BulkStatement kAttributes{
    "INSERT INTO search_attributes (namespace_id, run_id, name, place, text, number, `real`) VALUES ",
    "(?,?,?,?,?,?,?)", ",", "", "writing search attributes"};
constexpr BulkStatement kAttributesGone{"DELETE FROM search_attributes WHERE ", "(namespace_id = ? AND run_id = ?)",
                                        " OR ", "", "writing search attributes"};
constexpr BulkStatement kRunsGone{"DELETE FROM runs WHERE ", "(namespace_id = ? AND workflow_id = ? AND run_id = ?)",
                                  " OR ", "", "deleting runs"};
constexpr BulkStatement kCurrentGone{"DELETE FROM current_runs WHERE ",
                                     "(namespace_id = ? AND workflow_id = ? AND run_id = ?)", " OR ", "",
                                     "deleting runs"};
constexpr BulkStatement kHistoryGone{"DELETE FROM history WHERE run_id IN (", "?", ",", ")", "deleting histories"};
constexpr BulkStatement kVisibilityGone{"DELETE FROM visibility WHERE ", "(namespace_id = ? AND run_id = ?)", " OR ",
                                        "", "deleting visibility"};

// One row of search_attributes: a value, or one of a list's.
struct Attribute {
  const RunKey* key;
  const std::string* name;
  int64_t place;
  const std::string* text;
  const AttributeValue* value;
};

size_t key_bytes(const RunKey& key) { return key.namespace_id.size() + key.workflow_id.size() + key.run_id.size(); }
void add_run_key(Parameters& values, const RunKey& key) {
  values.add(key.namespace_id).add(key.workflow_id).add(key.run_id);
}
void add_run(Parameters& values, const RunKey& key) { values.add(key.namespace_id).add(key.run_id); }

// ABORTED, with who has the lease.
absl::Status lost(Session& session, const Lease& lease) {
  std::string holder;
  const absl::Status looked = session.query(
      "SELECT holder FROM ownership WHERE first_slot <= ? AND last_slot > ?",
      [&](Parameters& values) { values.add(int64_t{lease.first_slot}).add(int64_t{lease.first_slot}); },
      [&](const ResultRow& row) { holder = row.text(0); }, "asserting the lease");
  return looked.ok() ? lease_lost(holder) : looked;
}

absl::Status assert_lease(Session& session, const Batch& batch, absl::Duration ttl) {
  const auto found = session.update(
      R"sql(UPDATE ownership
          SET last_batch = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
          WHERE first_slot = ? AND epoch = ?)sql",
      [&](Parameters& values) {
        values.add(batch.id)
            .add(absl::ToInt64Microseconds(ttl))
            .add(int64_t{batch.lease.first_slot})
            .add(batch.lease.epoch);
      },
      "asserting the lease");
  if (!found.ok()) return found.status();
  return *found > 0 ? absl::OkStatus() : lost(session, batch.lease);
}

absl::Status delete_runs(Session& session, const std::vector<RunKey>& keys) {
  const auto bytes = key_bytes;
  if (auto status = run_bulk(session, kRunsGone, keys, bytes, add_run_key); !status.ok()) return status;
  if (auto status = run_bulk(session, kHistoryGone, keys, bytes,
                             [](Parameters& values, const RunKey& key) { values.add(key.run_id); });
      !status.ok()) {
    return status;
  }
  if (auto status = run_bulk(session, kVisibilityGone, keys, bytes, add_run); !status.ok()) return status;
  if (auto status = run_bulk(session, kAttributesGone, keys, bytes, add_run); !status.ok()) return status;
  return run_bulk(session, kCurrentGone, keys, bytes, add_run_key);
}

absl::Status write_runs(Session& session, const Batch& batch) {
  absl::Status status = run_bulk(
      session, kRuns, batch.runs, [](const RunRow& row) { return key_bytes(row.key) + row.state.size(); },
      [](Parameters& values, const RunRow& row) {
        add_run_key(values, row.key);
        values.add(int64_t{slot_of(row.key)}).add(int64_t{row.status}).add(row.wake_time);
        values.add(int64_t{row.has_work}).add(row.state);
      });
  if (!status.ok()) return status;
  return run_bulk(
      session, kCurrent, batch.current,
      [](const CurrentRow& row) { return row.key.workflow_id.size() + row.start_request_id.size(); },
      [](Parameters& values, const CurrentRow& row) {
        values.add(row.key.namespace_id)
            .add(row.key.workflow_id)
            .add(row.run_id)
            .add(int64_t{row.status})
            .add(row.start_request_id);
      });
}

absl::Status write_history(Session& session, const Batch& batch) {
  return run_bulk(
      session, kHistory, batch.history, [](const HistoryRow& row) { return row.chunk.bytes.size(); },
      [](Parameters& values, const HistoryRow& row) {
        values.add(row.key.run_id).add(row.chunk.first_event_id).add(row.chunk.last_event_id).add(row.chunk.bytes);
      });
}

absl::Status write_outbox(Session& session, const Batch& batch) {
  return run_bulk(
      session, kOutbox, batch.outbox, [](const OutboxRow& row) { return key_bytes(row.source) + row.message.size(); },
      [](Parameters& values, const OutboxRow& row) {
        values.add(row.id).add(int64_t{slot_of(row.source)});
        add_run_key(values, row.source);
        values.add(row.message);
      });
}

// A run without custom attributes never had any, or has taken them away.
bool may_have_attributes(const VisibilityRow& row) {
  return !row.attributes.empty() || !row.search_attributes.empty() || row.state_transition_count > 1;
}

std::vector<Attribute> attributes_of(const VisibilityRow& row) {
  std::vector<Attribute> result;
  for (const auto& [name, value] : row.attributes) {
    int64_t place = 0;
    for (const std::string& text : value.texts) result.push_back({&row.key, &name, place++, &text, nullptr});
    if (value.number || value.real) result.push_back({&row.key, &name, place, nullptr, &value});
  }
  return result;
}

absl::Status write_attributes(Session& session, const std::vector<VisibilityRow>& rows) {
  std::map<RunKey, const VisibilityRow*> last;  // a run may be written twice
  for (const VisibilityRow& row : rows) {
    if (may_have_attributes(row)) last[row.key] = &row;
  }
  std::vector<RunKey> changed;
  std::vector<Attribute> attributes;
  for (const auto& [key, row] : last) {
    changed.push_back(key);
    for (const Attribute& attribute : attributes_of(*row)) attributes.push_back(attribute);
  }
  if (auto status = run_bulk(session, kAttributesGone, changed, key_bytes, add_run); !status.ok()) return status;
  return run_bulk(
      session, kAttributes, attributes,
      [](const Attribute& row) {
        return key_bytes(*row.key) + row.name->size() + (row.text == nullptr ? 0 : row.text->size());
      },
      [](Parameters& values, const Attribute& row) {
        add_run(values, *row.key);
        values.add(*row.name).add(row.place);
        if (row.text != nullptr) {
          values.add(*row.text).add_null().add_null();
          return;
        }
        values.add_null();
        if (row.value->number) {
          values.add(*row.value->number).add_null();
        } else {
          values.add_null().add(*row.value->real);
        }
      });
}

absl::Status write_visibility(Session& session, const Batch& batch) {
  const absl::Status status = run_bulk(
      session, kVisibility, batch.visibility,
      [](const VisibilityRow& row) {
        return key_bytes(row.key) + row.workflow_type.size() + row.task_queue.size() + row.parent_workflow_id.size() +
               row.root_workflow_id.size() + row.memo.size() + row.search_attributes.size();
      },
      [](Parameters& values, const VisibilityRow& row) {
        values.add(row.key.namespace_id)
            .add(row.key.run_id)
            .add(row.key.workflow_id)
            .add(row.workflow_type)
            .add(row.task_queue);
        values.add(int64_t{row.status}).add(row.start_time).add(row.execution_time).add(row.close_time);
        values.add(row.history_length).add(row.history_size_bytes).add(row.state_transition_count);
        values.add(row.parent_workflow_id).add(row.parent_run_id).add(row.root_workflow_id).add(row.root_run_id);
        values.add(row.memo).add(row.search_attributes);
      });
  return status.ok() ? write_attributes(session, batch.visibility) : status;
}

}  // namespace

absl::Status write_batch(Session& session, const Batch& batch, absl::Duration ttl) {
  if (auto status = assert_lease(session, batch, ttl); !status.ok()) return status;
  if (auto status = delete_runs(session, batch.deleted_runs); !status.ok()) return status;
  if (auto status = run_bulk(
          session, kOutboxDone, batch.outbox_done, [](const std::string& id) { return id.size(); },
          [](Parameters& values, const std::string& id) { values.add(id); });
      !status.ok()) {
    return status;
  }
  if (auto status = write_runs(session, batch); !status.ok()) return status;
  if (auto status = write_history(session, batch); !status.ok()) return status;
  if (auto status = write_outbox(session, batch); !status.ok()) return status;
  return write_visibility(session, batch);
}

absl::StatusOr<bool> is_last_batch(Session& session, const Lease& lease, const std::string& batch_id,
                                   absl::Duration ttl) {
  constexpr const char* kAsking = "looking for a commit's outcome";
  std::string last_batch;
  absl::Status status =
      session
          .update(
              R"sql(UPDATE ownership
                  SET expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
                  WHERE first_slot = ? AND epoch = ?)sql",
              [&](Parameters& values) {
                values.add(absl::ToInt64Microseconds(ttl)).add(int64_t{lease.first_slot}).add(lease.epoch);
              },
              kAsking)
          .status();
  bool held = false;
  if (status.ok()) {
    status = session.query(
        "SELECT last_batch FROM ownership WHERE first_slot = ? AND epoch = ?",
        [&](Parameters& values) { values.add(int64_t{lease.first_slot}).add(lease.epoch); },
        [&](const ResultRow& row) {
          held = true;
          last_batch = row.text(0);
        },
        kAsking);
  }
  if (status.ok() && !held) status = lost(session, lease);
  if (status.ok()) status = session.commit();
  if (!status.ok()) {
    session.rollback();
    return status;
  }
  return last_batch == batch_id;
}

}  // namespace skald::store

#include "engine/upkeep/copy.h"

#include <future>
#include <memory>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "engine/store/contents.h"
#include "engine/upkeep/compare.h"
#include "engine/upkeep/rows.h"

namespace skald::upkeep {
namespace {

constexpr char kIncomplete[] = "incomplete, begun ";
constexpr int kOutcomeTries = 60;
constexpr absl::Duration kOutcomeInterval = absl::Milliseconds(500);

std::string time_text(const base::Clock& clock) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", clock.now(), absl::UTCTimeZone());
}

// Gathers rows and commits them in batches, one at a time.
class BatchCommitter {
 public:
  BatchCommitter(store::Store& store, store::Lease lease, const CopyOptions& options)
      : store_(store), lease_(lease), options_(options) {}

  absl::Status add(store::StoredRun run) {
    const size_t bytes = run.row.state.size();
    batch_.runs.push_back(std::move(run.row));
    return added(bytes);
  }
  absl::Status add(store::CurrentRow row) {
    batch_.current.push_back(std::move(row));
    return added(0);
  }
  absl::Status add(store::HistoryRow row) {
    const size_t bytes = row.chunk.bytes.size();
    batch_.history.push_back(std::move(row));
    return added(bytes);
  }
  absl::Status add(store::VisibilityRow row) {
    const size_t bytes = row.memo.size() + row.search_attributes.size();
    batch_.visibility.push_back(std::move(row));
    return added(bytes);
  }
  absl::Status add(store::StoredMessage message) {
    const size_t bytes = message.row.message.size();
    batch_.outbox.push_back(std::move(message.row));
    return added(bytes);
  }

  // Commits what is left.
  absl::Status flush() {
    if (batch_.empty()) return absl::OkStatus();
    const std::string id = absl::StrCat("copy-", lease_.epoch, "-", ++batches_);
    batch_.id = id;
    batch_.lease = lease_;
    std::promise<absl::Status> answer;
    store_.commit(std::exchange(batch_, {}), [&answer](absl::Status status) { answer.set_value(std::move(status)); });
    rows_ = bytes_ = 0;
    absl::Status status = answer.get_future().get();
    return absl::IsUnknown(status) ? outcome_of(id) : status;
  }

 private:
  absl::Status added(size_t bytes) {
    ++rows_;
    bytes_ += bytes;
    return rows_ >= options_.batch_rows || bytes_ >= options_.batch_bytes ? flush() : absl::OkStatus();
  }

  absl::Status outcome_of(const std::string& id) {
    absl::StatusOr<bool> durable = false;
    for (int i = 0; i < kOutcomeTries; ++i) {
      std::promise<absl::StatusOr<bool>> answer;
      store_.outcome_of(lease_, id, [&answer](absl::StatusOr<bool> outcome) { answer.set_value(std::move(outcome)); });
      durable = answer.get_future().get();
      if (durable.ok() || absl::IsAborted(durable.status())) break;
      absl::SleepFor(kOutcomeInterval);
    }
    if (!durable.ok()) return durable.status();
    return *durable ? absl::OkStatus() : absl::UnavailableError("a commit did not become durable");
  }

  store::Store& store_;
  const store::Lease lease_;
  const CopyOptions& options_;
  store::Batch batch_;
  size_t rows_ = 0;
  size_t bytes_ = 0;
  uint64_t batches_ = 0;
};

template <typename Row, typename Read>
absl::Status refuse_rows(Table table, Read read) {
  absl::StatusOr<store::Page<Row>> page = read();
  if (!page.ok()) return page.status();
  if (page->rows.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the store to copy to has rows in ", std::string(name_of(table)), "; name one that is empty"));
}

absl::Status check_empty(store::Store& to) {
  if (auto status = check_whole(to); !status.ok()) return status;
  auto opened = to.contents({});
  if (!opened.ok()) return opened.status();
  store::Contents& contents = **opened;
  auto spaces = contents.namespaces();
  if (!spaces.ok()) return spaces.status();
  if (!spaces->empty()) {
    return absl::FailedPreconditionError("the store to copy to has namespaces already; name one that is empty");
  }
  auto status = refuse_rows<store::SettingRow>(Table::kSettings, [&] { return contents.settings(""); });
  if (status.ok()) status = refuse_rows<store::StoredRun>(Table::kRuns, [&] { return contents.runs(""); });
  if (status.ok()) status = refuse_rows<store::CurrentRow>(Table::kCurrentRuns, [&] { return contents.current(""); });
  if (status.ok()) status = refuse_rows<store::HistoryRow>(Table::kHistory, [&] { return contents.history(""); });
  if (status.ok())
    status = refuse_rows<store::VisibilityRow>(Table::kVisibility, [&] { return contents.visibility(""); });
  if (status.ok()) status = refuse_rows<store::StoredMessage>(Table::kOutbox, [&] { return contents.outbox(""); });
  return status;
}

template <typename Row, typename Read>
absl::Status copy_table(Table table, Read read, BatchCommitter& committer, const Progress& progress) {
  uint64_t copied = 0;
  return each_page<Row>(read, [&](std::vector<Row>& rows) -> absl::Status {
    copied += rows.size();
    for (Row& row : rows) {
      if (auto status = committer.add(std::move(row)); !status.ok()) return status;
    }
    if (auto status = committer.flush(); !status.ok()) return status;
    if (progress) progress(table, copied);
    return absl::OkStatus();
  });
}

absl::Status copy_small_tables(store::Contents& from, store::Store& to) {
  auto spaces = from.namespaces();
  if (!spaces.ok()) return spaces.status();
  for (const store::NamespaceRow& row : *spaces) {
    if (auto status = to.put_namespace(row); !status.ok()) return status;
  }
  return each_page<store::SettingRow>([&](const std::string& after) { return from.settings(after); },
                                      [&](const std::vector<store::SettingRow>& rows) -> absl::Status {
                                        for (const store::SettingRow& row : rows) {
                                          if (row.name == kCopyMark) continue;
                                          if (auto status = to.put_setting(row.name, row.value); !status.ok())
                                            return status;
                                        }
                                        return absl::OkStatus();
                                      });
}

absl::Status copy_tables(store::Contents& from, store::Store& to, BatchCommitter& committer, const Progress& progress) {
  auto status = copy_small_tables(from, to);
  const auto table = [&]<typename Row>(Table which, auto read, Row*) {
    if (status.ok()) {
      status = copy_table<Row>(
          which, [&](const std::string& after) { return (from.*read)(after); }, committer, progress);
    }
  };
  table(Table::kRuns, &store::Contents::runs, static_cast<store::StoredRun*>(nullptr));
  table(Table::kCurrentRuns, &store::Contents::current, static_cast<store::CurrentRow*>(nullptr));
  table(Table::kHistory, &store::Contents::history, static_cast<store::HistoryRow*>(nullptr));
  table(Table::kVisibility, &store::Contents::visibility, static_cast<store::VisibilityRow*>(nullptr));
  table(Table::kOutbox, &store::Contents::outbox, static_cast<store::StoredMessage*>(nullptr));
  return status;
}

absl::StatusOr<RowCounts> verify(store::Contents& from, store::Store& to, const Progress& progress) {
  auto copied = to.contents({});
  if (!copied.ok()) return copied.status();
  auto report = compare(from, **copied, kCopyMark, progress);
  if (!report.ok()) return report.status();
  RowCounts counts{};
  for (size_t i = 0; i < kTables; ++i) {
    const auto table = static_cast<Table>(i);
    counts[i] = report->of(table).rows;
    if (report->of(table).violations == 0) continue;
    return absl::DataLossError(absl::StrCat(
        "the copy differs from its source in ", report->of(table).violations, " rows of ", std::string(name_of(table)),
        ", the first: ", report->of(table).sentences[0], "; empty it and copy again"));
  }
  return counts;
}

}  // namespace

absl::Status check_copy_mark(const std::string& setting, const std::string& value) {
  if (setting != kCopyMark || !absl::StartsWith(value, kIncomplete)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the store is a copy that was interrupted (", value,
                                                    "): empty it (delete the file, or drop the database) and run skald "
                                                    "store copy again"));
}

absl::Status check_whole(store::Store& store) {
  auto mark = store.get_setting(kCopyMark);
  if (!mark.ok()) return mark.status();
  return mark->has_value() ? check_copy_mark(kCopyMark, **mark) : absl::OkStatus();
}

absl::StatusOr<RowCounts> copy(store::Store& from, store::Store& to, const base::Clock& clock,
                               const CopyOptions& options) {
  if (auto status = check_whole(from); !status.ok()) return status;
  const auto kept_still = from.acquire(0, store::kSlots, options.holder);
  if (!kept_still.ok()) return kept_still.status();
  const auto lease = to.acquire(0, store::kSlots, options.holder);
  if (!lease.ok()) return lease.status();
  if (auto status = check_empty(to); !status.ok()) return status;
  if (auto status = to.put_setting(kCopyMark, absl::StrCat(kIncomplete, time_text(clock))); !status.ok()) return status;

  auto contents = from.contents({options.batch_rows, options.batch_bytes});
  if (!contents.ok()) return contents.status();
  BatchCommitter committer(to, *lease, options);
  if (auto status = copy_tables(**contents, to, committer, options.progress); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("the copy is incomplete: ", std::string(status.message()),
                                                    "; empty the store that was copied to, and copy again"));
  }
  auto counts = verify(**contents, to, options.progress);
  if (!counts.ok()) return counts.status();
  if (auto status = to.put_setting(kCopyMark, absl::StrCat("complete, ", time_text(clock))); !status.ok())
    return status;
  return counts;
}

}  // namespace skald::upkeep

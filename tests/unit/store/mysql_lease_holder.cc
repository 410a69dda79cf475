#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>

#include <absl/strings/numbers.h>

#include "engine/store/mysql/mysql_store.h"

// A process that holds a lease. Its input, line by line: the store's address, the lease's milliseconds, then "commit
// RUN" or "heard"; each is answered with a line. At the end of its input it closes the store.
namespace skald::store {
namespace {

std::mutex heard_mutex;
std::string heard;

void answer(const std::string& line) { std::cout << line << std::endl; }

absl::Status commit_run(Store& store, const Lease& lease, const std::string& run) {
  Batch batch;
  batch.id = "batch-" + run;
  batch.lease = lease;
  batch.runs.push_back({{"ns", "workflow-" + run, run}, 1, absl::InfiniteFuture(), false, "state"});
  std::promise<absl::Status> done;
  store.commit(std::move(batch), [&](absl::Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

int hold() {
  std::string url, ttl;
  int64_t milliseconds = 0;
  std::getline(std::cin, url);
  std::getline(std::cin, ttl);
  const auto address = parse_mysql_address(url);
  if (!address.ok() || !absl::SimpleAtoi(ttl, &milliseconds)) return 2;
  MysqlOptions options;
  options.address = *address;
  options.lease_ttl = absl::Milliseconds(milliseconds);
  auto store = open_mysql(options);
  if (!store.ok()) {
    answer(store.status().ToString());
    return 1;
  }
  (*store)->watch([](const absl::Status& status) {
    const std::lock_guard lock(heard_mutex);
    heard += absl::StatusCodeToString(status.code()) + " ";
  });
  const auto lease = (*store)->acquire(0, kSlots, "holder");
  answer(lease.ok() ? "held" : lease.status().ToString());
  constexpr std::string_view kCommit = "commit ";
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with(kCommit)) {
      answer(absl::StatusCodeToString(commit_run(**store, *lease, line.substr(kCommit.size())).code()));
    } else {
      const std::lock_guard lock(heard_mutex);
      answer("heard " + heard);
    }
  }
  return 0;
}

}  // namespace
}  // namespace skald::store

int main() { return skald::store::hold(); }

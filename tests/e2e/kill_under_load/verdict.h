#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "samples/demo/shop_client.h"
#include "tests/e2e/kill_under_load/customers.h"

namespace skald::kills {

// One sum of the partners' books beside what the customers were promised.
struct Sum {
  std::string what;
  int64_t expected = 0;
  int64_t found = 0;
};

struct Verdict {
  size_t starts = 0;         // acknowledged
  size_t cancellations = 0;  // acknowledged
  std::map<std::string, size_t> outcomes;
  std::vector<std::string> lost;    // what was acknowledged and is not so now: a sentence each
  std::vector<std::string> twice;   // what was acknowledged once and is there more than once
  std::vector<std::string> failed;  // orders that ended neither done nor undone
  std::vector<Sum> sums;
  bool balanced = false;  // by the partners' own reckoning

  bool good() const;
};

// Reads all promises again, of orders that have ended, and the partners' books. Blocks.
absl::StatusOr<Verdict> judge(demo::ShopClient& client, const std::deque<Promise>& promises);

// As a table on standard output; the first few of what is wrong on standard error.
void print(const Verdict& verdict);

}  // namespace skald::kills

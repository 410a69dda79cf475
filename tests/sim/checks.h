#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/store/memory/memory_disk.h"
#include "lua/definitions.h"
#include "tests/sim/chores.h"
#include "tests/sim/clerks.h"
#include "tests/sim/customers.h"
#include "tests/sim/shop.h"

namespace skald::sim {

struct Findings {
  std::vector<std::string> problems;
  std::map<std::string, int> outcomes;  // of orders, and what their agents did
};

// Whether any run on the disk is open.
bool all_closed(store::MemoryDisk& disk);

// Whether the tables agree with each other, as every commit must leave them: what is wrong.
std::vector<std::string> check_tables(store::MemoryDisk& disk);

// Looks at everything after the end: runs, histories, visibility, the customers' acknowledgements, the shop's books,
// and what the orders' agents decided.
Findings check(store::MemoryDisk& disk, const Customers& customers, const Clerks& clerks, const Chores& chores,
               const Shop& shop, const lua::Definitions& definitions, Auditor& auditor);

}  // namespace skald::sim

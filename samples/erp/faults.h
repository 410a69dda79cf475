#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "samples/erp/refusal.h"

namespace skald::erp {

// What goes wrong with one call.
struct CallFault {
  enum class Kind {
    kNone,
    kBusy,        // 429 before anything happens
    kError,       // 5xx before anything happens
    kDrop,        // the connection ends before anything happens
    kSlow,        // the answer comes late
    kLate,        // it happens late
    kHold,        // it happens when the holding ends
    kLoseAnswer,  // it happens, and the connection ends without an answer
    kCut,         // it happens, and the answer ends in the middle
    kRival        // somebody else changes the record a moment before
  };
  Kind kind = Kind::kNone;
  std::chrono::milliseconds time{0};  // kSlow, kLate
  int status = 0;                     // kError
  int64_t retry_after = -1;           // seconds; less than 0: is not said
};

// Which calls go wrong: docs/erp.md has the format. By route a fault or a list of them, the first that hits counts:
// {"seed": 7, "POST /v1/orders": {"fault": "lose_answer", "share": 0.1}, "*": [{"fault": "busy", "times": 3}]}.
// The same plan and the same order of calls of a route give the same faults. Not thread-safe.
class FaultPlan {
 public:
  FaultPlan() = default;
  // Throws Refusal 422 when it makes no sense. `routes` are the names that there are.
  FaultPlan(const json& plan, const std::vector<std::string>& routes);

  // For the next call of this route.
  CallFault next(const std::string& route);

 private:
  struct Rule {
    CallFault fault;
    double share = 1;
    int64_t times = -1;  // how often at most; less than 0: always
    int64_t after = 0;   // the first calls are spared
    int64_t calls = 0, hits = 0;
  };
  static Rule rule(const std::string& where, const json& spec);
  bool hits(Rule& rule, const std::string& route);

  std::map<std::string, std::vector<Rule>> rules_;  // by route
  uint64_t seed_ = 1;
};

const char* name(CallFault::Kind kind);

}  // namespace skald::erp

#pragma once

#include <string>

#include "plugins/erp/create.h"

namespace skald::plugin::erp {

// Activities.
Async<json> create_work_order(Desk& desk, Context& context, const json& input);
Async<json> assign_work_order(Desk& desk, Context& context, const json& input);
Async<json> complete_work_order(Desk& desk, Context& context, const json& input);
Async<json> cancel_work_order(Desk& desk, Context& context, const json& input);

inline const Creation kWorkOrders{"work_orders", "/v1/work-orders"};

// One step of a work order's life at the ERP: POST …/<verb>, on the version it is at; when that has changed it is read
// and tried again, a few times. The record afterwards. Throws WorkOrderCancelled and WorkOrderCompleted for good.
struct WorkOrderStep {
  std::string id, verb;
  std::string reached;  // the state that makes the step unnecessary; empty: none
  json body;
  std::string key;
  int64_t version = 0;
};
Async<json> step_of_work_order(Desk& desk, Context& context, WorkOrderStep step);

}  // namespace skald::plugin::erp

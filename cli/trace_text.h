#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

#include "cli/console.h"
#include "cli/trace.h"

namespace temporal::api::workflowservice::v1 {
class DescribeWorkflowExecutionResponse;
}

namespace skald::cli {

// How a trace is laid out.
struct TraceLayout {
  size_t indent = 0;
  bool full = false;    // do not cut inputs and results
  bool closed = false;  // the run has closed: what has not ended by now never will
};

// The step's line, begun with the time since the run's start, and lines about its input, failures and result below it.
void print_step(const Console& console, const TraceLayout& layout, absl::Time run_start, const Step& step);

// What an open run waits for at `now`: one sentence each, with what to look at. Never empty.
std::vector<std::string> waits(const std::vector<Step>& steps,
                               const temporal::api::workflowservice::v1::DescribeWorkflowExecutionResponse& description,
                               absl::Time now);

}  // namespace skald::cli

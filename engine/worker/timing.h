#pragma once

#include "engine/base/clock.h"
#include "engine/base/executor.h"

namespace skald::worker {

// What delays things for a worker. Both outlive it.
struct Timing {
  const base::Clock& clock;
  base::Executor& executor;
};

}  // namespace skald::worker

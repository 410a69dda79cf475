#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/store/mysql/session.h"
#include "engine/store/store.h"

namespace skald::store {

// Writes the batch within the session's transaction, which the caller commits or rolls back: first it asserts the lease
// (whose row stays locked until the transaction ends, prolongs it by `ttl` and notes the batch's id), then come the
// rows. ABORTED if the lease is lost.
absl::Status write_batch(Session& session, const Batch& batch, absl::Duration ttl);

// Whether the batch is the last one that its lease wrote; ABORTED if the lease does not hold. Waits for the end of a
// transaction that wrote for the lease and whose connection was lost; and writes the lease's row itself, prolonging it,
// so that such a one cannot commit later even where its locks were lost (as TiDB's may be).
absl::StatusOr<bool> is_last_batch(Session& session, const Lease& lease, const std::string& batch_id,
                                   absl::Duration ttl);

}  // namespace skald::store

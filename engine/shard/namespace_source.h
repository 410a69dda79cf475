#pragma once

#include <memory>
#include <string_view>

#include "engine/core/core.h"

namespace skald::shard {

// Where owners look namespaces up. Thread-safe; null if there is none.
class NamespaceSource {
 public:
  virtual ~NamespaceSource() = default;
  virtual std::shared_ptr<const core::NamespaceSettings> by_id(std::string_view id) const = 0;
  virtual std::shared_ptr<const core::NamespaceSettings> by_name(std::string_view name) const = 0;
};

}  // namespace skald::shard

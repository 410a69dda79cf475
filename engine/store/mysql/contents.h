#pragma once

#include <memory>

#include "engine/store/contents.h"
#include "engine/store/mysql/address.h"

namespace skald::store {

// The rows of a database, over a connection of its own that is made when it is first used.
std::unique_ptr<Contents> mysql_contents(const MysqlAddress& address, const PageLimits& limits);

}  // namespace skald::store

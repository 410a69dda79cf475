#pragma once

#include <string>

#include "engine/store/mysql/mysql_store.h"
#include "samples/mariadb/private_mariadb.h"

namespace skald::store {

// The MariaDB server of this test program, started once.
samples::PrivateMariadb& shared_mariadb();

// Options for an empty database of the server, which may be the shared one.
MysqlOptions fresh_database(const samples::PrivateMariadb& server);

}  // namespace skald::store

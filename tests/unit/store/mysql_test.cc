#include <memory>

#include "engine/store/mysql/mysql_store.h"
#include "tests/unit/store/agreement.h"
#include "tests/unit/store/mysql_environment.h"
#include "tests/unit/store/store_contract.h"

namespace skald::store {
namespace {

std::unique_ptr<Store> temporary_store() {
  auto store = open_mysql(fresh_database(shared_mariadb()));
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(Mysql, StoreContract, testing::Values(StoreFactory{"in MariaDB", temporary_store}));

INSTANTIATE_TEST_SUITE_P(Mysql, Agreement,
                         testing::Combine(testing::Range<uint64_t>(0, 5),
                                          testing::Values(StoreFactory{"MariaDB", temporary_store})));

}  // namespace
}  // namespace skald::store

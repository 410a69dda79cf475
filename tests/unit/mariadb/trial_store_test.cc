#include "samples/mariadb/trial_store.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skald::samples {
namespace {

using testing::ElementsAre;
using testing::IsNull;

class TrialStoreTest : public testing::Test {
 protected:
  TrialStoreTest() { unsetenv(TrialStore::kPasswordVariable); }
};

TEST_F(TrialStoreTest, IsAFileInTheFolder) {
  const auto store = TrialStore::open("sqlite", "/there");
  ASSERT_TRUE(store.ok());
  EXPECT_THAT((*store)->arguments(), ElementsAre("--store", "sqlite:/there/skald.sqlite"));
  EXPECT_THAT((*store)->mariadb(), IsNull());
}

TEST_F(TrialStoreTest, KeepsAPasswordOffTheCommandLine) {
  const auto store = TrialStore::open("mysql://ann:p%40ss%2g@db:3307/shop?tls=true", "/there");
  ASSERT_TRUE(store.ok());
  EXPECT_THAT((*store)->arguments(), ElementsAre("--store", "mysql://ann@db:3307/shop?tls=true", "--store-password",
                                                 "env:SKALD_STORE_PASSWORD"));
  EXPECT_STREQ(std::getenv(TrialStore::kPasswordVariable), "p@ss%2g");
}

TEST_F(TrialStoreTest, TakesThePasswordThatStandsInTheEnvironmentAlready) {
  const std::string url = "mysql://ann@db:3307/shop";
  EXPECT_THAT((*TrialStore::open(url, ""))->arguments(), ElementsAre("--store", url));
  setenv(TrialStore::kPasswordVariable, "known", 1);
  EXPECT_THAT((*TrialStore::open(url, ""))->arguments(),
              ElementsAre("--store", url, "--store-password", "env:SKALD_STORE_PASSWORD"));
}

TEST_F(TrialStoreTest, StartsADatabaseOfItsOwn) {
  const auto store = TrialStore::open("mysql", testing::TempDir());
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_NE((*store)->mariadb(), nullptr);
  EXPECT_TRUE((*store)->mariadb()->running());
  EXPECT_EQ((*store)->url(), (*store)->mariadb()->address().url_without_password("skald"));
  EXPECT_EQ(std::getenv(TrialStore::kPasswordVariable), (*store)->mariadb()->address().password);
}

TEST_F(TrialStoreTest, RefusesOtherStores) { EXPECT_FALSE(TrialStore::open("postgres://db", "/there").ok()); }

}  // namespace
}  // namespace skald::samples

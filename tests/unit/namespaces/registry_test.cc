#include "engine/namespaces/registry.h"

#include <filesystem>

#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/base/simulated.h"
#include "engine/core/error.h"
#include "engine/store/sqlite/sqlite_store.h"

namespace skald::namespaces {
namespace {

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("skald-namespaces-" + std::to_string(getpid()) + "-" +
                                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    store::SqliteOptions options;
    options.path = (folder_ / "skald.db").string();
    store_ = *store::open_sqlite(options);
    registry_ = open();
  }
  ~RegistryTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Registry> open() { return *Registry::open(*store_, world_.clock(), *random_); }
  static Record record(const std::string& name, int64_t retention_hours) {
    Record record;
    record.set_name(name);
    record.mutable_retention()->set_seconds(retention_hours * 3600);
    return record;
  }

  std::filesystem::path folder_;
  base::SimulatedWorld world_;
  std::unique_ptr<base::Random> random_ = base::make_seeded_random(7);
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, TheFirstStartMakesDefaultAndTheNextKeepsIt) {
  const auto settings = registry_->by_name("default");
  ASSERT_NE(settings, nullptr);
  EXPECT_EQ(settings->retention, absl::Hours(24));
  EXPECT_EQ(settings->search_attributes.at("BuildIds"), temporal::api::enums::v1::INDEXED_VALUE_TYPE_KEYWORD_LIST);
  const std::string id = settings->id;
  registry_ = open();
  EXPECT_EQ(registry_->by_name("default")->id, id);
  EXPECT_EQ(registry_->list().size(), 1u);
}

TEST_F(RegistryTest, ListsByNameFromAnyNameOn) {
  for (const char* name : {"orders", "billing", "stock"}) ASSERT_TRUE(registry_->add(record(name, 72)).ok());
  const auto names = [&](std::string_view after, size_t most) {
    std::vector<std::string> found;
    for (const Record& one : registry_->list(after, most)) found.push_back(one.name());
    return found;
  };
  EXPECT_THAT(names("", 9), testing::ElementsAre("billing", "default", "orders", "stock"));
  EXPECT_THAT(names("default", 1), testing::ElementsAre("orders"));
  EXPECT_THAT(names("kitchen", 9), testing::ElementsAre("orders", "stock"))
      << "a name that is not there is a place all the same";
  EXPECT_THAT(names("stock", 9), testing::IsEmpty());
}

TEST_F(RegistryTest, ARegisteredNamespaceIsFoundByNameAndIdAfterARestart) {
  ASSERT_TRUE(registry_->add(record("orders", 72)).ok());
  registry_ = open();
  const auto settings = registry_->by_name("orders");
  ASSERT_NE(settings, nullptr);
  EXPECT_EQ(settings->retention, absl::Hours(72));
  EXPECT_EQ(registry_->by_id(settings->id)->name, "orders");
  EXPECT_EQ(registry_->describe("", settings->id)->name(), "orders");
}

TEST_F(RegistryTest, ANameIsGivenOnce) {
  const absl::Status status = registry_->add(record("default", 24));
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "Namespace already exists.");
}

TEST_F(RegistryTest, AnUnknownNameIsNotFoundWithItsDetail) {
  const auto status = registry_->describe("nobody", "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "Namespace nobody is not found.");
  const auto url = core::detail_type_url("temporal.api.errordetails.v1.NamespaceNotFoundFailure");
  EXPECT_TRUE(status.GetPayload(url).has_value());
  EXPECT_EQ(registry_->by_name("nobody"), nullptr);
  EXPECT_EQ(registry_->by_id("nobody"), nullptr);
}

TEST_F(RegistryTest, NamesAndRetentionAreChecked) {
  EXPECT_EQ(registry_->add(record("", 24)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry_->add(record(std::string(1'001, 'x'), 24)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry_->add(record("brief", 0)).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RegistryTest, AnUpdateReplacesSettingsForNewCallersOnly) {
  const auto before = registry_->by_name("default");
  const auto changed = registry_->update("default", [](Record& record) {
    record.mutable_retention()->set_seconds(48 * 3600);
    (*record.mutable_search_attributes())["Amount"] = temporal::api::enums::v1::INDEXED_VALUE_TYPE_INT;
    return absl::OkStatus();
  });
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(before->retention, absl::Hours(24));
  const auto after = registry_->by_name("default");
  EXPECT_EQ(after->retention, absl::Hours(48));
  EXPECT_EQ(after->search_attributes.at("Amount"), temporal::api::enums::v1::INDEXED_VALUE_TYPE_INT);
}

TEST_F(RegistryTest, ARefusedUpdateChangesNothing) {
  const auto refused = registry_->update("default", [](Record& record) {
    record.set_description("changed");
    return absl::AlreadyExistsError("no");
  });
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(registry_->describe("default", "")->description(), "");
  const auto nobody = registry_->update("nobody", [](Record&) { return absl::OkStatus(); });
  EXPECT_EQ(nobody.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace skald::namespaces

#include <filesystem>
#include <fstream>
#include <string>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/namespaces/registry.h"
#include "engine/server/commands.h"
#include "engine/server/server.h"
#include "engine/store/sqlite/sqlite_store.h"
#include "tests/unit/store/throwaway_file.h"

namespace skald::server {
namespace {

using ::testing::HasSubstr;

struct Ran {
  int code = 0;
  std::string out, err;
};

Ran run(const std::string& arguments) {
  CLI::App app;
  int code = -1;
  add_store_commands(app, code);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  app.parse(arguments);
  Ran ran;
  ran.code = code;
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

// A store that a server has started on.
void make_store(const store::ThrowawayFile& file) {
  auto opened = store::open_sqlite({.path = file.path()});
  ASSERT_TRUE(opened.ok()) << opened.status();
  const base::SystemClock clock;
  const auto random = base::make_seeded_random(1);
  ASSERT_TRUE(namespaces::Registry::open(**opened, clock, *random).ok());
  ASSERT_TRUE((*opened)->put_setting("cluster_id", "cluster").ok());
}

void sql(const store::ThrowawayFile& file, const char* text) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.path().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, text, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

TEST(StoreCheckCommand, SaysThatNothingIsWrong) {
  const store::ThrowawayFile file;
  make_store(file);
  const Ran ran = run("store check --store sqlite:" + file.path());
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("TABLE         ROWS  VIOLATIONS\nnamespaces       1           0\n"));
  EXPECT_THAT(ran.out, HasSubstr("Nothing is wrong with 2 rows."));
  EXPECT_EQ(ran.err, "");
}

TEST(StoreCheckCommand, TellsViolationsAndFails) {
  const store::ThrowawayFile file;
  make_store(file);
  sql(file, "INSERT INTO history VALUES ('one', 1, 1, X''), ('t' || char(27) || 'wo', 1, 1, X'')");
  const Ran ran = run("store check --sentences 1 --store sqlite:" + file.path());
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("\nhistory:\n  run one: it has history"));
  EXPECT_THAT(ran.out, HasSubstr("and 1 more (--sentences tells more)"));
  EXPECT_THAT(ran.out, HasSubstr("2 violations in 2 rows. Back the store up"));
  EXPECT_THAT(run("store check --store sqlite:" + file.path()).out, HasSubstr("run t?wo"));
}

TEST(StoreCheckCommand, SpeaksJsonToPrograms) {
  const store::ThrowawayFile file;
  make_store(file);
  sql(file, "INSERT INTO history VALUES ('ghost', 1, 1, X'')");
  const Ran ran = run("store check -o json --store sqlite:" + file.path());
  EXPECT_EQ(ran.code, 1);
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json.at("violations"), 1);
  EXPECT_EQ(json.at("tables").size(), 7u);
  EXPECT_EQ(json.at("tables")[4].at("table"), "history");
  EXPECT_THAT(std::string(json.at("tables")[4].at("sentences")[0]), HasSubstr("run ghost"));
}

TEST(StoreCheckCommand, MakesNoStore) {
  const store::ThrowawayFile file;
  const Ran ran = run("store check --store sqlite:" + file.path());
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("there is no file " + file.path()));
  EXPECT_FALSE(std::filesystem::exists(file.folder()));
}

TEST(StoreCheckCommand, RefusesAStoreThatIsInUse) {
  const store::ThrowawayFile file;
  make_store(file);
  const auto user = store::open_sqlite({.path = file.path()});
  const Ran ran = run("store check --store sqlite:" + file.path());
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("is using " + file.path() + "; stop it first"));
}

TEST(StoreCheckCommand, TellsAMistakeInTheStoresName) {
  const Ran ran = run("store check --store postgres:x");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("write sqlite:FILE or mysql://"));
}

TEST(StoreCopyCommand, CopiesAndTellsTheRows) {
  const store::ThrowawayFile from, to, further;
  make_store(from);
  const Ran ran = run("store copy sqlite:" + from.path() + " sqlite:" + to.path());
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("TABLE         ROWS\nnamespaces       1\n"));
  EXPECT_THAT(ran.out, HasSubstr("2 rows copied from sqlite:" + from.path() + " to sqlite:" + to.path()));
  EXPECT_EQ(run("store check --store sqlite:" + to.path()).code, 0);
  const Ran again = run("store copy -o json sqlite:" + to.path() + " sqlite:" + further.path());
  EXPECT_EQ(again.code, 0) << again.err;
  const auto json = nlohmann::json::parse(again.out);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_EQ(json.at("tables")[0].at("rows"), 1);
}

TEST(StoreCopyCommand, RefusesATargetWithRows) {
  const store::ThrowawayFile from, to;
  make_store(from);
  make_store(to);
  const Ran ran = run("store copy sqlite:" + from.path() + " sqlite:" + to.path());
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("name one that is empty"));
}

TEST(StoreCopyCommand, RefusesToCopyAStoreToItself) {
  const Ran ran = run("store copy sqlite:a sqlite:a");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("FROM and TO are the same store"));
}

TEST(StoreCopyCommand, AServerRefusesACopyThatWasInterrupted) {
  const store::ThrowawayFile file;
  make_store(file);
  sql(file, "INSERT INTO settings VALUES ('copy', 'incomplete, begun 2026-11-21T10:00:00Z')");
  ServerOptions options;
  options.store.store = "sqlite:" + file.path();
  options.grpc_address = "127.0.0.1:0";
  const auto server = Server::start(options, [](const absl::Status&) {});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("a copy that was interrupted"));
}

}  // namespace
}  // namespace skald::server

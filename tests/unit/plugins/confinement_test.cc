#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/plugins/isolation_fixture.h"

// What a plugin in a process of its own cannot do, tried by one that wants to. Root's plugins have users of their own;
// the last test has all others run once more by a plain user, whose plugins have his.
namespace skald::plugins {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kPlainUser = 65534;

bool is_root() { return geteuid() == 0; }

long landlock_version() { return syscall(SYS_landlock_create_ruleset, nullptr, 0, 1); }

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ConfinementTest : public IsolationHostTest {
 protected:
  ConfinementTest() {
    std::filesystem::create_directories(folder_ + "/engine");
    for (const std::string& path : secrets()) std::ofstream(path) << "not for plugins";
    options_ = options();
    options_.isolation.hidden = {engine_, folder_ + "/password"};
  }

  // What the kernel answers a plugin that has not the right, else "".
  std::string tried(const std::string& activity, const json& input = json::object()) {
    const json answer = result({"hostile." + activity, input});
    return answer.is_string() ? answer.get<std::string>() : "no answer: " + answer.dump();
  }
  void load_hostile(json limits = json::object()) {
    configure("hostile", {{"isolation", "process"}, {"limits", std::move(limits)}});
    if (!std::filesystem::exists(folder_ + "/hostile.so")) add(TEST_PLUGINS_FOLDER, "hostile");
    load(options_);
    ASSERT_THAT(host_->problems(), testing::IsEmpty());
  }
  std::vector<std::string> secrets() const {
    return {engine_, engine_ + "-wal", engine_ + "-shm", folder_ + "/password", data_path_ + ".other.sqlite"};
  }
  // Files have others' rights here: it is not these that keep the plugin out, where it has another user.
  static bool has_what_it_takes() { return landlock_version() >= 1; }

  const std::string engine_ = folder_ + "/engine/skald.sqlite";
  PluginHostOptions options_;
};

TEST_F(ConfinementTest, HasItsOwnFilesAndBooks) {
  load_hostile();
  EXPECT_EQ(result({"hostile.own_file"}), 4);
  EXPECT_EQ(result({"hostile.note"}), 1);
  EXPECT_EQ(tried("open_file", {{"path", "/etc/passwd"}}), "");
  struct stat about {};
  ASSERT_EQ(stat((data_path_ + ".hostile").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0700u);
  EXPECT_EQ(about.st_uid, result({"hostile.about_me"})["user"].get<uid_t>());
}

TEST_F(ConfinementTest, CannotReachTheEnginesFiles) {
  if (!has_what_it_takes()) GTEST_SKIP() << "this kernel has no Landlock";
  load_hostile();
  for (const std::string& path : secrets()) {
    for (const std::string& way : {std::string(), "/proc/" + std::to_string(getpid()) + "/root", std::string("/proc/self/root")}) {
      EXPECT_NE(tried("open_file", {{"path", way + path}}), "") << way << path;
      EXPECT_NE(tried("open_file", {{"path", way + path}, {"write", true}}), "") << way << path;
    }
    EXPECT_NE(tried("link_file", {{"path", path}, {"to", "./linked"}}), "") << path;
    EXPECT_NE(tried("replace_file", {{"path", path}}), "") << path;
    EXPECT_NE(tried("remove_file", {{"path", path}}), "") << path;
    EXPECT_EQ(content_of(path), "not for plugins");
  }
  EXPECT_NE(tried("replace_file", {{"path", engine_ + "-journal"}}), "");  // which SQLite would apply
}

TEST_F(ConfinementTest, CannotLookIntoTheHost) {
  setenv("SKALD_TEST_SECRET", "hunter2", 1);
  const int open_one = open(engine_.c_str(), O_RDONLY | O_CLOEXEC);
  load_hostile();
  const json me = result({"hostile.about_me"});
  for (const int64_t pid : {int64_t{getpid()}, me["parent"].get<int64_t>()}) {
    const std::string of = "/proc/" + std::to_string(pid);
    for (const char* part : {"/environ", "/mem", "/maps", "/auxv"})
      EXPECT_NE(tried("open_file", {{"path", of + part}}), "") << of << part;
    EXPECT_NE(tried("trace", {{"pid", pid}}), "");
    EXPECT_NE(tried("read_memory", {{"pid", pid}, {"at", std::to_string(reinterpret_cast<uintptr_t>(&kPlainUser))}}), "");
  }
  EXPECT_NE(tried("open_file", {{"path", "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(open_one)}}), "");
  for (const json& name : me["environment"]) EXPECT_NE(name, "SKALD_TEST_SECRET");
  close(open_one);
}

TEST_F(ConfinementTest, HasNoRightsOfTheHost) {
  load_hostile();
  const json me = result({"hostile.about_me"});
  EXPECT_EQ(me["NoNewPrivs"], "1");
  for (const char* set : {"CapEff", "CapPrm", "CapAmb"}) EXPECT_EQ(me[set], "0000000000000000") << set;
  EXPECT_NE(tried("become_root"), "");
  if (!is_root()) GTEST_SKIP() << "a server that is not root cannot give its plugins users of their own";
  EXPECT_NE(me["user"], 0);
  EXPECT_NE(me["group"], 0);
  EXPECT_EQ(me["groups"], 0);
}

TEST_F(ConfinementTest, CannotSignalTheHost) {
  if (!is_root() && landlock_version() < 6) GTEST_SKIP() << "this kernel's Landlock knows nothing of signals";
  load_hostile();
  EXPECT_NE(tried("send_signal", {{"pid", getpid()}}), "");
  EXPECT_NE(tried("send_signal", {{"pid", result({"hostile.about_me"})["parent"]}}), "");
}

TEST_F(ConfinementTest, LeavesNoCoreAndHasNoMoreFilesThanItMay) {
  load_hostile({{"max_files", 100}});
  const json me = result({"hostile.about_me"});
  EXPECT_EQ(me["core"], 0);
  EXPECT_EQ(me["files"], 100);
  const json opened = result({"hostile.open_many", {{"count", 1000}}});
  EXPECT_NE(opened["answer"], "");
  EXPECT_LE(opened["count"], 100);
  EXPECT_NE(tried("raise_limits"), "");
}

TEST_F(ConfinementTest, HasNoMoreProcessesThanItMay) {
  load_hostile({{"max_processes", 100}});
  const json forked = result({"hostile.fork_many", {{"count", 1000}}});
  EXPECT_NE(forked["answer"], "");
  EXPECT_LE(forked["count"], 100);
}

TEST_F(ConfinementTest, HasNoMoreSharedMemoryThanItMay) {
  load_hostile({{"max_memory_mb", 500}});
  EXPECT_EQ(tried("map_shared", {{"mb", 100}}), "");
  EXPECT_NE(tried("map_shared", {{"mb", 100000}}), "");
}

TEST_F(ConfinementTest, WhatLeftItsGroupAndSessionEndsWithIt) {
  load_hostile();
  const auto first = result({"hostile.escape"}).get<pid_t>();
  ASSERT_EQ(kill(first, 0), 0);
  EXPECT_THAT(crash({"hostile.crash"}), HasSubstr("was ended by signal 6 (SIGABRT)"));
  EXPECT_EQ(kill(first, 0), -1);
  const auto second = result({"hostile.escape"}).get<pid_t>();
  ASSERT_EQ(kill(second, 0), 0);
  host_.reset();
  EXPECT_EQ(kill(second, 0), -1);
}

TEST_F(ConfinementTest, BooksGoWithThePluginIntoItsProcessAndBack) {
  add(TEST_PLUGINS_FOLDER, "hostile");
  int64_t notes = 0;
  for (const char* isolation : {"none", "process", "process", "none", "process"}) {
    configure("hostile", {{"isolation", isolation}});
    load(options_);
    ASSERT_THAT(host_->problems(), testing::IsEmpty()) << isolation;
    EXPECT_EQ(result({.type = "hostile.note", .workflow = "w" + std::to_string(notes)}), notes + 1) << isolation;
    ++notes;
  }
}

TEST_F(ConfinementTest, BooksInTwoPlacesAreNobodys) {
  load_hostile();
  EXPECT_EQ(result({"hostile.note"}), 1);
  std::ofstream(data_path_ + ".hostile.sqlite") << "of a backup";
  load(options_);
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("move those away that are not to be used")));
}

TEST_F(ConfinementTest, BooksNeedALoginOfTheirOwn) {
  options_.isolation.data_path = [](const std::string&) { return std::string(); };
  configure("hostile", {{"isolation", "process"}});
  add(TEST_PLUGINS_FOLDER, "hostile");
  load(options_);
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("--plugin-store-user")));
}

TEST_F(ConfinementTest, HasTheUserThatIsNamed) {
  options_.isolation.user = std::to_string(kPlainUser);
  configure("hostile", {{"isolation", "process"}});
  add(TEST_PLUGINS_FOLDER, "hostile");
  load(options_);
  if (!is_root()) {
    EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("needs a server that runs as root")));
    return;
  }
  ASSERT_THAT(host_->problems(), testing::IsEmpty());
  EXPECT_EQ(result({"hostile.about_me"})["user"], kPlainUser);
  options_.isolation.user = "nobody-like-{plugin}";
  load(options_);
  EXPECT_THAT(host_->problems(), ElementsAre(HasSubstr("there is no user nobody-like-hostile")));
}

// All of the above, in this program, by somebody else.
TEST(Confinement, HoldsForAPlainUserToo) {
  if (!is_root()) GTEST_SKIP() << "it is a plain user who runs this";
  if (access(SKALD_BINARY, X_OK) != 0) GTEST_SKIP() << SKALD_BINARY << " is not there";
  const std::string folder = testing::TempDir() + "skald-plain-user";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  ASSERT_EQ(chown(folder.c_str(), kPlainUser, kPlainUser), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const bool is_plain = setgroups(0, nullptr) == 0 && setresgid(kPlainUser, kPlainUser, kPlainUser) == 0 &&
                          setresuid(kPlainUser, kPlainUser, kPlainUser) == 0;
    if (!is_plain) _exit(2);
    if (access(SKALD_BINARY, X_OK) != 0 || access(TEST_PLUGINS_FOLDER, R_OK | X_OK) != 0) _exit(3);
    setenv("TEST_TMPDIR", folder.c_str(), 1);
    execl("/proc/self/exe", "plugins_test", "--gtest_filter=ConfinementTest.*", nullptr);
    _exit(4);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  std::filesystem::remove_all(folder);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3) GTEST_SKIP() << "other users cannot reach this build";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "as a plain user: " << status;
}

}  // namespace
}  // namespace skald::plugins

#include "engine/server/quarantine_file.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>

namespace skald::server {
namespace {

using testing::HasSubstr;

class FixedClock final : public base::Clock {
 public:
  absl::Time now() const override { return time; }
  absl::Time time = absl::FromUnixSeconds(1'700'000'000);
};

class QuarantineFileTest : public testing::Test {
 protected:
  QuarantineFileTest() {
    char name[] = "/tmp/skald-quarantine-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~QuarantineFileTest() override { std::filesystem::remove_all(folder_); }

  std::string prefix() const { return folder_ + "/skald.sqlite"; }
  std::unique_ptr<QuarantineFile> open() {
    auto opened = QuarantineFile::open(prefix(), clock_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  // Another process does this and is killed.
  void killed(const std::function<void(QuarantineFile&)>& work) {
    const pid_t process = fork();
    if (process == 0) {
      auto opened = QuarantineFile::open(prefix(), clock_);
      if (!opened.ok()) _exit(1);
      work(**opened);
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(process, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  void killed_over(const store::WorkflowKey& workflow) {
    killed([&](QuarantineFile& file) { file.begin(workflow); });
  }

  FixedClock clock_;
  std::string folder_;
  const store::WorkflowKey bad_{"ns", "order\t\"1\"\n"};
};

TEST_F(QuarantineFileTest, ADeathIsCountedAtTheNextStartAndTwoAreQuarantine) {
  killed_over(bad_);
  EXPECT_EQ(open()->suspect(bad_)->deaths, 1);
  EXPECT_FALSE(open()->holds(bad_));
  killed_over(bad_);
  EXPECT_TRUE(open()->holds(bad_));
  EXPECT_EQ(open()->suspect(bad_)->last_death, clock_.time);
  EXPECT_TRUE(open()->holds(bad_)) << "a start without a death changes nothing";
  EXPECT_FALSE(open()->holds({"ns", "order-2"}));
  EXPECT_FALSE(open()->holds({"other", bad_.workflow_id}));
}

TEST_F(QuarantineFileTest, WhatEndedBeforeTheDeathIsNoSuspect) {
  killed([&](QuarantineFile& file) {
    const size_t first = file.begin({"ns", "done"});
    file.begin(bad_);
    file.end(first);
  });
  EXPECT_FALSE(open()->suspect({"ns", "done"}));
  EXPECT_TRUE(open()->suspect(bad_));
}

TEST_F(QuarantineFileTest, TwoThreadsAtOneWorkflowAreOneDeath) {
  killed([&](QuarantineFile& file) {
    file.begin(bad_);
    file.begin(bad_);
    file.begin({"ns", "other"});
  });
  EXPECT_EQ(open()->suspect(bad_)->deaths, 1);
  EXPECT_EQ(open()->suspect({"ns", "other"})->deaths, 1);
}

TEST_F(QuarantineFileTest, AnOrderlyEndIsNoDeath) {
  open()->begin(bad_);
  EXPECT_FALSE(open()->suspect(bad_));
}

TEST_F(QuarantineFileTest, DeathsFarApartHaveNothingToDoWithEachOther) {
  killed_over(bad_);
  open();
  clock_.time += absl::Hours(2);
  killed_over(bad_);
  EXPECT_FALSE(open()->holds(bad_));
}

TEST_F(QuarantineFileTest, QuarantineDoesNotEndByItself) {
  killed_over(bad_);
  killed_over(bad_);
  open();
  clock_.time += absl::Hours(1'000);
  EXPECT_TRUE(open()->holds(bad_));
}

TEST_F(QuarantineFileTest, AReleasedWorkflowIsBackAfterOneMoreDeath) {
  killed_over(bad_);
  killed_over(bad_);
  open()->release(bad_);
  EXPECT_FALSE(open()->holds(bad_));
  killed_over(bad_);
  EXPECT_TRUE(open()->holds(bad_));
}

TEST_F(QuarantineFileTest, WorkGoesOnWhereThereIsNoRoomForANote) {
  auto file = open();
  std::vector<size_t> notes;
  for (int i = 0; i < 200; ++i) notes.push_back(file->begin(bad_));
  for (const size_t note : notes) file->end(note);
  file->end(file->begin({"ns", std::string(5'000, 'x')}));
  const size_t note = file->begin(bad_);
  EXPECT_EQ(note, notes[0]) << "notes are free again";
}

TEST_F(QuarantineFileTest, HasOneProcess) {
  const auto held = open();
  EXPECT_TRUE(absl::IsFailedPrecondition(QuarantineFile::open(prefix(), clock_).status()));
}

TEST_F(QuarantineFileTest, TellsWhatToDoWithSuspectsThatCannotBeRead) {
  std::ofstream(prefix() + ".suspects") << "two\tyesterday\n";
  const auto opened = QuarantineFile::open(prefix(), clock_);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("mend or remove it"));
}

}  // namespace
}  // namespace skald::server

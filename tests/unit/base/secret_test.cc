#include "engine/base/secret.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

namespace skald::base {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string file_with(const std::string& name, const std::string& content) {
  const std::string path = (std::filesystem::path(testing::TempDir()) / name).string();
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

TEST(Secret, StandsInAnEnvironmentVariable) {
  setenv("SKALD_SECRET_TEST", "s3cret", 1);
  EXPECT_EQ(*read_secret("env:SKALD_SECRET_TEST"), "s3cret");
}

TEST(Secret, StandsInAFileUpToItsLastLineBreak) {
  EXPECT_EQ(*read_secret("file:" + file_with("plain", "s3cret")), "s3cret");
  EXPECT_EQ(*read_secret("file:" + file_with("line", "s3cret\n")), "s3cret");
  EXPECT_EQ(*read_secret("file:" + file_with("windows", "s3cret\r\n")), "s3cret");
  EXPECT_EQ(*read_secret("file:" + file_with("spaces", " two  words \n")), " two  words ");
}

TEST(Secret, ThatIsNotThereOrEmptyIsNotFound) {
  unsetenv("SKALD_SECRET_TEST_NONE");
  EXPECT_EQ(read_secret("env:SKALD_SECRET_TEST_NONE").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(read_secret("file:/nowhere/at/all").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(read_secret("file:" + file_with("empty", "\n")).status().code(), absl::StatusCode::kNotFound);
}

TEST(Secret, GivenItselfIsRefusedAndNotRepeated) {
  const absl::Status status = read_secret("hunter2").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace skald::base

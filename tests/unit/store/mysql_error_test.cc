#include <gtest/gtest.h>

#include "engine/store/mysql/fault.h"

// The errors that no test can easily have a server make.
namespace skald::store {
namespace {

struct Error {
  int code;
  const char* message;
  Fault fault;
  absl::StatusCode told;
};
void PrintTo(const Error& error, std::ostream* out) { *out << error.code << " " << error.message; }

class MysqlError : public testing::TestWithParam<Error> {};

TEST_P(MysqlError, IsToldAsWhatItMeans) {
  const Error& error = GetParam();
  EXPECT_EQ(fault_of(error.code, error.message), error.fault);
  const absl::Status status = status_of(error.fault, error.code, error.message, "writing runs");
  EXPECT_EQ(status.code(), error.told);
  EXPECT_TRUE(status.message().find("writing runs: ") == 0) << status;
  EXPECT_NE(status.message().find("error " + std::to_string(error.code)), absl::string_view::npos) << status;
}

constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kInternal = absl::StatusCode::kInternal;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

INSTANTIATE_TEST_SUITE_P(
    Of, MysqlError,
    testing::Values(
        Error{1021, "Disk full (/tmp/#sql); waiting for someone to free some space...", Fault::kFull, kExhausted},
        Error{1030, "Got error 28 \"No space left on device\" from storage engine InnoDB", Fault::kFull, kExhausted},
        Error{1030, "Got error 28 - 'No space left on device' from storage engine", Fault::kFull, kExhausted},
        Error{1030, "Got error 128 \"?\" from storage engine InnoDB", Fault::kOther, kInternal},
        Error{1205, "Lock wait timeout exceeded", Fault::kConflict, kUnavailable},
        Error{1213, "Deadlock found", Fault::kConflict, kUnavailable},
        Error{1047, "WSREP has not yet prepared node for application use", Fault::kConnection, kUnavailable},
        Error{1836, "Running in read-only mode", Fault::kReadOnly, kUnavailable},
        Error{1203, "User already has more than 'max_user_connections'", Fault::kCrowded, kUnavailable},
        Error{1105, "Parameter of prepared statement is longer than 'max_allowed_packet' bytes", Fault::kTooLarge,
              kExhausted},
        Error{1105, "Unknown error", Fault::kOther, kInternal},
        Error{8025, "entry too large, the max entry size is 6291456", Fault::kTooLarge, kExhausted},
        Error{9007, "Write conflict", Fault::kConflict, kUnavailable},
        Error{9003, "TiKV server is busy", Fault::kConnection, kUnavailable},
        Error{9005, "Region is unavailable", Fault::kConnection, kUnavailable},
        Error{1820, "You must SET PASSWORD before executing this statement", Fault::kDenied, kDenied},
        Error{1877, "Table is corrupted", Fault::kDamaged, absl::StatusCode::kDataLoss},
        Error{1064, "You have an error in your SQL syntax", Fault::kOther, kInternal}));

}  // namespace
}  // namespace skald::store

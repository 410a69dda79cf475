#pragma once

#include <string>

#include <absl/status/status.h>

namespace skald::store {

// The lock that keeps a second process away from a data file, held as long as this lives: a file beside it, which names
// the holder.
class FileLock {
 public:
  FileLock() = default;
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // FAILED_PRECONDITION if another process has it, PERMISSION_DENIED if the folder cannot be written to.
  absl::Status take(const std::string& data_path);

 private:
  int descriptor_ = -1;
};

// Makes the folder of a data file that is new.
absl::Status make_folder(const std::string& data_path);

// Takes from other users, as plugins in processes of their own may be, what they may do with the file and those beside
// it, as far as they are ours. Its group keeps what it may.
void keep_from_others(const std::string& data_path);

// Looks at the file before SQLite does, which would create side files and may write: DATA_LOSS if it is no SQLite
// database, none of Skald's or cut off, PERMISSION_DENIED if it cannot be written to. OK if there is none.
absl::Status check_data_file(const std::string& data_path);

// "SKLD": a file of ours says so in its header.
inline constexpr int kApplicationId = 0x534B4C44;

}  // namespace skald::store

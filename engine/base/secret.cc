#include "engine/base/secret.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

namespace skald::base {

absl::StatusOr<std::string> read_secret(const std::string& reference) {
  absl::string_view place = reference;
  std::string secret;
  if (absl::ConsumePrefix(&place, "env:")) {
    const char* value = std::getenv(std::string(place).c_str());
    if (value == nullptr) return absl::NotFoundError(absl::StrCat("the environment variable ", place, " is not set"));
    secret = value;
  } else if (absl::ConsumePrefix(&place, "file:")) {
    std::ifstream file{std::string(place), std::ios::binary};
    if (!file) return absl::NotFoundError(absl::StrCat("cannot read the file ", place, ": ", std::strerror(errno)));
    secret.assign(std::istreambuf_iterator<char>(file), {});
    if (absl::EndsWith(secret, "\n")) secret.pop_back();
    if (absl::EndsWith(secret, "\r")) secret.pop_back();
  } else {
    // What was given may be the secret itself.
    return absl::InvalidArgumentError(
        "a secret is given by reference: env:NAME of an environment variable, or file:PATH");
  }
  if (secret.empty()) return absl::NotFoundError(absl::StrCat("the secret ", reference, " is empty"));
  return secret;
}

}  // namespace skald::base

#pragma once

#include <cstdint>
#include <string>

namespace skald::plugin::llm {

int64_t now_ms();                       // since 1970
std::string iso_time(int64_t unix_ms);  // "2030-01-31T08:15:00.250Z"
std::string iso_day(int64_t unix_ms);   // "2030-01-31"

}  // namespace skald::plugin::llm

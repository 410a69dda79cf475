#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace skald::plugin::llm {

// A stretch of a text that names a person, a way to reach one, or an account.
struct PersonalData {
  std::string_view kind;  // "EMAIL", "PHONE", "CARD", "IBAN"
  size_t begin, end;
};

struct PersonalKinds {
  bool emails = true, phones = true, cards = true, ibans = true;
};

// The first one in `text` at or after `from`. Card numbers are those with a right check digit (Luhn), IBANs those with
// a right check sum (mod 97). Telephone numbers are those with a country code (+44 …, 0044 …), a leading 0 and at least
// nine digits, or the form (555) 123-4567.
std::optional<PersonalData> find_personal_data(std::string_view text, size_t from, const PersonalKinds& kinds);

bool passes_luhn(std::string_view digits);

}  // namespace skald::plugin::llm

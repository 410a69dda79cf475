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

// Goes through a text, in a time that grows with its length alone. Card numbers are those with a right check digit
// (Luhn), IBANs those with a right check sum (mod 97). Telephone numbers are those with a country code (+44 …, 0044 …), a
// leading 0 and at least nine digits, or the form (555) 123-4567. One thread at a time.
class PersonalDataSearch {
 public:
  PersonalDataSearch(std::string_view text, const PersonalKinds& kinds) : text_(text), kinds_(kinds) {}
  // The first one at or after `from`, which never goes back.
  std::optional<PersonalData> next(size_t from);

 private:
  std::optional<PersonalData> email_at(size_t begin);

  const std::string_view text_;
  const PersonalKinds kinds_;
  size_t local_end_ = 0;  // of what may stand before an @, and was looked at last
  size_t email_end_ = 0;  // of the address that it is of; 0: of none
};

bool passes_luhn(std::string_view digits);

}  // namespace skald::plugin::llm

#include "plugins/llm/personal_data.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace skald::plugin::llm {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c) || (c & 0x80) != 0; }
bool is_local(char c) { return is_word(c) || std::string_view("._%+-'").find(c) != std::string_view::npos; }

char at(std::string_view text, size_t index) { return index < text.size() ? text[index] : '\0'; }
// A number may touch a sign or a letter of another script: only ASCII ends it not.
bool is_number_or_letter(char c) { return is_digit(c) || is_letter(c); }
bool begins_word(std::string_view text, size_t index) { return index == 0 || !is_number_or_letter(text[index - 1]); }
bool ends_word(std::string_view text, size_t end) { return !is_number_or_letter(at(text, end)); }

// Where an address's domain that begins here ends; 0 when it is none. A full stop at the end of a sentence is not its.
size_t domain_end(std::string_view text, size_t begin) {
  size_t last_dot = 0, reached = 0;
  for (size_t end = begin; is_word(at(text, end)) || at(text, end) == '-' || at(text, end) == '.';) {
    if (text[end] == '.') last_dot = end;
    ++end;
    if (last_dot > begin && end > last_dot + 2 && text[end - 1] != '.') reached = end;
  }
  return reached;
}

// Letters and digits of an account's number, and where each of them ends in the text.
struct Account {
  std::string characters;
  size_t ends[34];
};

Account account_at(std::string_view text, size_t begin) {
  Account out;
  for (size_t i = begin; i < text.size() && out.characters.size() < std::size(out.ends); ++i) {
    const char c = text[i];
    if (is_number_or_letter(c)) {
      out.ends[out.characters.size()] = i + 1;
      out.characters += c;
    } else if ((c != ' ' && c != '-') || !is_number_or_letter(at(text, i + 1))) {
      break;
    }
  }
  return out;
}

bool passes_mod_97(std::string_view iban) {
  int remainder = 0;
  for (size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    const int value = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder == 1;
}

std::optional<PersonalData> iban_at(std::string_view text, size_t begin) {
  if (!is_letter(at(text, begin)) || !is_letter(at(text, begin + 1)) || !begins_word(text, begin)) return std::nullopt;
  const Account number = account_at(text, begin);
  if (number.characters.size() < 15 || !is_digit(number.characters[2]) || !is_digit(number.characters[3]))
    return std::nullopt;
  for (size_t size = number.characters.size(); size >= 15; --size) {
    const size_t end = number.ends[size - 1];
    if (ends_word(text, end) && passes_mod_97(std::string_view(number.characters).substr(0, size)))
      return PersonalData{"IBAN", begin, end};
  }
  return std::nullopt;
}

// Between the groups of a card's number: a space (also one that does not break), a hyphen or a full stop.
size_t separator_size(std::string_view text, size_t at) {
  if (text.substr(at, 2) == "\xc2\xa0") return 2;
  return at < text.size() && std::string_view(" -.").find(text[at]) != std::string_view::npos ? 1 : 0;
}

// As cards have them: in one piece, in fours, or 4-6-5 and 4-6-4. So that no list of small numbers is taken for one.
bool are_groups_of_card(const std::vector<size_t>& groups) {
  if (groups.size() == 1) return true;
  if (groups.size() == 3 && groups[0] == 4 && groups[1] == 6) return groups[2] == 4 || groups[2] == 5;
  return groups.size() >= 4 && std::all_of(groups.begin(), groups.end() - 1, [](size_t size) { return size == 4; });
}

std::optional<PersonalData> card_at(std::string_view text, size_t begin) {
  if (!is_digit(at(text, begin)) || (begin > 0 && is_digit(text[begin - 1]))) return std::nullopt;
  std::string digits;
  std::vector<size_t> groups;
  std::optional<PersonalData> found;
  for (size_t i = begin; is_digit(at(text, i)) && digits.size() < 19; i += separator_size(text, i)) {
    const size_t group = i;
    while (is_digit(at(text, i))) digits += text[i++];
    groups.push_back(i - group);
    if (digits.size() >= 13 && digits.size() <= 19 && are_groups_of_card(groups) && passes_luhn(digits))
      found = PersonalData{"CARD", begin, i};
  }
  return found;
}

// (555) 123-4567, 555-123-4567, 555.123.4567
std::optional<PersonalData> american_phone_at(std::string_view text, size_t begin) {
  size_t i = begin;
  const auto digits = [&](size_t count) {
    const size_t end = i + count;
    while (i < end && is_digit(at(text, i))) ++i;
    return i == end && !is_digit(at(text, i));
  };
  const bool bracket = at(text, i) == '(';
  if (bracket) ++i;
  if (!digits(3)) return std::nullopt;
  if (bracket && at(text, i++) != ')') return std::nullopt;
  const std::string_view separators = " -.";
  const bool separated = separators.find(at(text, i)) != std::string_view::npos;
  if (separated) ++i;
  if ((!separated && !bracket) || !digits(3) || separators.find(at(text, i++)) == std::string_view::npos || !digits(4))
    return std::nullopt;
  return PersonalData{"PHONE", begin, i};
}

std::optional<PersonalData> phone_at(std::string_view text, size_t begin) {
  const char first = at(text, begin);
  if (!is_digit(first) && first != '+' && first != '(') return std::nullopt;
  if (is_digit(first) && !begins_word(text, begin)) return std::nullopt;
  if (begin > 1 && (text[begin - 1] == '.' || text[begin - 1] == '-') && is_digit(text[begin - 2])) return std::nullopt;
  if (auto american = american_phone_at(text, begin)) return american;
  size_t digits = 0, end = begin;
  for (size_t i = begin; i < text.size() && digits < 16; ++i) {
    if (is_digit(text[i])) {
      ++digits;
      end = i + 1;
    } else if (std::string_view("+ ()-./").find(text[i]) == std::string_view::npos || (text[i] == '+' && i != begin) ||
               i > end + 2) {
      break;
    }
  }
  const std::string_view number = text.substr(begin, end - begin);
  const bool abroad = number.starts_with('+') || number.starts_with("00") || number.starts_with("(+");
  const bool national = number.starts_with('0') || number.starts_with("(0");
  if (!ends_word(text, end) || digits > 15 || !((abroad && digits >= 7) || (national && digits >= 9)))
    return std::nullopt;
  return PersonalData{"PHONE", begin, end};
}

}  // namespace

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const int digit = digits[digits.size() - 1 - i] - '0';
    sum += i % 2 == 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 == 0 && std::any_of(digits.begin(), digits.end(), [](char c) { return c != '0'; });
}

// All that may stand before an @ is looked at once: whichever of its words an address begins with, it ends in one place.
std::optional<PersonalData> PersonalDataSearch::email_at(size_t begin) {
  if (!is_word(at(text_, begin)) || (begin > 0 && is_word(text_[begin - 1]))) return std::nullopt;
  if (begin >= local_end_) {
    local_end_ = begin;
    while (is_local(at(text_, local_end_))) ++local_end_;
    email_end_ = at(text_, local_end_) == '@' ? domain_end(text_, local_end_ + 1) : 0;
  }
  if (email_end_ == 0) return std::nullopt;
  return PersonalData{"EMAIL", begin, email_end_};
}

std::optional<PersonalData> PersonalDataSearch::next(size_t from) {
  for (size_t i = from; i < text_.size(); ++i) {
    std::optional<PersonalData> found;
    if (kinds_.emails) found = email_at(i);
    if (!found && kinds_.ibans) found = iban_at(text_, i);
    if (!found && kinds_.cards) found = card_at(text_, i);
    if (!found && kinds_.phones) found = phone_at(text_, i);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace skald::plugin::llm

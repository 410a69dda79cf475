#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::plugin {

// One key from its parts, unambiguous whatever the parts contain: {"default", "order/1", "pay", "1"} is
// "default/order%2F1/pay/1".
std::string effect_key(std::initializer_list<std::string_view> parts);
std::string effect_key(const std::vector<std::string>& parts);

// Which one of its step an effect is: the fields that tell, by name. {refund of "a/b"} and {refund "b" of "a"} differ,
// and so does a field that is not there from one that is empty. A plain text is one field without a name; an empty id
// says nothing, and the effect is its workflow's own.
class EffectId {
 public:
  EffectId() = default;
  EffectId(std::string text) : text_(std::move(text)) {}  // NOLINT: a reference may be just a text
  EffectId(const char* text) : text_(text) {}             // NOLINT
  EffectId(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  bool empty() const { return text_.empty() && fields_.empty(); }
  // "name=value" of each field, "=text" of a plain text: parts of a key.
  std::vector<std::string> parts() const;
  // What it was called in keys of the form namespace / workflow id / step / text, which older ledgers have.
  void set_former(std::string text) { text_ = std::move(text); }
  const std::string& former() const { return text_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
  std::string text_;
};

// The fields of these names that an input has: texts or whole numbers. At least one must be there.
std::function<EffectId(const nlohmann::json&)> by_fields(std::vector<std::string> names);

}  // namespace skald::plugin

#include "plugins/sdk/effect_id.h"

#include <utility>

#include "plugins/sdk/fields.h"

namespace skald::plugin {
namespace {

void append_escaped(std::string& key, std::string_view part) {
  for (const char c : part) {
    if (c == '/') {
      key += "%2F";
    } else if (c == '%') {
      key += "%25";
    } else {
      key += c;
    }
  }
}

template <class Parts>
std::string joined(const Parts& parts) {
  std::string key;
  bool first = true;
  for (const std::string_view part : parts) {
    if (!std::exchange(first, false)) key += '/';
    append_escaped(key, part);
  }
  return key;
}

std::string field_text(const nlohmann::json& input, const std::string& name) {
  const nlohmann::json& value = input[name];
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_integer()) refuse_input(name + " must be a text or a whole number", value);
  return value.dump();
}

}  // namespace

std::string effect_key(std::initializer_list<std::string_view> parts) { return joined(parts); }
std::string effect_key(const std::vector<std::string>& parts) { return joined(parts); }

std::vector<std::string> EffectId::parts() const {
  if (fields_.empty()) return {"=" + text_};
  std::vector<std::string> out;
  for (const auto& [name, value] : fields_) {
    out.push_back(name);
    out.back() += '=';
    out.back() += value;
  }
  return out;
}

std::function<EffectId(const nlohmann::json&)> by_fields(std::vector<std::string> names) {
  return [names = std::move(names)](const nlohmann::json& input) {
    EffectId id;
    for (const std::string& name : names) {
      if (has_field(input, name)) id.add(name, field_text(input, name));
    }
    if (id.empty()) required_field(input, names.at(0));
    return id;
  };
}

}  // namespace skald::plugin

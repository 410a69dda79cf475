#include "engine/api/enum_check.h"

#include <algorithm>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <google/protobuf/descriptor.pb.h>

namespace skald::api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool is_opaque(const Descriptor& type) {
  static constexpr std::string_view kOpaque[] = {"temporal.api.command.v1.Command", "temporal.api.common.v1.Payload",
                                                 "temporal.api.common.v1.Payloads", "temporal.api.failure.v1.Failure",
                                                 "temporal.api.history.v1.History"};
  return std::find(std::begin(kOpaque), std::end(kOpaque), type.full_name()) != std::end(kOpaque);
}

// A worker newer than this server knows causes that we do not: they are recorded, and nothing is decided by them.
bool is_recorded_only(const FieldDescriptor& field) {
  return field.enum_type() != nullptr &&
         field.enum_type()->full_name() == "temporal.api.enums.v1.WorkflowTaskFailedCause";
}

}  // namespace

EnumCheck::EnumCheck(const Descriptor& request) { learn(request); }

// Whether enums may be found below a message of this type. One that is known already is taken to lead to some.
bool EnumCheck::learn(const Descriptor& type) {
  if (is_opaque(type)) return false;
  if (!fields_.try_emplace(&type).second) return true;
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (is_recorded_only(*field)) continue;
    const bool leads =
        field->enum_type() != nullptr || (field->message_type() != nullptr && learn(*field->message_type()));
    if (leads) fields.push_back(field);
  }
  return !(fields_[&type] = std::move(fields)).empty();
}

absl::Status EnumCheck::check(const Message& request) const {
  const auto wrong = find_wrong(request);
  if (!wrong) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Invalid ", wrong->path, ": ", wrong->text));
}

std::optional<EnumCheck::Wrong> EnumCheck::find_wrong(const Message& message) const {
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : fields_.at(message.GetDescriptor())) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : reflection.HasField(message, field);
    std::optional<Wrong> first;
    for (int i = 0; i < count; ++i) {
      auto wrong = find_wrong(message, *field, i);
      // A map has no order: the answer must not follow the one it happens to have.
      if (wrong && (!first || wrong->text < first->text)) first = std::move(wrong);
      if (first && !field->is_map()) break;
    }
    if (first) return first;
  }
  return std::nullopt;
}

std::optional<EnumCheck::Wrong> EnumCheck::find_wrong(const Message& message, const FieldDescriptor& field,
                                                      int index) const {
  const Reflection& reflection = *message.GetReflection();
  // The value of a map's entry goes by the name of the map.
  const bool in_map = message.GetDescriptor()->options().map_entry();
  const std::string name = in_map ? std::string() : field.name();
  if (const auto* type = field.enum_type()) {
    const int number = field.is_repeated() ? reflection.GetRepeatedEnumValue(message, &field, index)
                                           : reflection.GetEnumValue(message, &field);
    if (type->FindValueByNumber(number) != nullptr) return std::nullopt;
    return Wrong{name, absl::StrCat(number, " is no ", type->name(), ".")};
  }
  auto wrong = find_wrong(field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, index)
                                              : reflection.GetMessage(message, &field));
  if (wrong && !name.empty()) wrong->path = wrong->path.empty() ? name : absl::StrCat(name, ".", wrong->path);
  return wrong;
}

}  // namespace skald::api

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace skald::api {

// Refuses a request with an enum number that its type does not name: proto3 lets such numbers through. Payloads,
// failures and histories are their authors', and commands are the core's to judge: none of them is looked into, nor is
// the cause that a worker gives for a failed task.
// Immutable: thread-safe.
class EnumCheck {
 public:
  explicit EnumCheck(const google::protobuf::Descriptor& request);

  // INVALID_ARGUMENT that names the field by its path; `request` is of the constructor's type.
  absl::Status check(const google::protobuf::Message& request) const;

 private:
  struct Wrong {
    std::string path;
    std::string text;
  };

  bool learn(const google::protobuf::Descriptor& type);
  std::optional<Wrong> find_wrong(const google::protobuf::Message& message) const;
  std::optional<Wrong> find_wrong(const google::protobuf::Message& message,
                                  const google::protobuf::FieldDescriptor& field, int index) const;

  // Of each type of message that is looked into, the fields that are enums or lead to some.
  std::map<const google::protobuf::Descriptor*, std::vector<const google::protobuf::FieldDescriptor*>> fields_;
};

}  // namespace skald::api

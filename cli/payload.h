#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "temporal/api/common/v1/message.pb.h"
#include <absl/status/statusor.h>

#include "cli/outcome.h"

namespace skald::cli {

// The payload that carries this JSON as it stands, or InvalidArgument that names the place of the mistake.
absl::StatusOr<temporal::api::common::v1::Payload> json_payload(std::string_view json);

// One payload for each text of `inputs`, or the content of `file` (`-`: standard input) as the only one.
Outcome read_inputs(const std::vector<std::string>& inputs, const std::string& file,
                    temporal::api::common::v1::Payloads& payloads);

// Puts `key=JSON` texts of the option `option` into a memo's or search attributes' map.
Outcome read_fields(std::string_view option, const std::vector<std::string>& fields,
                    google::protobuf::Map<std::string, temporal::api::common::v1::Payload>& map);

// The payload's JSON if its encoding is JSON or null, else a note of what it is.
std::string payload_text(const temporal::api::common::v1::Payload& payload);
std::string payloads_text(const temporal::api::common::v1::Payloads& payloads);

}  // namespace skald::cli

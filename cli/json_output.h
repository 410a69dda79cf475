#pragma once

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include "cli/console.h"

namespace skald::cli {

enum class PayloadForm {
  kDecoded,  // JSON payloads as their values, lists of payloads as plain arrays: for reading, and for jq
  kRaw,      // as the protocol has it, base64: for tools that read histories back
};

// The message in protobuf's JSON form.
nlohmann::ordered_json to_json(const google::protobuf::Message& message, PayloadForm form = PayloadForm::kDecoded);

// Prints one JSON document.
void print_json(const Console& console, const nlohmann::ordered_json& document);

}  // namespace skald::cli

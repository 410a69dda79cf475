#include "temporal/api/enums/v1/common.pb.h"
#include <absl/strings/str_cat.h>

#include "engine/core/step.h"

namespace skald::core {
namespace {

bool is_null(const common::Payload& payload) {
  const auto encoding = payload.metadata().find("encoding");
  return payload.data().empty() && (encoding == payload.metadata().end() || encoding->second == "binary/null");
}

// A field with a null payload is taken away.
template <typename Fields>
void merge(Fields& into, const Fields& upserts) {
  for (const auto& name : sorted_keys(upserts)) {
    const common::Payload& payload = upserts.at(name);
    if (is_null(payload)) {
      into.erase(name);
    } else {
      into[name] = payload;
    }
  }
}

// A type's name as SDKs know it; nullptr for a type they do not.
const char* type_name(int type) {
  switch (type) {
    case enums::INDEXED_VALUE_TYPE_TEXT:
      return "Text";
    case enums::INDEXED_VALUE_TYPE_KEYWORD:
      return "Keyword";
    case enums::INDEXED_VALUE_TYPE_INT:
      return "Int";
    case enums::INDEXED_VALUE_TYPE_DOUBLE:
      return "Double";
    case enums::INDEXED_VALUE_TYPE_BOOL:
      return "Bool";
    case enums::INDEXED_VALUE_TYPE_DATETIME:
      return "Datetime";
    case enums::INDEXED_VALUE_TYPE_KEYWORD_LIST:
      return "KeywordList";
    default:
      return nullptr;
  }
}

}  // namespace

void label_search_attributes(common::SearchAttributes& attributes, const NamespaceSettings& ns) {
  for (auto& [name, payload] : *attributes.mutable_indexed_fields()) {
    const auto type = ns.search_attributes.find(name);
    if (type == ns.search_attributes.end() || type_name(type->second) == nullptr || is_null(payload)) continue;
    if (!payload.metadata().contains("type")) (*payload.mutable_metadata())["type"] = type_name(type->second);
  }
}

std::optional<std::string> check_search_attributes(const Step& step, const common::SearchAttributes& attributes) {
  const Limits& limits = step.context.limits;
  const auto& defined = step.context.ns.search_attributes;
  for (const auto& name : sorted_keys(attributes.indexed_fields())) {
    const common::Payload& value = attributes.indexed_fields().at(name);
    const auto type = defined.find(name);
    if (type == defined.end()) return absl::StrCat("search attribute ", name, " is not defined");
    if (!is_null(value) && !step.context.is_of_type(value, type->second)) {
      const char* wanted = type_name(type->second);
      return absl::StrCat("invalid value for search attribute ", name,
                          ": it is not of the type that is defined for it, ",
                          wanted != nullptr ? wanted : "which this server does not know");
    }
    if (value.data().size() > limits.search_attribute_value_bytes) {
      return absl::StrCat("search attribute ", name, " exceeds the size limit of ", limits.search_attribute_value_bytes,
                          " bytes");
    }
  }
  return std::nullopt;
}

CommandResult upsert_search_attributes(Step& step, const common::SearchAttributes& upserts, int64_t completed_event_id) {
  const auto bad = [](std::string text) { return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, std::move(text)}; };
  if (upserts.indexed_fields().empty()) return bad("IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.");
  const Limits& limits = step.context.limits;
  if (auto problem = check_search_attributes(step, upserts)) return bad(*std::move(problem));
  common::SearchAttributes labelled = upserts;
  label_search_attributes(labelled, step.context.ns);
  common::SearchAttributes merged = step.state.search_attributes();
  merge(*merged.mutable_indexed_fields(), labelled.indexed_fields());
  if (merged.indexed_fields_size() > static_cast<int>(limits.search_attribute_keys)) return bad("too many search attributes");
  if (merged.ByteSizeLong() > limits.search_attributes_bytes) return bad("the search attributes exceed their total size limit");
  *step.state.mutable_search_attributes() = std::move(merged);
  auto* attributes =
      step.append(enums::EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES).mutable_upsert_workflow_search_attributes_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  *attributes->mutable_search_attributes() = std::move(labelled);
  step.effects.visibility_changed = true;
  return std::nullopt;
}

CommandResult modify_properties(Step& step, const common::Memo& upserts, int64_t completed_event_id) {
  const auto bad = [](std::string text) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES, std::move(text)};
  };
  if (upserts.fields().empty()) return bad("UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.");
  common::Memo merged = step.state.memo();
  merge(*merged.mutable_fields(), upserts.fields());
  if (merged.ByteSizeLong() > step.context.limits.memo_error_bytes) return bad("the memo exceeds its size limit");
  *step.state.mutable_memo() = std::move(merged);
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED).mutable_workflow_properties_modified_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  *attributes->mutable_upserted_memo() = upserts;
  step.effects.visibility_changed = true;
  return std::nullopt;
}

}  // namespace skald::core

#pragma once

#include <string>

#include "plugins/erp/documents.h"

namespace skald::plugin::erp {

// How a document becomes a record of the ERP.
struct Creation {
  std::string kind;  // the records': "orders"
  std::string path;  // POST; GET with ?reference=
};

// Creates the record under the document's key and books it: {"erp_id", "version", "state"}. When it may have been sent
// before, the ERP is asked for the reference first. What has the reference already is ours if it says the same.
Async<json> create_in_erp(Desk& desk, Context& context, Document document, Creation creation);

// The record that the ERP has for the document, made if it is not there, without booking it; null if the ERP refuses
// it.
Async<json> make_sure_of(Desk& desk, Context& context, Document document, Creation creation);

}  // namespace skald::plugin::erp

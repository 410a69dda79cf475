#pragma once

#include <string>

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

struct ErpCall {
  std::string method, path;  // built by Url("")
  json body = nullptr;
  std::string key;      // idempotency key; empty: none
  int64_t version = 0;  // of If-Match; 0: none
};

struct ErpReply {
  int status = 0;
  json body;

  bool ok() const { return status >= 200 && status < 300; }
  bool not_found() const { return status == 404; }
  std::string code() const;  // the refusal's
  std::string message() const;
  // ErpUnreadable, to be tried again, if the body is none: it may come from something between us and the ERP.
  json record() const;
  json page() const;     // its "records" are records
  json current() const;  // the record that a refusal is about; null: the ERP does not say
  // 409, 412 or 428 because of the version: the record is current(), or has to be read.
  bool is_version_conflict() const;
};

// Calls the ERP. What it says of the request itself comes back: 2xx, 404 with a code, 409, 412, 428. The rest is thrown
// as ActivityError: ErpRefused and IdempotencyConflict for good; ErpUnauthorized, ErpBusy, ErpUnavailable and
// ErpUnreadable to be tried again, after next_retry_delay where the ERP says when; and what the kit's client throws.
Async<ErpReply> call_erp(Desk& desk, Context& context, ErpCall call);

// A record whose fields, as far as we read them, are what they must be; else ErpUnreadable.
json checked_record(json record);

// Throws ErpRefused, for good, with what the ERP said.
[[noreturn]] void refuse(const ErpReply& reply);

}  // namespace skald::plugin::erp

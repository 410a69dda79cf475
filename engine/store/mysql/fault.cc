#include "engine/store/mysql/fault.h"

#include <absl/strings/str_cat.h>

namespace skald::store {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

const char* advice(Fault fault) {
  switch (fault) {
    case Fault::kConnection:
      return "the database cannot be reached";
    case Fault::kConflict:
      return "the database undid it for the sake of another transaction; try again";
    case Fault::kReadOnly:
      return "the database takes no writes at the moment; point --store at the primary if this lasts";
    case Fault::kCrowded:
      return "the database has no connection free; raise max_connections, or stop what uses them";
    case Fault::kFull:
      return "the database has no space left; make room on its disk";
    case Fault::kTooLarge:
      return "the row is larger than the database takes; raise its max_allowed_packet";
    case Fault::kDenied:
      return "the database refuses this user; see to its password and privileges";
    case Fault::kDamaged:
      return "the database's tables are damaged; restore them from a backup";
    case Fault::kDuplicate:
      return "the key exists already";
    case Fault::kNone:
    case Fault::kOther:
      return "the database refused it";
  }
  return "";
}

absl::StatusCode code_of(Fault fault) {
  switch (fault) {
    case Fault::kFull:
    case Fault::kTooLarge:
      return absl::StatusCode::kResourceExhausted;
    case Fault::kDenied:
      return absl::StatusCode::kPermissionDenied;
    case Fault::kDamaged:
      return absl::StatusCode::kDataLoss;
    case Fault::kDuplicate:
    case Fault::kNone:
    case Fault::kOther:
      return absl::StatusCode::kInternal;
    case Fault::kConnection:
    case Fault::kConflict:
    case Fault::kReadOnly:
    case Fault::kCrowded:
      return absl::StatusCode::kUnavailable;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

Fault fault_of(int code, std::string_view message) {
  switch (code) {
    case 1053:  // shutting down
    case 1077:
    case 1079:
    case 1080:  // the same, at other moments
    case 1152:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1184:  // the wire
    case 1317:
    case 1927:
    case 3169:  // killed
    case 4031:  // idle for too long
    case 1047:  // a cluster's node that is not ready
    case 2001:
    case 2002:
    case 2003:
    case 2004:
    case 2005:
    case 2006:
    case 2012:
    case 2013:
    case 2026:
    case 2048:
    case 2055:
    case 8027:
    case 9001:
    case 9002:
    case 9003:
    case 9004:
    case 9005:  // TiDB: its own servers are away, or too busy
      return Fault::kConnection;
    case 1205:
    case 1213:
    case 1614:
    case 8002:
    case 8005:
    case 8022:
    case 8028:
    case 9007:  // TiDB: write conflicts, a schema that changes; rolled back
      return Fault::kConflict;
    case 1290:
    case 1792:
    case 1836:
    case 3032:
      return Fault::kReadOnly;
    case 1040:
    case 1129:
    case 1203:
    case 1226:
      return Fault::kCrowded;
    case 3:
    case 1021:
    case 1026:
    case 1114:
      return Fault::kFull;
    case 1030:
      return contains(message, "error 28 ") || contains(message, "space") ? Fault::kFull : Fault::kOther;
    case 1153:
    case 1301:
    case 2020:
    case 8004:
    case 8025:  // TiDB: txn-entry-size-limit, txn-total-size-limit
      return Fault::kTooLarge;
    case 1105:
      return contains(message, "max_allowed_packet") ? Fault::kTooLarge : Fault::kOther;
    case 1062:
    case 1586:
      return Fault::kDuplicate;
    case 1044:
    case 1045:
    case 1142:
    case 1143:
    case 1227:
    case 1370:
    case 1698:
    case 1130:
    case 1251:
    case 1820:
    case 1862:
    case 2059:
    case 2061:
    case 3159:  // ways to get in that the server wants and we do not have; a password that has expired
      return Fault::kDenied;
    case 126:
    case 127:
    case 145:
    case 1034:
    case 1194:
    case 1195:
    case 1712:
    case 1877:
      return Fault::kDamaged;
    default:
      return Fault::kOther;
  }
}

bool ends_connection(Fault fault) {
  return fault == Fault::kConnection || fault == Fault::kReadOnly || fault == Fault::kCrowded;
}

absl::Status status_of(Fault fault, int code, std::string_view message, std::string_view doing) {
  return absl::Status(code_of(fault), absl::StrCat(std::string(doing), ": ", advice(fault), " (", std::string(message),
                                                   ", error ", code, ")"));
}

}  // namespace skald::store

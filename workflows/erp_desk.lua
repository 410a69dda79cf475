-- What a person asks of the ERP's books: {ask = "audit"}, {ask = "order", order_id}, {ask = "item", sku}, {ask = "conflicts"}, or
-- {ask = "resolve_conflict", conflict, choose = "ours" or "erp", by, reason}.
local skald = require "skald"

local erp = skald.activities("erp", { start_to_close = "5m", schedule_to_close = "1h" })

local ANSWERS = { audit = erp.audit, order = erp.order, item = erp.item, conflicts = erp.conflicts, resolve_conflict = erp.resolve_conflict }

return function(question)
  local answer = type(question) == "table" and ANSWERS[question.ask]
  if not answer then
    skald.fail { type = "InvalidInput", non_retryable = true, message = "ask must be audit, order, item, conflicts or resolve_conflict" }
  end
  return answer(question)
end

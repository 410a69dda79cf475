#pragma once

#include "samples/llm/chat.h"

namespace skald::samples::llm {

// What the sandbox answers when no rule says otherwise: simple arithmetic on the data in the messages, by the name of
// the answer's schema (order_risk, dispatch, after_sales). Another schema gets the plainest value that fits it, and
// free text a sentence. Instructions within the data are seen, and not followed.
Reply judge(const ChatRequest& request);

}  // namespace skald::samples::llm

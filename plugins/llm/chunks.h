#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skald::plugin::llm {

// Cuts a text into chunks of at most `most_bytes`, each beginning with about `overlap` bytes of the one before. It cuts
// at the end of a paragraph if there is one in the second half of the chunk, else of a sentence, else of a word, and
// never within a UTF-8 character. A text of blanks has none.
std::vector<std::string> chunks_of(std::string_view text, size_t most_bytes, size_t overlap);

}  // namespace skald::plugin::llm

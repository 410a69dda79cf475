#pragma once

#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <typeinfo>

#include <cxxabi.h>

namespace skald::plugin {

struct ExceptionText {
  std::string type;  // the class, e.g. "std::out_of_range"
  std::string message;
};

// The exception that is being handled; to be called in a catch clause only.
inline ExceptionText current_exception_text() {
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  std::string type = "unknown";
  if (thrown != nullptr) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(thrown->name(), nullptr, nullptr, &status), &std::free);
    type = name != nullptr ? name.get() : thrown->name();
  }
  try {
    throw;
  } catch (const std::exception& e) {
    return {std::move(type), e.what()};
  } catch (const std::string& text) {
    return {std::move(type), text};
  } catch (const char* text) {
    return {std::move(type), text};
  } catch (...) {
    return {type, "an exception of type " + type};
  }
}

}  // namespace skald::plugin

#include "engine/base/cancellation.h"

#include <gmock/gmock.h>

namespace skald::base {
namespace {

TEST(Cancellation, RunsCallbacksOnceInTheirOrder) {
  Cancellation cancellation;
  std::string said;
  cancellation.on_cancel([&] { said += "a"; });
  cancellation.on_cancel([&] { said += "b"; });
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.cancel();
  cancellation.cancel();
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(said, "ab");
}

TEST(Cancellation, RunsACallbackThatComesTooLateAtOnce) {
  Cancellation cancellation;
  cancellation.cancel();
  bool ran = false;
  cancellation.on_cancel([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(Cancellation, LetsACallbackAskAgain) {
  Cancellation cancellation;
  bool nested = false;
  cancellation.on_cancel([&] { cancellation.on_cancel([&] { nested = true; }); });
  cancellation.cancel();
  EXPECT_TRUE(nested);
}

}  // namespace
}  // namespace skald::base

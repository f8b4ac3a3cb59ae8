// Work on a thread of its own: it ends by itself, or because the caller's poll says so.
#include "../cpu/attended.h"

#include <stdexcept>

#include "check.h"

namespace gpusim::test {

// Waits for the stop flag; what it returns by is the only way out.
static void until_stopped(const volatile i32* stop) {
  while (!read_flag(stop)) {}
}

TEST(attended_work_ends_by_itself) {
  int done = 0;
  run_attended([&](const volatile i32*) { done = 1; }, [] { return true; });
  CHECK_EQUAL(done, 1);
}

TEST(a_refusing_poll_stops_attended_work) {
  int polls = 0;
  run_attended(until_stopped, [&] { return ++polls < 2; });
  CHECK_EQUAL(polls, 2);
}

TEST(an_error_of_the_poll_stops_the_work_and_reaches_the_caller) {
  bool caught = false;
  try {
    run_attended(until_stopped, []() -> bool { throw std::runtime_error("poll"); });
  } catch (const std::runtime_error&) {
    caught = true;
  }
  CHECK(caught);
}

TEST(an_error_of_attended_work_reaches_the_caller) {
  bool caught = false;
  try {
    run_attended([](const volatile i32*) { throw std::runtime_error("work"); },
                 [] { return true; });
  } catch (const std::runtime_error&) {
    caught = true;
  }
  CHECK(caught);
}

}  // namespace gpusim::test

// Closures: what is closed, tick by tick, against a count of the intervals; and what they leave of a pool's profile.
#include "../core/closures.h"

#include <algorithm>
#include <set>

#include "check.h"
#include "shared_world.h"
#include "support.h"

namespace gpusim::test {

struct Interval {
  Tick start, end;
  i32 gpus;
};

// The steps of intervals of one pool, as they come from Python.
struct Steps {
  std::vector<i32> offset;
  std::vector<Tick> tick, start;
  std::vector<i64> gpus;

  explicit Steps(const std::vector<Interval>& intervals) {
    std::set<Tick> ticks;
    for (const Interval& one : intervals) ticks.insert({one.start, one.end});
    for (const Tick t : ticks) {
      i64 sum = 0;
      Tick first = kNever;
      for (const Interval& one : intervals) {
        if (one.start <= t && t < one.end) sum += one.gpus;
        if (one.start >= t) first = least(first, one.start);
      }
      tick.push_back(t);
      gpus.push_back(sum);
      start.push_back(first);
    }
    offset = {0, static_cast<i32>(tick.size())};
  }
  ClosureSteps view() const {
    return ClosureSteps{offset[1], offset.data(), tick.data(), gpus.data(), start.data()};
  }
};

constexpr Tick kLast = 300;

template <class S>
static void compare(u64 seed) {
  Random random(seed);
  const SharedWorld shared(1, 1);
  for (i32 round = 0; round < 40; ++round) {
    std::vector<Interval> intervals;
    const i32 n = random.small(1, 6);
    for (i32 k = 0; k < n; ++k) {
      const Tick start = random.between(0, 120);
      intervals.push_back({start, start + random.between(1, 60), random.small(1, 7)});
    }
    const Steps steps(intervals);
    const i32 capacity = random.small(1, 12);
    const auto closed_at = [&](Tick t) {
      i32 sum = 0;
      for (const Interval& one : intervals) sum += one.start <= t && t < one.end ? one.gpus : 0;
      return least(sum, capacity);
    };
    Model model = shared.model();
    model.closures = steps.view();
    model.policy.kill_at_limit = 1;
    Memory<S> memory(model, Sizes{32, 64, 64, 32, 0});
    RunResult result{};
    Center<S>& center = memory.scratch.center;
    center.bind(model, Cell{0, 0, 1000000, &capacity}, result);
    Closures<S>& closures = center.closures;
    closures.clear();
    center.tenants.by_shadow = 0;
    center.status = kOk;
    center.running.release[0].clear();
    CHECK_EQUAL(closures.closed_now(0), 0);
    for (Tick now = 0; now < kLast; ++now) {
      const bool step = std::find(steps.tick.begin(), steps.tick.end(), now) != steps.tick.end();
      CHECK_EQUAL(closures.next == now, step);
      const i32 before = closures.closed_now(0);
      i32 more = 0;
      if (step) closures.step([&](i32, i32 change) { more = change; });
      CHECK_EQUAL(closures.closed_now(0), closed_at(now));
      CHECK_EQUAL(before + more, closed_at(now));
      Tick next_start = kNever;
      for (const Interval& one : intervals)
        if (one.start > now) next_start = least(next_start, one.start);
      CHECK_EQUAL(closures.next_start(0), next_start);
      if (now % 7 != 0) continue;
      Profile<S>& profile = center.profile[0];
      profile.build(center.running.release[0], now, capacity - closed_at(now));
      center.now = now;
      closures.carve_anew(0);
      const i32 gang = random.small(1, capacity);
      const Tick length = random.between(1, 50);
      const auto fits = [&](Tick from) {
        for (Tick t = from; t < from + length; ++t)
          if (gang > capacity - closed_at(t)) return false;
        return true;
      };
      Tick first = now;
      while (!fits(first)) ++first;
      i64 given = 0;
      CHECK_EQUAL(keeps_room(center, 0, gang, length), first == now);
      CHECK_EQUAL(earliest_room(center, 0, gang, length, &given), first);
      CHECK(!profile.full);
    }
    CHECK_EQUAL(closures.next, kNever);
    CHECK(!closures.ahead(0));
  }
}

TEST(closures_and_what_they_leave_equal_a_count_tick_by_tick) {
  compare<OneLane>(5);
  compare<Lanes>(6);
}

TEST(a_profile_without_room_for_all_closures_says_so) {
  const Steps steps({{10, 20, 1}, {30, 40, 1}, {50, 60, 1}});
  const SharedWorld shared(1, 1);
  Model model = shared.model();
  model.closures = steps.view();
  Memory<Lanes> memory(model, Sizes{32, 64, 4, 32, 0});
  const i32 capacity = 2;
  RunResult result{};
  Center<Lanes>& center = memory.scratch.center;
  center.bind(model, Cell{0, 0, 1000000, &capacity}, result);
  center.closures.clear();
  center.tenants.by_shadow = 0;
  center.running.release[0].clear();
  center.profile[0].build(center.running.release[0], 0, 2);
  center.closures.carve_anew(0);
  center.now = 0;
  center.status = kOk;
  CHECK(keeps_room(center, 0, 1, 20));
  CHECK_EQUAL(static_cast<i32>(center.status), static_cast<i32>(kOk));
  keeps_room(center, 0, 2, 50);
  CHECK_EQUAL(static_cast<i32>(center.status), static_cast<i32>(kProfileFull));
}

}  // namespace gpusim::test

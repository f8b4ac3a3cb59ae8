// The profile of free GPUs against one counter per tick.
#include "../core/profile.h"

#include <algorithm>

#include "check.h"
#include "support.h"

namespace gpusim::test {

constexpr i32 kTicks = 4000;  // beyond every reservation of these tests

struct EveryTick {  // free GPUs at now + i
  std::vector<i32> free;
  i64 earliest(i32 gpus, Tick duration) const {
    i64 run = 0;
    for (i64 i = 0; i < kTicks; ++i) {
      run = free[static_cast<size_t>(i)] >= gpus ? run + 1 : 0;
      if (run == duration) return i - duration + 1;
    }
    return -1;
  }
};

static World conservative() {
  World world;
  world.policy.backfill = kAll;
  world.store({{0, 1, 1, 1}});
  return world;
}

template <class S>
static void compare(i32 capacity, i32 most_jobs, u64 seed) {
  const World world = conservative();
  const Model model = world.model();
  Memory<S> memory(model, Sizes{512, 64, 2048, 32, 0});
  Release<S>& release = memory.scratch.center.running.release[0];
  Profile<S>& profile = memory.scratch.center.profile[0];
  Random random(seed);
  for (i32 round = 0; round < 20; ++round) {
    release.clear();
    const Tick now = random.between(50, 1000);
    EveryTick expected;
    i32 used = 0;
    const i32 jobs = random.small(0, most_jobs);
    expected.free.assign(kTicks, 0);
    for (i32 j = 0; j < jobs && used < capacity; ++j) {
      const i32 g = random.small(1, least(8, capacity - used));
      const Tick start = random.between(0, now),
                 limit = random.between(1, 100);  // some are overdue
      release.insert(j, start + limit, g, start);
      used += g;
      const Tick end = greatest(start + limit, now + 1);
      for (Tick t = now; t < end; ++t) expected.free[static_cast<size_t>(t - now)] -= g;
    }
    for (i32& f : expected.free) f += capacity;
    profile.build(release, now, capacity - used);
    CHECK(!profile.full);
    CHECK_EQUAL(profile.reservations, 0);
    for (i32 k = 0; k < 25; ++k) {
      const i32 g = random.small(1, capacity);
      const Tick duration = random.between(1, 60);
      const Tick at = profile.earliest(g, duration);
      if (!CHECK_EQUAL(at - now, expected.earliest(g, duration))) return;
      if (!CHECK_EQUAL(profile.fits_now(g, duration), at == now)) return;
      profile.carve(at, duration, g);
      for (Tick t = at; t < at + duration; ++t) expected.free[static_cast<size_t>(t - now)] -= g;
    }
    CHECK_EQUAL(profile.time[0], now);
    for (i32 i = 0; i + 1 < profile.steps; ++i) CHECK(profile.time[i] < profile.time[i + 1]);
    CHECK(*std::min_element(profile.free, profile.free + profile.steps) >= 0);
  }
}

TEST(profile_equals_a_counter_per_tick) {
  for (i32 capacity : {40, 900}) {  // few jobs, and many
    compare<OneLane>(capacity, capacity * 3 / 4, 3);
    compare<Lanes>(capacity, capacity * 3 / 4, 3);
  }
}

TEST(profile_says_when_it_is_full) {
  const World world = conservative();
  const Model model = world.model();
  Memory<Lanes> memory(model, Sizes{32, 64, 4, 32, 0});
  Release<Lanes>& release = memory.scratch.center.running.release[0];
  Profile<Lanes>& profile = memory.scratch.center.profile[0];
  release.clear();
  profile.build(release, 0, 8);
  profile.carve(0, 10, 1);  // steps 0, 10
  profile.carve(5, 10, 1);  // and 5, 15
  CHECK(!profile.full);
  CHECK_EQUAL(profile.steps, 4);
  profile.carve(5, 10, 1);  // no new step
  CHECK(!profile.full);
  profile.carve(7, 1, 1);
  CHECK(profile.full);
  for (i32 j = 0; j < 3; ++j) release.insert(j, 9, 1, 1);
  profile.build(release, 1, 5);  // three releases may need five steps
  CHECK(profile.full);
  release.remove(1);
  profile.build(release, 1, 6);
  CHECK(!profile.full);
  CHECK_EQUAL(profile.steps, 2);  // both at tick 9
  CHECK_EQUAL(profile.free[1], 8);
}

}  // namespace gpusim::test

// The profile of free GPUs against one counter per tick.
#include "../core/profile.h"

#include <algorithm>

#include "check.h"
#include "support.h"

namespace gpusim::test {

constexpr i32 kTicks = 4000;  // beyond every reservation of these tests

struct EveryTick {  // free GPUs at now + i
  std::vector<i32> free;
  void take(Tick from, Tick duration, i32 gpus) {
    for (Tick t = from; t < from + duration; ++t) free[static_cast<size_t>(t)] -= gpus;
  }
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

// Jobs that run, some of them overdue.
template <class S>
static void begin(Release<S>* release, EveryTick* expected, Tick now, i32 jobs, i32 capacity,
                  Tick longest, i32* used, Random* random) {
  release->clear();
  expected->free.assign(kTicks, capacity);
  std::vector<Tick> starts;  // in order, as in a run
  for (i32 j = 0; j < jobs; ++j) starts.push_back(random->between(0, now));
  std::sort(starts.begin(), starts.end());
  for (i32 j = 0; j < jobs && *used < capacity; ++j) {
    const i32 g = random->small(1, least(8, capacity - *used));
    const Tick start = starts[static_cast<size_t>(j)], limit = random->between(1, longest);
    release->insert(j, start + limit, g, start);
    *used += g;
    expected->take(0, greatest(start + limit - now, static_cast<Tick>(1)), g);
  }
}

template <class S>
static void compare(i32 capacity, i32 most_jobs, u64 seed) {
  const World world = conservative();
  const Model model = world.model();
  Memory<S> memory(model, Sizes{1024, 64, 2048, 32, 0});
  Release<S>& release = memory.scratch.center.running.release[0];
  Profile<S>& profile = memory.scratch.center.profile[0];
  Random random(seed);
  for (i32 round = 0; round < 20; ++round) {
    const Tick now = random.between(50, 1000);
    i32 used = 0;
    EveryTick expected;
    begin(&release, &expected, now, random.small(0, most_jobs), capacity, 100, &used, &random);
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
      expected.take(at - now, duration, g);
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

// A profile that is drawn as far as somebody asks, while jobs get reservations or start. The first requests are short, so
// that the width of the release list's buckets is chosen anew meanwhile.
template <class S>
static void compare_begun(i32 capacity, i32 most_jobs, Tick longest, u64 seed) {
  const World world = conservative();
  const Model model = world.model();
  Memory<S> memory(model, Sizes{1024, 64, 2048, 32, 0});
  Release<S>& release = memory.scratch.center.running.release[0];
  Profile<S>& profile = memory.scratch.center.profile[0];
  Random random(seed);
  i32 started = 0, unread = 0;
  for (i32 round = 0; round < 30; ++round) {
    const Tick now = random.between(50, 1000);
    const i32 jobs = random.small(0, most_jobs), largest = random.small(1, capacity);
    i32 used = 0;
    EveryTick expected;
    begin(&release, &expected, now, jobs, capacity, longest, &used, &random);
    profile.begin(release, now, capacity - used);
    CHECK_EQUAL(profile.reservations, 0);
    for (i32 k = 0; k < 25; ++k) {
      const i32 g = random.small(1, random.small(0, 1) ? largest : least(8, capacity));
      const Tick duration = random.between(1, random.small(0, 3) ? 60 : 400);
      const i64 wanted = expected.earliest(g, duration);
      const i32 step = profile.refusal(release, g, duration);
      if (!CHECK_EQUAL(step < 0, wanted == 0)) return;
      if (step >= 0) {
        CHECK(profile.free[step] < g && profile.time[step] < now + duration);
        CHECK_EQUAL(profile.free[step],
                    expected.free[static_cast<size_t>(profile.time[step] - now)]);
      }
      unread += profile.known < kNever;
      if (wanted == 0 && random.small(0, 2)) {
        profile.take(now, duration, g);
        release.insert(jobs + k, now + duration, g, now);
        expected.take(0, duration, g);
        ++started;
        continue;
      }
      const Tick at = profile.earliest_from(release, g, duration);
      if (!CHECK_EQUAL(at - now, wanted)) return;
      profile.carve(at, duration, g);
      expected.take(wanted, duration, g);
    }
    CHECK(!profile.full);
    for (i32 i = 0; i + 1 < profile.steps; ++i) CHECK(profile.time[i] < profile.time[i + 1]);
  }
  CHECK(started > 30);
  CHECK(unread > 30);
}

TEST(profile_that_is_drawn_when_asked_equals_a_counter_per_tick) {
  for (i32 capacity : {40, 900})
    for (Tick longest : {100, 1500})
      for (u64 seed : {5, 6}) {
        compare_begun<OneLane>(capacity, capacity / 5, longest, seed);
        compare_begun<Lanes>(capacity, capacity / 5, longest, seed);
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
  release.insert(1, 10, 1, 1);
  release.insert(3, 12, 1, 1);
  profile.begin(release, 1, 4);  // 1, 9, 10, 12
  CHECK_EQUAL(profile.earliest_from(release, 8, 9), 12);
  CHECK(!profile.full);
  release.insert(4, 1 << 20, 1, 1);
  profile.begin(release, 1, 3);
  profile.earliest_from(release, 8, 9);
  CHECK(profile.full);
}

}  // namespace gpusim::test

// What words mean, where it is computed in a way that is faster than its definition: the definition.
#include "../core/demand.h"

#include "../core/jobs.h"
#include "check.h"
#include "support.h"

namespace gpusim::test {

TEST(members_of_a_batch_are_spaced_as_the_division_says) {
  Random random(3);
  for (i32 i = 0; i < 20000; ++i) {
    const Tick spread = random.between(0, 1LL << random.small(0, 36));
    const i32 n = random.small(1, 1 << random.small(0, 24)), m = random.small(0, n - 1);
    if (!CHECK_EQUAL(spacing(spread, n).of(m), spread * m / n)) return;
  }
  for (const Tick spread : {0LL, 1LL, 65535LL, 65536LL, (1LL << 31) - 1, 1LL << 31})
    for (const i32 n : {1, 2, 3, 65535, 65536, 65537}) {
      const Spacing space = spacing(spread, n);
      for (i32 m = 0; m < n; ++m)
        if (!CHECK_EQUAL(space.of(m), spread * m / n)) return;
    }
}

TEST(half_a_common_word_gives_the_triangle) {
  const auto triangle = [](u64 common, u64 own) {
    const u64 v = (common + own) >> 1, w = (1ULL << 32) - v;
    if (v < 1ULL << 31) return v * v >> 31;
    return least((1ULL << 32) - (w * w >> 31), (1ULL << 32) - 1);
  };
  Random random(4);
  const i64 top = (1LL << 32) - 1, edges[] = {0, 1, 65535, 65536, top / 2, top / 2 + 1, top};
  for (const i64 a : edges)
    for (const i64 edge : edges)
      for (const i64 b : {edge, top - edge, random.between(0, top)}) {
        const u32 word = evenly_mixed_word(static_cast<u32>(a), static_cast<u32>(b));
        CHECK_EQUAL(word, triangle(static_cast<u64>(a), static_cast<u64>(b)));
      }
}

template <class S>
static std::vector<Job> some_jobs(const Origin& origin) {
  World world;
  world.windows = Windows{0, 1LL << 20, 1LL << 20, 86400, 0};
  world.generate(origin);
  const Model m = world.model();
  Memory<S> memory(m, Sizes{32, 64, 4, 32, 0});
  JobStream<S> stream;
  const i32 none = 0;
  stream.open(m, memory.scratch.blocks, Cell{1, 0, kMillion, &none});
  std::vector<Job> jobs;
  while (stream.head != kNoKey) jobs.push_back(stream.take());
  return jobs;
}

template <class S>
static void limits_are_rounded_up_to(const std::vector<i64>& choices, i64 longest) {
  Origin origin;
  origin.service_high = longest << 4;
  origin.limit_mode = kFactor;
  origin.limit_a = 65536;
  origin.limit_b = 4 * 65536;
  const std::vector<Job> plain = some_jobs<S>(origin);
  origin.choices = choices;
  const std::vector<Job> rounded = some_jobs<S>(origin);
  CHECK(plain.size() > 1000);
  if (!CHECK_EQUAL(plain.size(), rounded.size())) return;
  for (size_t j = 0; j < plain.size(); ++j) {
    i64 limit = greatest(choices.back(), plain[j].service);
    for (size_t c = choices.size(); c-- > 0;)
      if (choices[c] >= plain[j].limit) limit = choices[c];
    if (!CHECK_EQUAL(rounded[j].limit, limit)) return;
  }
}

TEST(limits_are_rounded_up_to_few_or_many_small_or_large_choices) {
  const i64 large = 1LL << 31;
  std::vector<i64> many;
  for (i64 c = 1; c <= 40; ++c) many.push_back(c * c * 10);
  const std::vector<i64> nine(many.begin(), many.begin() + 9);
  for (const std::vector<i64>& choices : {std::vector<i64>{500}, nine, many}) {
    limits_are_rounded_up_to<OneLane>(choices, 4000);
    limits_are_rounded_up_to<Lanes>(choices, 4000);
  }
  for (const i64 last : {large - 2, large - 1, large, 8 * large}) {  // in 32 bits, and not
    const std::vector<i64> choices{large / 4, large / 2, last, 9 * large};
    limits_are_rounded_up_to<OneLane>(choices, 4 * large);
    limits_are_rounded_up_to<Lanes>(choices, 4 * large);
  }
}

TEST(times_of_a_block_are_those_of_its_arrivals) {
  World world;
  world.week = 700;
  world.profile_cum = {0, 0, 89600, 89600, 134400, 134400, 134400, 179200};  // half the days empty
  world.profile_offset = {0, 8};
  Origin origin;
  origin.profile = 0;
  origin.profile_start = 44800;
  world.generate(origin);
  const Model m = world.model();
  const i32 rows[] = {0};
  const Demand d{&m.generator, 0, rows, 65536, kMillion, 30, 1LL << 40};
  Random random(6);
  for (i32 i = 0; i < 2000; ++i) {
    const i64 mean = 1LL << random.small(0, 14);  // in one bin, in several, and over many weeks
    std::vector<Tick> x(1, random.between(0, 1LL << 30)), alone;
    while (x.size() < 64) x.push_back(x.back() + random.between(0, 2 * mean));
    for (Tick time : x) {
      to_clock<OneLane>(d, 0, &time, 1);
      alone.push_back(time);
    }
    std::vector<Tick> lanes = x;
    to_clock<OneLane>(d, 0, x.data(), 64);
    to_clock<Lanes>(d, 0, lanes.data(), 64);
    if (!CHECK(x == alone && lanes == alone)) return;
  }
}

}  // namespace gpusim::test

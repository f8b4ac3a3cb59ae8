// Quantile tables at their edges and nodes, alias counts, limits.
#include "../core/sampler.h"

#include "../core/sampler_avx2.h"

#include <cstdlib>

#include "check.h"
#include "support.h"

namespace gpusim::test {

// Node values that are all different: k squared below, mirrored above.
static std::vector<i64> squares() {
  std::vector<i64> nodes;
  for (i64 k = 0; k < kTableNodes; ++k) nodes.push_back(k * k);
  for (i64 k = 0; k < kTableNodes; ++k) nodes.push_back(2000000 - k * k);
  return nodes;
}

TEST(tables_end_where_their_sides_end) {
  const std::vector<i64> t = squares();
  const i64 a = 863 * 863, b = 864 * 864;
  CHECK_EQUAL(table_value(t.data(), 0), 0);
  CHECK_EQUAL(table_value(t.data(), 0x7fffffffu), a + (((b - a) * 65535) >> 16));
  CHECK_EQUAL(table_value(t.data(), 0x80000000u), 2000000 - a - (((b - a) * 65535) >> 16));
  CHECK_EQUAL(table_value(t.data(), 0xffffffffu), 2000000);
}

TEST(tables_pass_through_their_nodes) {
  const std::vector<i64> t = squares();
  for (i32 k = 0; k < kTableNodes - 1; ++k) {
    const u32 v = static_cast<u32>(node_place(k));
    CHECK_EQUAL(table_value(t.data(), v), t[static_cast<size_t>(k)]);
    CHECK_EQUAL(table_value(t.data(), ~v), t[static_cast<size_t>(kTableNodes + k)]);
  }
  CHECK_EQUAL(node_place(kTableNodes - 1), 1LL << 31);
}

TEST(tables_rise_with_probability) {
  std::vector<i64> t;
  add_uniform_table(&t, 5, (1LL << 44) - 1);
  i64 before = 0;
  for (u64 u = 0; u < (1ULL << 32); u += 65521) {
    const i64 value = table_value(t.data(), static_cast<u32>(u));
    if (!CHECK(value >= before)) return;
    before = value;
    const i64 exact = 5 + static_cast<i64>((((1ULL << 44) - 6) >> 12) * u >> 20);
    if (!CHECK(std::abs(value - exact) < 1 << 23)) return;  // a step between nodes is cut into 2^16
  }
}

constexpr i64 kNoCap = (1LL << 44) - 1, kNoCapFrom = 1LL << 32;

TEST(ticks_are_rounded_half_up_and_run_times_are_at_least_one) {
  const std::vector<i64> zero(2 * kTableNodes, 0), five(2 * kTableNodes, 5),
      six(2 * kTableNodes, 6);
  const auto ticks = [](const std::vector<i64>& t, i32 shift) {
    return RunTimes{t.data(), shift, kNoCap, kNoCapFrom}.of(77);
  };
  CHECK_EQUAL(table_ticks(zero.data(), 20, kNoCap, kNoCapFrom, 77), 0);
  CHECK_EQUAL(ticks(zero, 0), 1);
  CHECK_EQUAL(ticks(zero, 20), 1);
  CHECK_EQUAL(ticks(five, 0), 5);
  CHECK_EQUAL(ticks(five, 2), 1);  // 1.25
  CHECK_EQUAL(ticks(six, 2), 2);   // 1.5
}

TEST(words_from_cap_from_on_give_the_cap_and_no_value_exceeds_it) {
  std::vector<i64> t;
  add_uniform_table(&t, 0, 1LL << 32);
  const auto ticks = [&](i64 cap, i64 from, u32 u) {
    return table_ticks(t.data(), 4, cap, from, u);
  };
  const u32 from = 0xc0000000u;
  CHECK_EQUAL(ticks(80, from, from), 5);
  CHECK_EQUAL(ticks(80, from, from - 1), 5);             // the table's value is above the cap
  CHECK_EQUAL(ticks(1LL << 40, from, from), 1LL << 36);  // the cap is above the table's value
  CHECK(ticks(1LL << 40, from, from - 1) < 1LL << 28);   // and only the words from there on have it
  CHECK_EQUAL(ticks(80, 0, 0), 5);                       // every word
  CHECK_EQUAL(ticks(1LL << 40, 0xffffffffLL, 0xffffffffu), 1LL << 36);  // the last word alone
  CHECK_EQUAL(ticks(1LL << 40, kNoCapFrom, 0xffffffffu), 1LL << 28);    // none
}

TEST(alias_counts_are_the_atoms_shares) {
  // probabilities 1/6, 1/3, 1/2 of 1, 2 and 8 GPUs: cells of 1/3 each
  const i32 gpus[] = {1, 2, 8}, alias[] = {2, 1, 2};
  const u64 threshold[] = {1ULL << 31, 1ULL << 32, 1ULL << 32};
  i32 seen[9] = {};
  const i32 draws = 3 << 16;
  for (i32 i = 0; i < draws; ++i)
    ++seen[alias_pick(gpus, threshold, alias, 3,
                      static_cast<u32>((static_cast<u64>(i) << 32) / draws))];
  CHECK(std::abs(seen[1] - draws / 6) <= 1);
  CHECK(std::abs(seen[2] - draws / 3) <= 1);
  CHECK(std::abs(seen[8] - draws / 2) <= 1);
  CHECK_EQUAL(alias_pick(gpus, threshold, alias, 3, 0), 1);
  CHECK_EQUAL(alias_pick(gpus, threshold, alias, 3, 0xffffffffu), 8);
  const u64 never[] = {0};
  const i32 one[] = {4}, self[] = {0};
  CHECK_EQUAL(alias_pick(one, never, self, 1, 123), 4);
}

TEST(factor_limits_are_rounded_up_inside_their_bounds) {
  const i64 once = 65536;
  CHECK_EQUAL(factor_limit(3, once, once, 0), 3);
  CHECK_EQUAL(factor_limit(3, once + 1, once + 1, 0xffffffffu), 4);
  CHECK_EQUAL(factor_limit(1, 1, 1, 0), 1);  // never below one tick
  CHECK_EQUAL(factor_limit(1000, once, 3 * once, 0), 1000);
  CHECK_EQUAL(factor_limit(1000, once, 3 * once, 0x80000000u), 2000);
  CHECK_EQUAL(factor_limit(1000, once, 3 * once, 0xffffffffu),
              3000);  // factor 3 - 2^-16, rounded up
  CHECK_EQUAL(factor_limit(1LL << 28, 1, (1LL << 31) - 1, 0xffffffffu),
              ((1LL << 28) * ((1LL << 31) - 2)) >> 16);
}

constexpr i64 kWeights[] = {1, 100, 20000, 32767, 32768, 32769, 45000, 65000, 65535};

TEST(mixed_words_rise_with_either_word_and_fill_the_range) {
  CHECK_EQUAL(mixed_word(123, 456, 0), 456u);
  for (i64 p : kWeights) {
    CHECK_EQUAL(mixed_word(0, 0, p), 0u);
    CHECK(mixed_word(0xffffffffu, 0xffffffffu, p) > 0xffff0000u);
    u32 before_own = 0, before_common = 0;
    for (u64 w = 0; w < (1ULL << 32); w += 20000003) {
      const u32 by_own = mixed_word(0x7654321u * 17, static_cast<u32>(w), p);
      const u32 by_common = mixed_word(static_cast<u32>(w), 0x89abcdefu, p);
      if (!CHECK(by_own >= before_own && by_common >= before_common)) return;
      before_own = by_own;
      before_common = by_common;
    }
  }
}

TEST(mixed_words_are_uniform) {
  // on a grid of n x n words the number below x is n n x, but for the grid's edge
  const i64 n = 1000, step = (1LL << 32) / n;
  for (i64 p : kWeights) {
    std::vector<i64> below(16, 0);
    for (i64 a = 0; a < n; ++a)
      for (i64 b = 0; b < n; ++b) {
        const u32 common = static_cast<u32>(a * step + step / 2);
        ++below[mixed_word(common, static_cast<u32>(b * step + step / 2), p) >> 28];
      }
    for (i64 count : below) CHECK(std::abs(count - n * n / 16) < 3 * n);
  }
}

// Around every node, at the ends of both sides, and at random; with and without a cap.
TEST(eight_words_find_the_values_of_one) {
  if (!has_avx2()) return;
  std::vector<u32> words{0, 0x7fffffffu, 0x80000000u, 0xffffffffu, 31, 32, 33, 63};
  for (i32 k = 1; k < kTableNodes; ++k)
    for (i32 near : {-1, 0, 1}) {
      const u32 v = static_cast<u32>(node_place(k)) + static_cast<u32>(near);
      words.push_back(v);
      words.push_back(~v);
    }
  Random random(5);
  while (words.size() < 20000) words.push_back(static_cast<u32>(random.between(0, 0xffffffffLL)));
  std::vector<i64> steep;
  add_uniform_table(&steep, 0, (1LL << 44) - 1);
  const i32 n = static_cast<i32>(words.size());
  for (const std::vector<i64>& t : {squares(), steep}) {
    std::vector<i64> values(words.size());
    table_column(values.data(), n, t.data(), words.data());
    for (size_t i = 0; i < words.size(); ++i)
      if (!CHECK_EQUAL(values[i], table_value(t.data(), words[i]))) return;
    for (const RunTimes& law :
         {RunTimes{t.data(), 4, kNoCap, kNoCapFrom}, RunTimes{t.data(), 0, 70000, kNoCapFrom},
          RunTimes{t.data(), 20, kNoCap, kNoCapFrom},
          RunTimes{t.data(), 1, 1LL << 42, 3LL << 30}}) {
      std::vector<Asked> same(words.size(), Asked{-7, -7, 3, 4}), alone = same;
      run_times_column<true>(same.data(), n, law, words.data());
      run_times_column<false>(alone.data(), n - 5, law, words.data());  // rounded up to n
      for (size_t i = 0; i < words.size(); ++i) {
        const Tick expected = law.of(words[i]);
        if (!CHECK(same[i].service == expected && same[i].limit == expected)) return;
        if (!CHECK(alone[i].service == expected && alone[i].limit == -7)) return;
        if (!CHECK(same[i].gpus == 3 && same[i].job_class == 4)) return;
      }
    }
  }
}

}  // namespace gpusim::test

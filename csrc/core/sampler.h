// From 32 random bits to ticks and GPU counts, in integers.
//
// A quantile table is an inverse CDF on a two-sided grid: 32 nodes in every octave of the distance
// (in probability) from either end, linear in between; values are in 2^-shift ticks. One table
// serves every distribution; it is made on the host once
// (python/gpusim/workload/quantile_table.py), so no backend needs log or exp. Format:
// ARCHITECTURE.md 3.
#pragma once
#include "types.h"

namespace gpusim {

constexpr i32 kNodeBits = 5;                                               // 32 nodes an octave
constexpr i32 kTableNodes = 32 + (31 - kNodeBits) * (1 << kNodeBits) + 1;  // 865 per side

// Value at u of a table of two sides of kTableNodes nodes, in the table's own unit. Words fall on either
// side at random, so nothing here branches on them.
HD i64 table_value(const i64* nodes, u32 u) {
  const i64 upper = static_cast<i64>(static_cast<i32>(u)) >> 63;  // all ones on the upper side
  const u32 v = u ^ static_cast<u32>(upper);
  // Shifted so that the highest 6 bits say which node of the octave, the next 16 how far towards the
  // next one; below 32, where nodes are 1 apart as in the lowest octave, shifted as there.
  const i32 shift = 31 - floor_log2(v | 32);
  const u32 bits = v << shift;
  nodes += static_cast<i64>(bits >> 26) + (upper & kTableNodes) - (shift << kNodeBits);
  nodes += (31 - kNodeBits) << kNodeBits;
  // value = a + (b - a) * frac / 2^16, rounded towards a: down on the lower side, up on the upper one
  return nodes[0] + (((nodes[1] - nodes[0]) * ((bits >> 10) & 0xffff) + (upper & 0xffff)) >> 16);
}

// Whole ticks, rounded half up. Words from cap_from on give the cap, and no value exceeds it: the table is that of the
// law without its cap.
HD Tick table_ticks(const i64* nodes, i32 shift, i64 cap, i64 cap_from, u32 u) {
  const i64 half = shift ? 1LL << (shift - 1) : 0;
  const i64 value = static_cast<i64>(u) >= cap_from ? cap : least(table_value(nodes, u), cap);
  return (value + half) >> shift;
}

// How a row's words become run times; by value, so that loops over it hold it in registers.
struct RunTimes {
  const i64* nodes;
  i32 shift;
  i64 cap, cap_from;

  HD Tick of(u32 word) const {  // at least one
    return greatest<Tick>(1, table_ticks(nodes, shift, cap, cap_from, word));
  }
};

// Walker's alias method: atom i = floor(word * atoms / 2^32), then the fraction decides between i
// and its alias.
template <class T>
HD T alias_pick(const T* value, const u64* threshold, const i32* alias, i32 atoms, u32 word) {
  const u64 x = static_cast<u64>(word) * static_cast<u64>(atoms);
  const i32 i = static_cast<i32>(x >> 32), other = alias[i];
  return value[(x & 0xffffffffu) < threshold[i] ? i : other];
}

// limit = ceil(service * factor), factor uniform in [a, b) in units of 2^-16
HD Tick factor_limit(Tick service, i64 a, i64 b, u32 word) {
  const i64 factor = a + (((b - a) * static_cast<i64>(word)) >> 32);
  return greatest<Tick>(1, (service * factor + 65535) >> 16);
}

// Eight ascending choices, or fewer and then the largest number. A limit is rounded up by counting the
// choices below it, in 32 bits, so that loops over it vectorise where there are no wider comparisons.
struct Choices {
  enum { most = 8 };
  i32 of[most];

  HD i32 below(i32 limit) const {
    i32 count = 0;
    for (i32 i = 0; i < most; ++i) count += of[i] < limit ? 1 : 0;
    return count;
  }
};

constexpr Tick kBrief = 0x7fffffff;  // ticks from here on do not fit Choices

// The next n of ascending choices, all below kBrief.
HD Choices some_choices(const i64* choices, i32 n) {
  Choices c;
  for (i32 i = 0; i < Choices::most; ++i) c.of[i] = static_cast<i32>(i < n ? choices[i] : kBrief);
  return c;
}

// The same count for choices of any length.
HD i32 choices_below(const i64* choices, i32 n, Tick limit) {
  i32 count = 0;
  while (count < n && choices[count] < limit) ++count;
  return count;
}

// mixed_word at half and half, the usual weight: a triangle, without divisions and in 32 bits, so that
// loops over it vectorise.
HD u32 evenly_mixed_word(u32 common, u32 own) {
  const u32 v = (common & own) + ((common ^ own) >> 1);  // their mean
  const u32 upper = 0u - (v >> 31);                      // all ones in the upper half
  const u32 x = (v ^ upper) - upper;                     // distance from the nearer end, <= 2^31
  const u32 u = static_cast<u32>((static_cast<u64>(x) * x) >> 31);
  return upper ? 0u - u - (u == 0 ? 1u : 0u) : u;
}

// A word that shares the weight p / 65536 with `common`: s = p * common + q * own has a trapezoid
// distribution, and its distribution function makes it uniform again. Two words mixed with one common
// word have sums of correlation p^2 / (p^2 + q^2).
HD u32 mixed_word(u32 common, u32 own, i64 p) {
  if (p == 0) return own;
  const u64 weight = static_cast<u64>(p), rest = 65536 - weight;
  const u64 v = (weight * common + rest * own) >> 16;
  const u64 low = least(weight, rest), high = greatest(weight, rest);
  if (low == high) return evenly_mixed_word(common, own);
  if (v < low << 16) return static_cast<u32>((v * v) / (2 * low * high));
  if (v < high << 16) return static_cast<u32>(((v - (low << 15)) << 16) / high);
  const u64 w = (1ULL << 32) - v, u = (1ULL << 32) - (w * w) / (2 * low * high);
  return static_cast<u32>(least(u, 0xffffffffULL));
}

}  // namespace gpusim

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

// Value at u of a table of two sides of kTableNodes nodes, in the table's own unit.
HD i64 table_value(const i64* nodes, u32 u) {
  const bool upper = (u >> 31) != 0;
  const u32 v = upper ? ~u : u;
  i32 k = static_cast<i32>(v);
  i64 frac = 0;
  if (v >= 32) {
    const i32 bits = floor_log2(v) - kNodeBits;
    k = 32 + 32 * bits + static_cast<i32>((v >> bits) & 31);
    const i64 low = v & ((1u << bits) - 1);
    frac = bits <= 16 ? low << (16 - bits) : low >> (bits - 16);
  }
  // value = a + (b - a) * frac / 2^16, in the direction that keeps the shifted number non-negative
  if (!upper) return nodes[k] + (((nodes[k + 1] - nodes[k]) * frac) >> 16);
  nodes += kTableNodes;
  return nodes[k] - (((nodes[k] - nodes[k + 1]) * frac) >> 16);
}

// Run time in whole ticks, at least one, rounded half up. Words from cap_from on give the cap, and no
// value exceeds it: the table is that of the law without its cap.
HD Tick table_ticks(const i64* nodes, i32 shift, i64 cap, i64 cap_from, u32 u) {
  const i64 half = shift ? 1LL << (shift - 1) : 0;
  const i64 value = static_cast<i64>(u) >= cap_from ? cap : least(table_value(nodes, u), cap);
  return greatest<Tick>(1, (value + half) >> shift);
}

// Walker's alias method: atom i = floor(word * atoms / 2^32), then the fraction decides between i
// and its alias.
template <class T>
HD T alias_pick(const T* value, const u64* threshold, const i32* alias, i32 atoms, u32 word) {
  const u64 x = static_cast<u64>(word) * static_cast<u64>(atoms);
  const i32 i = static_cast<i32>(x >> 32);
  return (x & 0xffffffffu) < threshold[i] ? value[i] : value[alias[i]];
}

// limit = ceil(service * factor), factor uniform in [a, b) in units of 2^-16
HD Tick factor_limit(Tick service, i64 a, i64 b, u32 word) {
  const i64 factor = a + (((b - a) * static_cast<i64>(word)) >> 32);
  return greatest<Tick>(1, (service * factor + 65535) >> 16);
}

// A word that shares the weight p / 65536 with `common`: s = p * common + q * own has a trapezoid
// distribution, and its distribution function makes it uniform again. Two words mixed with one common
// word have sums of correlation p^2 / (p^2 + q^2).
HD u32 mixed_word(u32 common, u32 own, i64 p) {
  if (p == 0) return own;
  const u64 weight = static_cast<u64>(p), rest = 65536 - weight;
  const u64 v = (weight * common + rest * own) >> 16;
  const u64 low = least(weight, rest), high = greatest(weight, rest);
  if (low == high) {  // the usual half and half: a triangle, without divisions
    if (v < low << 16) return static_cast<u32>((v * v) >> 31);
    const u64 u = (1ULL << 32) - ((((1ULL << 32) - v) * ((1ULL << 32) - v)) >> 31);
    return static_cast<u32>(least(u, 0xffffffffULL));
  }
  if (v < low << 16) return static_cast<u32>((v * v) / (2 * low * high));
  if (v < high << 16) return static_cast<u32>(((v - (low << 15)) << 16) / high);
  const u64 w = (1ULL << 32) - v, u = (1ULL << 32) - (w * w) / (2 * low * high);
  return static_cast<u32>(least(u, 0xffffffffULL));
}

}  // namespace gpusim

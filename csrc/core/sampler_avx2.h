// Values of a quantile table for eight words at once, with AVX2: those of sampler.h, for hosts that have it.
//
// The highest bit of a word is found by halving, which AVX2 has no instruction for. The two nodes that a word lies between
// are neighbours: one load of 16 bytes brings both, where a gather would take each by itself. As in rng_avx2.h, even and
// odd words stand in 64-bit lanes of their own.
#pragma once
#include "blocks.h"
#include "rng_avx2.h"
#include "sampler.h"
#include "types.h"

namespace gpusim {

#if defined(GPUSIM_AVX2)
#define AVX2 __attribute__((target("avx2")))

typedef i64 Ticks __attribute__((vector_size(32)));
typedef i64 Pair __attribute__((vector_size(16)));
typedef Pair LoosePair __attribute__((aligned(8)));  // where nodes need not be aligned as pairs
typedef u32 EightWords __attribute__((vector_size(32)));

// Where eight words lie in a table; see table_value.
struct Places {
  u32 node[8];
  Quad part;   // (8,) u32: how far towards the next node, in 2^-16
  Quad upper;  // (8,) u32: all ones on the upper side
};

template <i32 step>
AVX2 HD_JOB void halve(Eight* v, Eight* log2) {
  const Eight more = (*v > (1 << step) - 1) & step;
  *v = (Eight)((EightWords)*v >> (EightWords)more);
  *log2 += more;
}
AVX2 HD_JOB Eight floor_log2_of(Eight v) {  // 0 < v < 2^31
  Eight log2{};
  halve<16>(&v, &log2);
  halve<8>(&v, &log2);
  halve<4>(&v, &log2);
  halve<2>(&v, &log2);
  halve<1>(&v, &log2);
  return log2;
}

AVX2 HD_JOB void find(EightWords u, Places* p) {
  const EightWords upper = (EightWords)((Eight)u >> 31), v = (u ^ upper) | 32;
  const EightWords shift = 31 - (EightWords)floor_log2_of((Eight)v);
  const EightWords bits = (u ^ upper) << shift;
  const EightWords side = (upper & kTableNodes) + ((31 - kNodeBits) << kNodeBits);
  const EightWords node = (bits >> 26) + side - (shift << kNodeBits);
  __builtin_memcpy(p->node, &node, sizeof node);
  p->part = (Quad)((bits >> 10) & 0xffff);
  p->upper = (Quad)upper;
}

// The nodes at `low` and after it, and those at `high`.
AVX2 HD_JOB Ticks two_pairs(const i64* nodes, u32 low, u32 high) {
  typedef i32 Four __attribute__((vector_size(16)));
  const Pair first = *(const LoosePair*)(nodes + low), second = *(const LoosePair*)(nodes + high);
  return (Ticks)__builtin_ia32_insert128i256((Ticks)__builtin_ia32_si256_si((Four)first), second,
                                             1);
}

// Values of the words from, from + 2, from + 4 and from + 6 of eight.
template <i32 from>
AVX2 HD_JOB Ticks values(const i64* nodes, const Places& p) {
  const Ticks x = two_pairs(nodes, p.node[from], p.node[from + 4]);
  const Ticks y = two_pairs(nodes, p.node[from + 2], p.node[from + 6]);
  const Ticks a = (Ticks)__builtin_ia32_punpcklqdq256(x, y);
  const Quad step = (Quad)((Ticks)__builtin_ia32_punpckhqdq256(x, y) - a);
  const Quad part = from ? p.part >> 32 : p.part, up = from ? p.upper >> 48 : p.upper & 0xffff;
  const Quad low = (Quad)__builtin_ia32_pmuludq256((Eight)step, (Eight)part);
  const Quad high = (Quad)__builtin_ia32_pmuludq256((Eight)(step >> 32), (Eight)part);
  const Quad product =
      low + (high << 32) + up + (1ULL << 63);  // above 0, so that it can be shifted
  return a + (Ticks)(product >> 16) - (1LL << 47);
}

AVX2 HD_JOB EightWords eight_words(const u32* word) {
  EightWords u;
  __builtin_memcpy(&u, word, sizeof u);
  return u;
}

// table_value of each of n words, a multiple of 8.
AVX2 inline HD_CALL void table_column(i64* to, i32 n, const i64* nodes, const u32* word) {
  for (i32 i = 0; i < n; i += 8) {
    Places p;
    find(eight_words(word + i), &p);
    const Ticks even = values<0>(nodes, p), odd = values<1>(nodes, p);
    for (i32 k = 0; k < 4; ++k) {
      to[i + 2 * k] = even[k];
      to[i + 2 * k + 1] = odd[k];
    }
  }
}

// Four values and their words become run times.
struct Rounding {
  Ticks cap, last, half;  // `last`: of the words below the cap
  i32 shift;

  AVX2 HD_JOB Ticks of(Ticks value, Ticks word) const {
    value = (value > cap) | (word > last) ? cap : value;
    const Ticks ticks = (Ticks)((Quad)(value + half) >> shift);
    return ticks - (ticks == 0);  // at least one; true is -1
  }
};

template <bool exact>
AVX2 HD_JOB void store_run_times(Asked* asked, Ticks even, Ticks odd) {
  for (i32 k = 0; k < 4; ++k) {
    asked[2 * k].service = even[k];
    asked[2 * k + 1].service = odd[k];
    if (exact) asked[2 * k].limit = even[k];
    if (exact) asked[2 * k + 1].limit = odd[k];
  }
}

// Run times of n words; of more, up to a multiple of 8. If `exact` they are the limits as well.
template <bool exact>
AVX2 HD_CALL void run_times_column(Asked* asked, i32 n, const RunTimes& law, const u32* word) {
  const Ticks zero{};
  const i64 half = law.shift ? 1LL << (law.shift - 1) : 0;
  const Rounding round{zero + law.cap, zero + (law.cap_from - 1), zero + half, law.shift};
  for (i32 i = 0; i < n; i += 8) {
    const EightWords u = eight_words(word + i);
    Places p;
    find(u, &p);
    store_run_times<exact>(asked + i,
                           round.of(values<0>(law.nodes, p), (Ticks)((Quad)u & 0xffffffff)),
                           round.of(values<1>(law.nodes, p), (Ticks)((Quad)u >> 32)));
  }
}

#undef AVX2
#else

HD void table_column(i64*, i32, const i64*, const u32*) {}
template <bool exact>
HD void run_times_column(Asked*, i32, const RunTimes&, const u32*) {}

#endif

}  // namespace gpusim

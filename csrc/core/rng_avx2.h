// Philox for eight indices at once, with AVX2: the words of rng.h, for hosts that have it.
//
// Only pmuludq multiplies 32 x 32 bits in vectors, in every other 32-bit lane; a compiler that is given rng.h
// shuffles around each product. Here even and odd indices stand in 64-bit lanes of their own, whose upper
// halves hold whatever they hold: nothing reads them.
#pragma once
#include "rng.h"
#include "types.h"

namespace gpusim {

#if defined(GPUSIM_AVX2)
#define AVX2 __attribute__((target("avx2")))

// Whether this machine can run what stands below.
HD bool has_avx2() { return __builtin_cpu_supports("avx2"); }

typedef u64 Quad __attribute__((vector_size(32)));
typedef i32 Eight __attribute__((vector_size(32)));

struct QuadWords {
  Quad c0, c1, c2, c3;
};

AVX2 HD_JOB void philox_round(QuadWords* w, u32 k0, u32 k1) {
  const Quad m0 = Quad{} + 0xD2511F53u, m1 = Quad{} + 0xCD9E8D57u;
  const Quad p0 = (Quad)__builtin_ia32_pmuludq256((Eight)m0, (Eight)w->c0);
  const Quad p1 = (Quad)__builtin_ia32_pmuludq256((Eight)m1, (Eight)w->c2);
  w->c0 = (p1 >> 32) ^ w->c1 ^ (Quad{} + k0);
  w->c1 = p1;
  w->c2 = (p0 >> 32) ^ w->c3 ^ (Quad{} + k1);
  w->c3 = p0;
}

// Lower halves of `even` and `odd`, in turn.
AVX2 HD_JOB void store_eight(u32* to, Quad even, Quad odd) {
  const Quad both = (even & 0xffffffffu) | (odd << 32);
  __builtin_memcpy(to, &both, sizeof both);
}

// Columns of the words of the n indices from `first` on, `stride` apart; n is a multiple of 8. The even words only
// where they are wanted.
template <bool even_words>
AVX2 HD_CALL void philox_columns(u32* column, i32 stride, i32 n, u32 first, u32 stream,
                                 u32 replication, u32 source_key, u64 seed) {
  const Quad zero{}, rest[3] = {zero + stream, zero + replication, zero + source_key};
  Quad index = Quad{0, 2, 4, 6} + first;
  for (i32 i = 0; i < n; i += 8, index += 8) {
    QuadWords even{index, rest[0], rest[1], rest[2]}, odd{index + 1, rest[0], rest[1], rest[2]};
    u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
    for (i32 round = 0; round < 10; ++round) {
      philox_round(&even, k0, k1);
      philox_round(&odd, k0, k1);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    if (even_words) store_eight(column + i, even.c0, odd.c0);
    store_eight(column + stride + i, even.c1, odd.c1);
    if (even_words) store_eight(column + 2 * stride + i, even.c2, odd.c2);
    store_eight(column + 3 * stride + i, even.c3, odd.c3);
  }
}

#undef AVX2
#else

HD bool has_avx2() { return false; }
template <bool even_words>
HD void philox_columns(u32*, i32, i32, u32, u32, u32, u32, u64) {}

#endif

}  // namespace gpusim

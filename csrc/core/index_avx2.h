// The search of a leaf eight entries at once, with AVX2: first_with_room() of index.h, in builds for hosts that have it; and that
// of a profile, first_step() of profile.h.
//
// A predicate over a block vectorises by itself, but into a minimum of positions, whose last three steps wait for one
// another. Here the answers of sixteen entries are bits of one word.
#pragma once
#include "types.h"

namespace gpusim {

#if defined(GPUSIM_AVX2) && defined(__AVX2__)
#define GPUSIM_INDEX_AVX2

typedef i32 EightSizes __attribute__((vector_size(32)));
typedef EightSizes LooseSizes __attribute__((aligned(4)));
typedef char Bytes __attribute__((vector_size(32)));

// Bits 4 i .. 4 i + 3: entry i of eight has no room.
HD_JOB u64 without_room(const i32* gpus, const i32* limit, i32 free, i32 spare, i32 window) {
  const EightSizes g = *(const LooseSizes*)gpus, l = *(const LooseSizes*)limit;
  const EightSizes none = (g > free) | ((g > spare) & (l > window));
  return static_cast<u32>(__builtin_ia32_pmovmskb256((Bytes)none));
}

HD_JOB i32 first_with_room_avx2(const i32* gpus, const i32* limit, i32 from, i32 end, i32 free,
                                i32 spare, i32 window) {
  u64 wanted = ~0ULL << 4 * (from & 15);
  for (i32 block = from & -16; block < end; block += 16, wanted = ~0ULL) {
    const i32 *g = gpus + block, *l = limit + block;
    const u64 none = without_room(g, l, free, spare, window) |
                     without_room(g + 8, l + 8, free, spare, window) << 32;
    const u64 room = ~none & wanted;
    if (room) return least(end, block + (__builtin_ctzll(room) >> 2));
  }
  return end;
}

// Bits 4 i .. 4 i + 3: entry i of eight has `gpus` or more.
HD_JOB u64 with_gpus(const i32* free, i32 gpus) {
  const EightSizes enough = *(const LooseSizes*)free >= gpus;
  return static_cast<u32>(__builtin_ia32_pmovmskb256((Bytes)enough));
}

HD_JOB i32 first_step_avx2(const i32* free, i32 from, i32 end, i32 gpus, bool enough) {
  const u64 others = enough ? 0 : ~0ULL;
  u64 wanted = ~0ULL << 4 * (from & 15);
  for (i32 block = from & -16; block < end; block += 16, wanted = ~0ULL) {
    const i32* f = free + block;
    const u64 hits = ((with_gpus(f, gpus) | with_gpus(f + 8, gpus) << 32) ^ others) & wanted;
    if (hits) return least(end, block + (__builtin_ctzll(hits) >> 2));
  }
  return end;
}
#endif

}  // namespace gpusim

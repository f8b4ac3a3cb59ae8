// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds).
#include "../core/rng.h"

#include "../core/rng_avx2.h"

#include "check.h"

namespace gpusim::test {

static void expect(const Words& got, u32 a, u32 b, u32 c, u32 d) {
  CHECK_EQUAL(got.w[0], a);
  CHECK_EQUAL(got.w[1], b);
  CHECK_EQUAL(got.w[2], c);
  CHECK_EQUAL(got.w[3], d);
}

TEST(philox_gives_the_published_answers) {
  expect(philox(0, 0, 0, 0, 0), 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u);
  expect(philox(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, ~0ULL), 0x408f276du,
         0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu);
  expect(philox(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822ULL),
         0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u);
}

// Also where the counter of 2^32 indices starts again.
TEST(eight_words_at_once_are_those_of_one) {
  if (!has_avx2()) return;
  u32 all[4][64], odd[4][64];
  for (u32 first : {0u, 64u, 0x7fffffe0u, 0xffffffe0u})
    for (u64 seed : {0ULL, 20260ULL, ~0ULL}) {
      for (i32 i = 0; i < 64; ++i) odd[0][i] = odd[2][i] = 7;
      philox_columns<true>(all[0], 64, 64, first, 2, 0x85a308d3u, 0xfffffff7u, seed);
      philox_columns<false>(odd[0], 64, 32, first, 2, 0x85a308d3u, 0xfffffff7u, seed);
      for (u32 i = 0; i < 64; ++i) {
        const Words w = philox(first + i, 2, 0x85a308d3u, 0xfffffff7u, seed);
        for (i32 k = 0; k < 4; ++k) {
          CHECK_EQUAL(all[k][i], w.w[k]);
          if (i < 32) CHECK_EQUAL(odd[k][i], k % 2 ? w.w[k] : 7u);
        }
      }
    }
}

}  // namespace gpusim::test

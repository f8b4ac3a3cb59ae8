// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds).
#include "../core/rng.h"

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

}  // namespace gpusim::test

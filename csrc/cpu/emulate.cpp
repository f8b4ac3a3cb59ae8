#include "emulate.h"

#include <cstddef>
#include <vector>

namespace gpusim {
namespace {

constexpr i64 kWarps = 4;  // of a block

template <i32 family>
void launch(i64 blocks, const KernelArguments& a) {
  using Strips = WarpStrips<EmulatedLanes, family>;
  static_assert(sizeof(Slot<Strips>) == sizeof(EmulatedSlot), "");
  for (i64 worker = 0; worker < blocks * kWarps; ++worker) {
    // Shared memory holds anything at all when a launch begins.
    std::vector<u64> near(static_cast<std::size_t>(a.near_bytes / 8 + 1), 0xa5a5a5a5a5a5a5a5ULL);
    work<EmulatedLanes, Strips>(a, Place{worker, reinterpret_cast<char*>(near.data())});
  }
}

}  // namespace

Family family_of(const Model& model, const Cell* cells, i64 n) {
  if (model.sharing.on) return kSharedFamily;
  if (easy_in_one_pool(model)) return kEasyFamily;
  for (i64 i = 0; i < n; ++i)
    if (!first_come_first_served(model, cells[i])) return kOtherFamily;
  return kInOrderFamily;
}

void emulate(Family family, i64 blocks, const KernelArguments& arguments) {
  switch (family) {
    case kInOrderFamily:
      return launch<kInOrderFamily>(blocks, arguments);
    case kEasyFamily:
      return launch<kEasyFamily>(blocks, arguments);
    case kSharedFamily:
      return launch<kSharedFamily>(blocks, arguments);
    default:
      return launch<kOtherFamily>(blocks, arguments);
  }
}

}  // namespace gpusim

// A launch of the device's kernels on this host: the same workers (cuda/worker.h), each with 32 emulated lanes, one after
// the other. Addresses in the arguments are those of host memory.
#pragma once
#include "../cuda/worker.h"

namespace gpusim {

using EmulatedSlot = Slot<WarpStrips<EmulatedLanes>>;  // of the same layout as a device's

// Which kernel runs all cells of an ensemble.
Family family_of(const Model& model, const Cell* cells, i64 n);

void emulate(Family family, i64 blocks, const KernelArguments& arguments);

}  // namespace gpusim

// The kernel entries, one for each family of runs: one warp per worker (worker.h). The same text is compiled by nvcc and,
// through CuPy, by NVRTC, which may be asked for one of them; it includes the core and nothing else, and is included by
// nobody but the code that launches it.
//
// Launch: one-dimensional blocks of kBlockThreads, with kBlockThreads / 32 * near_bytes of dynamic shared memory. A warp's
// Scratch is a copy per lane: pointers, sizes and the run's scalars.
#pragma once
#include "worker.h"

namespace gpusim {

constexpr i32 kBlockThreads = 128;  // 4 warps
// Blocks that must fit a multiprocessor: with 4 a thread has 128 registers, with 3 it has 168. What does not fit
// spills, which is an error of the build. Where a multiprocessor has 100 KB of shared memory no more than 12 workers have
// some of it.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
constexpr i32 kLeastBlocks = 3;
#else
constexpr i32 kLeastBlocks = 4;
#endif
constexpr i32 kLeastBlocksOfAny = 3;

// Slots are laid out by the host, which knows emulated lanes only.
static_assert(sizeof(Slot<WarpStrips<DeviceLanes>>) == sizeof(Slot<WarpStrips<EmulatedLanes>>), "");

template <i32 family>
__device__ inline void run_warp(const KernelArguments& a) {
  extern __shared__ u64 gpusim_near[];
  const i64 warp = threadIdx.x / kLanes;
  const Place at{static_cast<i64>(blockIdx.x) * (kBlockThreads / kLanes) + warp,
                 reinterpret_cast<char*>(gpusim_near) + warp * a.near_bytes};
  work<DeviceLanes, WarpStrips<DeviceLanes, family>>(a, at);
}

}  // namespace gpusim

#define GPUSIM_ENTRY(name, family, blocks)                                            \
  extern "C" __global__ void __launch_bounds__(gpusim::kBlockThreads, gpusim::blocks) \
      name(const __grid_constant__ gpusim::KernelArguments a) {                       \
    gpusim::run_warp<family>(a);                                                      \
  }

#if !defined(GPUSIM_ONLY_EASY) && !defined(GPUSIM_ONLY_ANY) && !defined(GPUSIM_ONLY_SHARED)
GPUSIM_ENTRY(gpusim_in_order, gpusim::kInOrderFamily, kLeastBlocks)
#endif
#if !defined(GPUSIM_ONLY_IN_ORDER) && !defined(GPUSIM_ONLY_ANY) && !defined(GPUSIM_ONLY_SHARED)
GPUSIM_ENTRY(gpusim_easy, gpusim::kEasyFamily, kLeastBlocks)
#endif
#if !defined(GPUSIM_ONLY_IN_ORDER) && !defined(GPUSIM_ONLY_EASY) && !defined(GPUSIM_ONLY_SHARED)
GPUSIM_ENTRY(gpusim_any, gpusim::kOtherFamily, kLeastBlocksOfAny)
#endif
#if !defined(GPUSIM_ONLY_IN_ORDER) && !defined(GPUSIM_ONLY_EASY) && !defined(GPUSIM_ONLY_ANY)
GPUSIM_ENTRY(gpusim_shared, gpusim::kSharedFamily, kLeastBlocksOfAny)
#endif

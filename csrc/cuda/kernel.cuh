// The kernel entry: one warp per run. The same text is compiled by nvcc and, through CuPy, by
// NVRTC; it includes the core and nothing else, and is included by nobody but the code that
// launches it.
//
// Launch: one-dimensional blocks of kBlockThreads. Memory: each warp of the grid owns one piece of
// `scratch` (64-byte aligned); warps take cells from one counter, so which warp runs a
// cell does not matter for its result. Optional outputs are null. A warp's Scratch is a copy per
// lane: pointers, sizes and the run's scalars.
#pragma once
#include "../core/simulate.h"

namespace gpusim {

constexpr i32 kBlockThreads = 128;  // 4 warps
// Blocks that must fit a multiprocessor: 128 registers a thread. With 5 (96) some spill.
constexpr i32 kLeastBlocks = 4;

struct KernelArguments {
  Model model;
  Sizes sizes;
  i64 n;                   // cells
  const i64* replication;  // (n,)
  const i32* draw;         // (n,)
  const i64* demand_ppm;   // (n,)
  const i32* gpus;         // (n, P)
  char* scratch;           // (warps, scratch_stride) bytes
  i64 scratch_stride;
  u64* next;       // the next cell to hand out, starts at 0
  i32* status;     // (n,)
  RunResult rows;  // first row of every output
};
static_assert(sizeof(KernelArguments) <= 4096, "a kernel takes 4 KiB of arguments everywhere");

HD RunResult row_of(const KernelArguments& a, i64 i) {
  const i64 c = a.model.classes.n, s = a.model.slos.n;
  RunResult r = a.rows;
  r.counts += i * c * kCounts;
  r.sums += i * c * kSums;
  r.slo += i * s * kSloCounts;
  r.pool_gpu_ticks += i * a.model.classes.pools;
  r.integrals += i * kIntegrals;
  r.extremes += i * kExtremes;
  r.jobs += i;
  r.passed += i;
  r.first_violated += i;
  if (r.histogram) r.histogram += i * c * kBins;
  return r;
}

}  // namespace gpusim

extern "C" __global__ void __launch_bounds__(gpusim::kBlockThreads, gpusim::kLeastBlocks)
    gpusim_run(const __grid_constant__ gpusim::KernelArguments a) {
  using namespace gpusim;
  typedef WarpStrips<DeviceLanes> S;
  const i64 warp = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) / kLanes;
  Scratch<S> scratch;
  carve_scratch<S>(a.model, a.sizes, a.scratch + warp * a.scratch_stride, &scratch);
  ROLLED
  for (;;) {
    u64 cell = 0;
    if (DeviceLanes::lane() == 0) cell = atomicAdd(a.next, 1ULL);
    cell = __shfl_sync(0xffffffffu, cell, 0);
    if (cell >= static_cast<u64>(a.n)) return;
    const i64 i = static_cast<i64>(cell);
    const Cell one{a.replication[i], a.draw[i], a.demand_ppm[i],
                   a.gpus + i * a.model.classes.pools};
    const Status status = simulate<S>(a.model, one, scratch, row_of(a, i));
    DeviceLanes::once([&] { a.status[i] = status; });
  }
}

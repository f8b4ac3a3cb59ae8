// What one warp does in one launch: the mapping of runs to a device. The kernels (kernel.cuh) call it with a device's lanes;
// the emulation (cpu/emulate.h) calls it with 32 emulated ones, on the host.
//
// A worker takes cells from one counter, so which worker runs a cell does not matter for its result. A launch is a slice:
// after `budget` events the worker stores its run in its slot and returns, and goes on with it in the next launch. The
// memory of a run is the worker's own: scratch and slot stay between launches, shared memory does not and is kept in a copy.
#pragma once
#include "../core/simulate.h"

namespace gpusim {

struct KernelArguments {
  Model model;
  Sizes sizes;
  i64 n;                   // cells
  i64 workers;             // warps of the grid from here on have nothing to do
  i64 budget;              // events of a worker in this launch
  const i64* replication;  // (n,)
  const i32* draw;         // (n,)
  const i64* demand_ppm;   // (n,)
  const i32* gpus;         // (n, P)
  const i64* order;        // (n,) cells in the order in which they are taken
  char* scratch;           // (workers, scratch_bytes)
  i64 scratch_bytes;
  char* slots;  // (workers, slot_bytes), zero before the first launch
  i64 slot_bytes;
  char* kept;  // (workers, near_bytes) shared memory between launches
  i64 near_bytes;
  u64* next;       // cells taken, starts at 0
  u64* done;       // cells that need no further launch, starts at 0
  i32* status;     // (n,)
  RunResult rows;  // first row of every output
};
static_assert(sizeof(KernelArguments) <= 4096, "a kernel takes 4 KiB of arguments everywhere");

// What a worker keeps between launches.
template <class S>
struct Slot {
  i64 taken;  // its cell and one, or 0 without a run
  Scratch<S> scratch;
  Simulation<S> run;
};

HD Cell cell_at(const KernelArguments& a, i64 i) {
  return Cell{a.replication[i], a.draw[i], a.demand_ppm[i], a.gpus + i * a.model.classes.pools};
}

HD RunResult row_at(const KernelArguments& a, i64 i) {
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
  if (r.evictions) {
    r.evictions += i * c * kEvictionSums;
    r.cascade += i;
  }
  if (r.causes) {
    r.causes += i * c * kCauses;
    r.idle += i * a.model.classes.pools * kIdles;
  }
  return r;
}

template <class S>
HD void copy_words(char* to, const char* from, i64 bytes) {
  u64* a = reinterpret_cast<u64*>(to);
  const u64* b = reinterpret_cast<const u64*>(from);
  S::each(static_cast<i32>(bytes / 8), [=](i32 i) { a[i] = b[i]; });
}

// Which worker it is, and its shared memory.
struct Place {
  i64 worker;
  char* near;
};

// The worker's memory is carved anew in each launch: shared memory may lie elsewhere.
template <class S>
HD_CALL void wake(const KernelArguments& a, const Place& at, Slot<S>* own) {
  const Slot<S>* slot = reinterpret_cast<const Slot<S>*>(a.slots + at.worker * a.slot_bytes);
  own->taken = slot->taken;
  if (own->taken > 0) {
    own->scratch = slot->scratch;
    own->run = slot->run;
    copy_words<S>(at.near, a.kept + at.worker * a.near_bytes, a.near_bytes);
  }
  carve_scratch<S>(a.model, a.sizes, a.scratch + at.worker * a.scratch_bytes, &own->scratch,
                   Near{at.near, a.near_bytes});
  own->run.budget = a.budget;
}

template <class S>
HD_CALL void sleep(const KernelArguments& a, const Place& at, const Slot<S>& own) {
  Slot<S>* slot = reinterpret_cast<Slot<S>*>(a.slots + at.worker * a.slot_bytes);
  S::once([&] {
    slot->taken = own.taken;
    if (own.taken == 0) return;
    slot->scratch = own.scratch;
    slot->run = own.run;
  });
  if (own.taken > 0) copy_words<S>(a.kept + at.worker * a.near_bytes, at.near, a.near_bytes);
}

// The next cell, or the one that was left in the launch before, is set up in `own`. False: there is none.
template <class L, class S>
HD_CALL bool set_up(const KernelArguments& a, Slot<S>* own) {
  const bool fresh = own->taken == 0;
  if (fresh) {
    const u64 place = L::take(a.next);
    if (place >= static_cast<u64>(a.n)) return false;
    own->taken = a.order[place] + 1;
  }
  const i64 i = own->taken - 1;
  if (fresh)
    begin(a.model, cell_at(a, i), own->scratch, row_at(a, i), &own->run);
  else
    resume(a.model, cell_at(a, i), own->scratch, row_at(a, i), &own->run);
  return true;
}

template <class L, class S>
HD_CALL void finish(const KernelArguments& a, Slot<S>* own, Status status) {
  i32* of = a.status + own->taken - 1;
  S::once([=] { *of = status; });
  L::take(a.done);
  own->taken = 0;
  --own->run.budget;  // a cell counts as an event of its own: there may be none in it
}

// L: the lanes of strips S.
template <class L, class S>
HD void work(const KernelArguments& a, const Place& at) {
  if (at.worker >= a.workers) return;
  Slot<S> own;
  wake(a, at, &own);
  ROLLED
  while (own.run.budget > 0 && set_up<L>(a, &own)) {
    const Status status = go_on(own.scratch, &own.run);
    if (status == kPaused) break;
    finish<L>(a, &own, status);
  }
  sleep(a, at, own);
}

}  // namespace gpusim

// Many independent runs on the cores of this host.
//
// Workers (workers.h) take cells from one counter and write row i of every output for cell i, so
// results do not depend on the number of threads or on the order of completion. A run that finds a
// fixed-size structure full is repeated at once with twice the room (same random counters, same
// integers). When poll returns false or throws, the workers stop within one event.
#pragma once
#include <functional>

#include "../core/model.h"
#include "../core/scratch.h"

namespace gpusim {

struct Outputs {        // first rows; strides follow from the model. Optional ones may be null.
  i32* status;          // (n,)
  i64* counts;          // (n, C, kCounts)
  i64* sums;            // (n, C, kSums)
  i64* slo;             // (n, S, kSloCounts)
  i64* pool_gpu_ticks;  // (n, P)
  i64* integrals;       // (n, kIntegrals)
  i64* extremes;        // (n, kExtremes)
  i64* jobs;            // (n,)
  u8* passed;           // (n,)
  i32* first_violated;  // (n,)
  i64* histogram;       // (n, C, kBins) or null
  i64* evictions;       // (n, C, kEvictionSums) or null: nobody shares
  i64* cascade;         // (n,) likewise
  i64* causes;          // (n, C, kCauses) or null
  i64* idle;            // (n, P, kIdles) or null
  Records records;      // of cell 0 only; requires n == 1
};

struct Ensemble {
  Model model;
  i64 n;                   // cells
  const i64* replication;  // (n,)
  const i32* draw;         // (n,)
  const i64* demand_ppm;   // (n,)
  const i32* gpus;         // (n, P)
  Outputs out;
  Sizes sizes;  // initial room; grows where a run needs more
  i32 lanes;    // 1: host strips; 32: the device's strips, emulated
  i32 threads;
};

struct EnsembleReport {
  i64 done;    // cells completed
  i64 reruns;  // runs repeated with more room
  Sizes room;  // with which no run would have been repeated
};

// Cell i of an ensemble.
Cell cell_of(const Ensemble& ensemble, i64 i);

// `poll(done, n)` returns whether to go on.
EnsembleReport run_ensemble(const Ensemble& ensemble, const std::function<bool(i64, i64)>& poll);

// Cores this process may use: affinity, then the cgroup's CPU quota (version 2, then 1).
int usable_cores(const char* cgroup_root = "/sys/fs/cgroup");

}  // namespace gpusim

// Offered load over time: the GPUs that the jobs of a replication would hold if none ever waited,
// the number in service of M_t/G/infinity. It needs no scheduling, so it costs a sixth of a run at most.
#pragma once
#include <functional>

#include "ensemble.h"

namespace gpusim {

struct OfferedLoad {
  i32 shift;         // instant k is tick k 2^shift
  i64 instants;      // instants of a replication
  const u8* marked;  // (C,) classes whose counted submissions are noted
  i64* held;         // (n, instants) GPUs that jobs would hold
  i64* asked;  // (n, instants) GPUs that marked jobs, submitted since the instant before, ask for
};

// Fills the rows of all cells of the ensemble, whose outputs are not used; `poll` as in
// run_ensemble. Returns the cells completed.
i64 offered_load(const Ensemble& ensemble, const OfferedLoad& out,
                 const std::function<bool(i64, i64)>& poll);

}  // namespace gpusim

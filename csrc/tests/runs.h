// Whole runs of a world, through either kind of strips, with or without records.
#pragma once
#include <vector>

#include "check.h"
#include "support.h"

namespace gpusim::test {

struct Recorded {  // one run, job by job
  i32 status;
  std::vector<Tick> submit, eligible, start, end;
  std::vector<i32> gpus, job_class, pool;
  std::vector<u8> outcome;
  std::vector<i32> preemptions;
  Rows rows;
};

inline RunResult result_of(Rows* rows, const Records& records) {
  return RunResult{rows->counts.data(),
                   rows->sums.data(),
                   rows->slo.data(),
                   rows->pool_gpu_ticks.data(),
                   rows->integrals.data(),
                   rows->extremes.data(),
                   rows->jobs.data(),
                   rows->passed.data(),
                   rows->first_violated.data(),
                   rows->histogram.data(),
                   nullptr,
                   nullptr,
                   nullptr,
                   nullptr,
                   records};
}

template <class S>
Rows run(const Model& m, const Cell& cell, const Sizes& sizes) {
  Memory<S> memory(m, sizes);
  Rows rows(m, 1);
  rows.status[0] = simulate<S>(m, cell, memory.scratch, result_of(&rows, Records{}));
  return rows;
}

// Stored jobs on these pools, with room for all of them.
template <class S>
Recorded record(const World& world, const std::vector<i32>& pools) {
  const Model m = world.model();
  const size_t n = world.submit.size();
  Recorded out{0,
               std::vector<Tick>(n, -1),
               std::vector<Tick>(n, -1),
               std::vector<Tick>(n, -1),
               std::vector<Tick>(n, -1),
               std::vector<i32>(n),
               std::vector<i32>(n),
               std::vector<i32>(n, -1),
               std::vector<u8>(n),
               std::vector<i32>(n),
               Rows(m, 1)};
  const Records records{out.submit.data(), out.eligible.data(), out.start.data(),
                        out.end.data(),    out.gpus.data(),     out.job_class.data(),
                        out.pool.data(),   out.outcome.data(),  out.preemptions.data()};
  Memory<S> memory(m, Sizes{256, 256, 512, 256, 256});
  const Cell cell{0, 0, 1000000, pools.data()};
  out.status = simulate<S>(m, cell, memory.scratch, result_of(&out.rows, records));
  return out;
}

}  // namespace gpusim::test

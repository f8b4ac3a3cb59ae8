#include "run_cell.h"

namespace gpusim {

Status run_cell(const Model& model, const Cell& cell, Scratch<OneLane>& scratch,
                const RunResult& result) {
#if defined(GPUSIM_RUN_CELL_AVX2)
  static const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                           __builtin_cpu_supports("bmi2");
  if (able) return static_cast<Status>(gpusim_run_cell_avx2(&model, &cell, &scratch, &result));
#endif
  return simulate<OneLane>(model, cell, scratch, result);
}

}  // namespace gpusim

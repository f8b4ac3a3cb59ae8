// One run on the host, by the build of the core that is the fastest this machine can execute.
//
// The core is compiled for every x86-64 machine, and once more for those with AVX2 and BMI2 (run_cell_avx2.cpp), as
// servers have; which one runs is asked at run time. Same source, same integers.
#pragma once
#include "../core/simulate.h"

namespace gpusim {

Status run_cell(const Model& model, const Cell& cell, Scratch<OneLane>& scratch,
                const RunResult& result);

}  // namespace gpusim

#if defined(GPUSIM_RUN_CELL_AVX2)
// The same arguments by address: their types have other names in that build (see there).
extern "C" int gpusim_run_cell_avx2(const void* model, const void* cell, void* scratch,
                                    const void* result);
#endif

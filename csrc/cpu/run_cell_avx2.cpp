// The core once more, compiled with AVX2 and BMI2 (CMakeLists.txt says with which flags).
//
// It stands in a namespace of its own: under one name the linker would keep one build of each inline function for all, and
// a machine without AVX2 would meet its instructions. For the same reason nothing but the core is included. The
// layouts are those of the other build, from which the arguments come: the source is the same.
#define gpusim gpusim_avx2
#include "../core/simulate.h"

extern "C" int gpusim_run_cell_avx2(const void* model, const void* cell, void* scratch,
                                    const void* result);

int gpusim_run_cell_avx2(const void* model, const void* cell, void* scratch, const void* result) {
  using namespace gpusim_avx2;
  return simulate<OneLane>(*static_cast<const Model*>(model), *static_cast<const Cell*>(cell),
                           *static_cast<Scratch<OneLane>*>(scratch),
                           *static_cast<const RunResult*>(result));
}

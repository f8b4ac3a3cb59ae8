#pragma once
#include <pybind11/pybind11.h>

#include "../cpu/ensemble.h"

namespace gpusim::bind {

// Jobs of the ensemble's first cell; without the interpreter's lock, which it takes to see signals.
i64 count_jobs(const Ensemble& e);

void register_jobs(pybind11::module_& m);

}  // namespace gpusim::bind

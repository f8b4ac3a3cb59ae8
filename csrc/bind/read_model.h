// The model that a dict of arrays describes (gpusim.engine.spec). The arrays must outlive it.
#pragma once
#include <cstdint>

#include "../core/model.h"
#include "arrays.h"

namespace gpusim::bind {

Model read_model(const py::dict& spec, std::int64_t seed_bits);

// Workloads of a model of stored jobs.
inline i64 workloads(const py::dict& spec) { return py::len(spec["offset"]) - 1; }

}  // namespace gpusim::bind

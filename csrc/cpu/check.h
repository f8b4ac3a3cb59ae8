// Facts about values that the engine relies on. Shapes and types are checked by the binding; this
// is what stands in the arrays. One place, so that no input can make the core read or write out of
// bounds.
#pragma once
#include <string>

#include "ensemble.h"

namespace gpusim {

// Empty if `ensemble` may be run, else what is wrong, as `<what> (<value>, <where>)`.
std::string first_problem(const Ensemble& ensemble);

}  // namespace gpusim

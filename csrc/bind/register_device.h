#pragma once
#include <pybind11/pybind11.h>

namespace gpusim::bind {

void register_device(pybind11::module_& m);

}  // namespace gpusim::bind

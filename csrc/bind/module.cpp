// gpusim._native: the table of contents of the binding.
#include <pybind11/pybind11.h>

#include "../core/model.h"
#include "../core/sampler.h"
#include "../core/tally.h"
#include "build_info.h"
#include "register_device.h"
#include "register_jobs.h"
#include "register_run.h"

PYBIND11_MODULE(_native, m) {
  m.doc() =
      "The compiled engine of gpusim. Use gpusim.engine; this module checks arrays and calls.";
  m.attr("TABLE_NODES") = gpusim::kTableNodes;
  m.attr("HISTOGRAM_BINS") = gpusim::kBins;
  m.attr("COMPILER") = gpusim::build_info::compiler;
  m.attr("FLAGS") = gpusim::build_info::flags;
  m.attr("BUILD_TYPE") = gpusim::build_info::build_type;
  m.attr("CUDA") = gpusim::build_info::cuda;
  gpusim::bind::register_run(m);
  gpusim::bind::register_jobs(m);
  gpusim::bind::register_device(m);
}

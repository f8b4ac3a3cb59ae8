// gpusim._native: the table of contents of the binding.
#include <pybind11/pybind11.h>

#include "../core/model.h"
#include "../core/sampler.h"
#include "../core/tally.h"
#include "register_run.h"

PYBIND11_MODULE(_native, m) {
  m.doc() =
      "The compiled engine of gpusim. Use gpusim.engine; this module checks arrays and calls.";
  m.attr("TABLE_NODES") = gpusim::kTableNodes;
  m.attr("HISTOGRAM_BINS") = gpusim::kBins;
  gpusim::bind::register_run(m);
}

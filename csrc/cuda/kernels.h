// The kernels of this build, as the host program sees them: a name, an entry, and the numbers that
// a launch must agree on. kernels.cu is the only file of the module that nvcc compiles; everything
// else is host C++ and knows the simulator no better than this header does.
#pragma once

#include <cstddef>

namespace gpusim::cuda {

struct Kernel {
  const char* family;  // what it simulates: one kernel per family of policies
  const void* entry;   // what cudart launches
};

extern const Kernel kKernels[];
extern const int kKernelCount;
extern const std::size_t kArgumentBytes;  // of the kernels' one argument, KernelArguments
extern const int kThreads;                // of a block, of every kernel
extern const int kWarpThreads;            // of a worker

}  // namespace gpusim::cuda

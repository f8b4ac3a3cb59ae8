// The kernels compiled by nvcc for every architecture of this build. A family is one line.
#include "kernel.cuh"
#include "kernels.h"

namespace gpusim::cuda {

const Kernel kKernels[] = {
    {"in_order", reinterpret_cast<const void*>(gpusim_in_order)},
    {"easy", reinterpret_cast<const void*>(gpusim_easy)},
    {"any", reinterpret_cast<const void*>(gpusim_any)},
    {"shared", reinterpret_cast<const void*>(gpusim_shared)},
};

const int kKernelCount = sizeof(kKernels) / sizeof(kKernels[0]);
const std::size_t kArgumentBytes = sizeof(KernelArguments);
static_assert(alignof(KernelArguments) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
              "as operator new gives it");
const int kThreads = kBlockThreads;
const int kWarpThreads = kLanes;

}  // namespace gpusim::cuda

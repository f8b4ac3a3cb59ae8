// What CUDA says when a call fails, as one C++ exception: its name, its text, and the call.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace gpusim::cuda {

struct CudaError : std::runtime_error {
  CudaError(cudaError_t code, const char* failed)
      : std::runtime_error(std::string(cudaGetErrorName(code)) + ": " + cudaGetErrorString(code) +
                           " (" + failed + ")"),
        name(cudaGetErrorName(code)),
        text(cudaGetErrorString(code)),
        call(failed) {}

  std::string name;  // cudaErrorMemoryAllocation
  std::string text;  // out of memory
  std::string call;  // cudaMalloc
};

// Throws unless `code` is success. The error is also taken out of CUDA's own memory of the last
// one, so that it is not reported again by a later call that went well.
inline void check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  (void)cudaGetLastError();
  throw CudaError(code, call);
}

}  // namespace gpusim::cuda

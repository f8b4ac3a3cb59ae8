// The device that this thread's calls of CUDA work on, as long as the object lives; afterwards it is the caller's again.
// The current device is the thread's, not ours: what CuPy or PyTorch allocates next must not land on another GPU.
//
// Setting a device makes its context. So a thread whose device, 0 by default, had none yet has one there afterwards.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda_error.h"

namespace gpusim::cuda {

class CurrentDevice {
 public:
  explicit CurrentDevice(int index) : index_(index) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    check(cudaSetDevice(index), "cudaSetDevice");
  }
  ~CurrentDevice() {
    if (before_ != index_) (void)cudaSetDevice(before_);
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int index_, before_ = 0;
};

}  // namespace gpusim::cuda

// Copies between pageable memory of the host and a device, through pinned memory: the host fills or empties one half of
// the staging area while the device copies the other. Memory that is not pinned would be copied at a fraction of the
// speed, and the call would wait for it.
//
// The area is allocated at the first copy and lives as long as the object. Where the system gives no pinned memory,
// copies are plain ones, and slower. One thread at a time; the device must be current.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace gpusim::cuda {

constexpr std::size_t kHalfBytes = std::size_t{4}
                                   << 20;  // far more than what starting a copy costs

class Staging {
 public:
  Staging() = default;
  ~Staging();  // all copies have ended
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // `from` may be changed when this returns, and may not have arrived yet: what follows in `stream` comes after it.
  void upload(cudaStream_t stream, void* to, const void* from, std::size_t bytes);
  // Comes after what is in `stream`. All bytes are there when this returns.
  void download(cudaStream_t stream, const void* from, void* to, std::size_t bytes);

 private:
  struct Half {
    char* memory = nullptr;
    cudaEvent_t copied = nullptr;  // its last copy has ended
  };
  // Bytes that the device copies into a half, and where they go from there.
  struct Landing {
    Half* half = nullptr;
    char* to = nullptr;
    std::size_t bytes = 0;
    void finish() const;
  };

  bool pinned();      // whether there is an area
  Half& free_half();  // the one whose turn it is, when its last copy has ended
  void start(cudaStream_t stream, Half& half, void* to, const void* from, std::size_t bytes,
             cudaMemcpyKind kind);

  Half half_[2];
  int turn_ = 0;
  bool asked_ = false;
};

}  // namespace gpusim::cuda

// One GPU: its facts, its memory, and launches on a stream of its own.
//
// Nothing of CUDA is touched before the first Device or the first `status()`: the module is imported
// on machines without a driver. Making a Device reads its facts and makes no context; the first call
// that needs one (memory, a launch) makes it, which takes some tenths of a second.
//
// Every call sets its device first, because the current device belongs to the thread, not to us.
// Copies return when they are done. `launch` and `zero` return at once and take effect in the order
// of the calls. Two threads must not use one Device at a time.
//
// Misuse that CUDA sees (a foreign address, too much shared memory) ends in CudaError. A kernel that
// has read or written outside its memory leaves the process without a usable context: from then on
// every call throws, and only a new process can go on.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "kernels.h"

namespace gpusim::cuda {

typedef std::uintptr_t Address;  // in the device's memory

// What the driver says, without throwing.
struct DriverStatus {
  int built_for = 0;  // version of the runtime in this module, 13000 for 13.0
  int driver = 0;     // newest version that the driver supports; 0: there is no driver
  int devices = 0;    // visible ones
  std::string error;  // cudaErrorNoDevice, or empty
  std::string text;   // CUDA's words for it
};
DriverStatus driver_status() noexcept;

class Device {
 public:
  explicit Device(int index);  // throws if there is no such device
  ~Device();                   // waits, gives back what was not released
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  int index;
  std::string name;
  int processors = 0;                // multiprocessors
  int major = 0, minor = 0;          // compute capability
  std::size_t shared_bytes = 0;      // of a multiprocessor
  std::size_t shared_per_block = 0;  // most that a block may ask for

  std::size_t free_bytes();
  Address allocate(std::size_t bytes);
  void release(Address address);
  void upload(Address to, const void* from, std::size_t bytes);
  void download(Address from, void* to, std::size_t bytes);
  void zero(Address address, std::size_t bytes);

  // Warps of this kernel that live on a multiprocessor at once, with so much shared memory a block.
  int workers_per_processor(const Kernel& kernel, std::size_t shared_bytes_per_block);
  // `arguments` are kArgumentBytes, aligned as operator new does; copied before this returns.
  void launch(const Kernel& kernel, unsigned blocks, std::size_t shared_bytes_per_block,
              const void* arguments);
  bool ready();  // everything asked for has ended
  void wait();

 private:
  // What a kernel has been told on this device.
  struct Prepared {
    std::size_t shared = ~std::size_t{0};  // dynamic shared memory of a block [bytes]
    int blocks = 0;                        // of a multiprocessor
  };

  void use();  // makes this device current
  cudaStream_t stream();
  const Prepared& prepare(const Kernel& kernel, std::size_t shared);

  std::size_t reserved_per_block_ = 0;  // shared memory that CUDA keeps of each block [bytes]
  cudaStream_t stream_ = nullptr;
  std::set<Address> allocated_;
  std::map<const void*, Prepared> prepared_;
  std::set<const void*> warmed_;  // kernels that have been launched
};

}  // namespace gpusim::cuda

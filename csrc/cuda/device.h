// One GPU: its facts, its memory, launches on a stream of its own, and copies on another.
//
// Nothing of CUDA is touched before the first Device or the first `status()`: the module is imported
// on machines without a driver. Making a Device reads its facts and makes no context; the first call
// that needs one (memory, a launch) makes it, which takes some tenths of a second.
//
// Every call sets its device and gives the thread back the one that it had (`current_device.h`).
//
// Order. Launches come one after the other; `upload`, `zero` and `download` come one after the other.
// A launch comes after all uploads and zeroes asked for before it. Nothing else is ordered: a copy
// does not wait for a launch under way, so it must not touch what that launch uses; `wait` first.
// `launch`, `zero` and `upload` return at once (an upload when its source may be changed), `download`
// when the bytes are there. `release` waits for copies, and CUDA may have it wait for a launch.
//
// Threads. One at a time uses a Device, but for `release` and `download`, which any thread may call
// at any time: a finalizer does, and whoever looks at results that have stayed. So what both use,
// `copies_` and `allocated_`, is guarded by `memory_`, and the staging area by `staged_`.
//
// Misuse that CUDA sees (a foreign address, too much shared memory) ends in CudaError. A kernel that
// has read or written outside its memory leaves the process without a usable context: from then on
// every call throws, and only a new process can go on.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "kernels.h"
#include "staging.h"

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
  bool ready();  // every launch has ended
  void wait();   // until every launch has ended

 private:
  // What a kernel has been told on this device.
  struct Prepared {
    std::size_t shared = ~std::size_t{0};  // dynamic shared memory of a block [bytes]
    int blocks = 0;                        // of a multiprocessor
  };

  // These and `prepare` want the device to be current.
  cudaStream_t stream();
  cudaStream_t copies();
  const Prepared& prepare(const Kernel& kernel, std::size_t shared);

  std::size_t reserved_per_block_ = 0;  // shared memory that CUDA keeps of each block [bytes]
  cudaStream_t stream_ = nullptr;       // of launches
  cudaEvent_t copied_ = nullptr;        // what was in `copies_` at the last launch
  std::mutex staged_;
  Staging staging_;
  std::mutex memory_;
  cudaStream_t copies_ = nullptr;
  std::set<Address> allocated_;
  std::map<const void*, Prepared> prepared_;
  std::set<const void*> warmed_;  // kernels that have been launched
};

}  // namespace gpusim::cuda

#include "device.h"

#include <algorithm>
#include <vector>

#include "cuda_error.h"
#include "current_device.h"

namespace gpusim::cuda {

namespace {

void* pointer(Address address) { return reinterpret_cast<void*>(address); }

// Non-blocking: what other libraries do on the default stream must not wait for us, nor we for it.
void make(cudaStream_t* stream) {
  if (!*stream)
    check(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

}  // namespace

DriverStatus driver_status() noexcept {
  DriverStatus found;
  cudaRuntimeGetVersion(&found.built_for);
  if (cudaDriverGetVersion(&found.driver) != cudaSuccess) found.driver = 0;
  const cudaError_t code = cudaGetDeviceCount(&found.devices);
  if (code != cudaSuccess) {
    (void)cudaGetLastError();
    found.devices = 0;
    found.error = cudaGetErrorName(code);
    found.text = cudaGetErrorString(code);
  }
  return found;
}

Device::Device(int chosen) : index(chosen) {
  cudaDeviceProp facts;
  check(cudaGetDeviceProperties(&facts, index), "cudaGetDeviceProperties");
  name = facts.name;
  processors = facts.multiProcessorCount;
  major = facts.major;
  minor = facts.minor;
  shared_bytes = facts.sharedMemPerMultiprocessor;
  shared_per_block = facts.sharedMemPerBlockOptin;
  reserved_per_block_ = facts.reservedSharedMemPerBlock;
}

Device::~Device() {
  // Errors are of no use here: at the end of the process the driver may be gone already.
  if (!stream_ && !copies_ && allocated_.empty()) return;
  try {
    const CurrentDevice here(index);
    for (const cudaStream_t one : {stream_, copies_})
      if (one) (void)cudaStreamSynchronize(one);
    for (const Address address : allocated_) (void)cudaFree(pointer(address));
    for (const cudaStream_t one : {stream_, copies_})
      if (one) (void)cudaStreamDestroy(one);
    if (copied_) (void)cudaEventDestroy(copied_);
  } catch (const CudaError&) {}
}

cudaStream_t Device::stream() {
  make(&stream_);
  return stream_;
}

cudaStream_t Device::copies() {
  const std::lock_guard<std::mutex> lock(memory_);
  make(&copies_);
  return copies_;
}

std::size_t Device::free_bytes() {
  const CurrentDevice here(index);
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

Address Device::allocate(std::size_t bytes) {
  const CurrentDevice here(index);
  void* found = nullptr;
  check(cudaMalloc(&found, bytes), "cudaMalloc");
  const Address address = reinterpret_cast<Address>(found);
  const std::lock_guard<std::mutex> lock(memory_);
  if (address) allocated_.insert(address);
  return address;
}

void Device::release(Address address) {
  const CurrentDevice here(index);
  check(cudaStreamSynchronize(copies()), "cudaStreamSynchronize, copies");
  {
    const std::lock_guard<std::mutex> lock(memory_);
    allocated_.erase(address);  // while it is ours: once freed, another thread may be given it
  }
  check(cudaFree(pointer(address)), "cudaFree");
}

void Device::upload(Address to, const void* from, std::size_t bytes) {
  const CurrentDevice here(index);
  const std::lock_guard<std::mutex> lock(staged_);
  staging_.upload(copies(), pointer(to), from, bytes);
}

void Device::download(Address from, void* to, std::size_t bytes) {
  const CurrentDevice here(index);
  const std::lock_guard<std::mutex> lock(staged_);
  staging_.download(copies(), pointer(from), to, bytes);
}

void Device::zero(Address address, std::size_t bytes) {
  const CurrentDevice here(index);
  check(cudaMemsetAsync(pointer(address), 0, bytes, copies()), "cudaMemsetAsync");
}

// The split of a multiprocessor's memory between cache and shared memory is the driver's guess unless it is told. Asked
// for exactly what the blocks need, all of them are resident at once and the rest stays cache.
const Device::Prepared& Device::prepare(const Kernel& kernel, std::size_t shared) {
  Prepared& told = prepared_[kernel.entry];
  if (told.shared == shared) return told;
  told.shared = ~std::size_t{0};  // until all of it has been accepted
  cudaFuncAttributes facts;
  check(cudaFuncGetAttributes(&facts, kernel.entry), "cudaFuncGetAttributes");
  check(cudaFuncSetAttribute(kernel.entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared)),
        "cudaFuncSetAttribute, dynamic shared memory");
  // What an earlier call has set would limit the answer.
  check(cudaFuncSetAttribute(kernel.entry, cudaFuncAttributePreferredSharedMemoryCarveout,
                             cudaSharedmemCarveoutMaxShared),
        "cudaFuncSetAttribute, shared memory of a multiprocessor");
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&told.blocks, kernel.entry, kThreads, shared),
        "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
  const std::size_t block = shared + facts.sharedSizeBytes + reserved_per_block_;
  const std::size_t all = static_cast<std::size_t>(told.blocks) * block;
  const std::size_t percent = (100 * all + shared_bytes - 1) / shared_bytes;
  check(cudaFuncSetAttribute(kernel.entry, cudaFuncAttributePreferredSharedMemoryCarveout,
                             static_cast<int>(std::min<std::size_t>(percent, 100))),
        "cudaFuncSetAttribute, shared memory of a multiprocessor");
  told.shared = shared;
  return told;
}

int Device::workers_per_processor(const Kernel& kernel, std::size_t shared_bytes_per_block) {
  const CurrentDevice here(index);
  const int blocks = prepare(kernel, shared_bytes_per_block).blocks;
  if (warmed_.insert(kernel.entry).second) {
    // The first launch reserves local memory for all resident threads, half a gigabyte on a large device: now, before
    // anybody asks what is free. A launch without workers returns at once.
    const std::vector<char> none(kArgumentBytes);
    launch(kernel, 1, shared_bytes_per_block, none.data());
    wait();
  }
  return blocks * (kThreads / kWarpThreads);
}

void Device::launch(const Kernel& kernel, unsigned blocks, std::size_t shared_bytes_per_block,
                    const void* arguments) {
  const CurrentDevice here(index);
  prepare(kernel, shared_bytes_per_block);
  if (!copied_)
    check(cudaEventCreateWithFlags(&copied_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check(cudaEventRecord(copied_, copies()), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream(), copied_, 0), "cudaStreamWaitEvent");
  void* list[] = {const_cast<void*>(arguments)};
  check(cudaLaunchKernel(kernel.entry, dim3(blocks), dim3(static_cast<unsigned>(kThreads)), list,
                         shared_bytes_per_block, stream()),
        "cudaLaunchKernel");
}

bool Device::ready() {
  const CurrentDevice here(index);
  const cudaError_t code = cudaStreamQuery(stream());
  if (code == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return false;
  }
  check(code, "cudaStreamQuery");
  return true;
}

void Device::wait() {
  const CurrentDevice here(index);
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

}  // namespace gpusim::cuda

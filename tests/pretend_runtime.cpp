// The CUDA runtime as csrc/cuda/device.cpp and staging.cpp use it, over memory of the host, and what they promise in
// device.h. Whatever CUDA may do later is done as late as it may: when somebody waits for it. So a copy that is missing
// an order works on wrong bytes, and a call that waits for what it must not is seen by what has been done. There are two
// devices; whatever belongs to one is asked for while it is current.
//
// argv[1]: most bytes of pinned memory; argv[2]: how often two threads allocate and release.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cuda_error.h"
#include "device.h"

#define EXPECT(what)                                               \
  do {                                                             \
    if (!(what)) {                                                 \
      std::printf("line %d: %s does not hold\n", __LINE__, #what); \
      std::exit(1);                                                \
    }                                                              \
  } while (false)

// ---- the runtime ----

struct CUstream_st {
  std::deque<std::function<void()>> work;
  void do_next() {
    const auto next = work.front();
    work.pop_front();
    next();
  }
};

struct CUevent_st {
  CUstream_st* stream = nullptr;
  long recorded = 0, reached = 0;
  void run_to(long mark) {
    while (reached < mark) stream->do_next();
  }
};

namespace {

std::recursive_mutex whole;
constexpr int kOurs = 1, kCallers = 0;
thread_local int current = kCallers;
#define ON_OURS EXPECT(current == kOurs)
#define ALONE const std::lock_guard<std::recursive_mutex> alone(whole)

constexpr std::size_t kMemory = 1 << 30;
std::map<char*, std::size_t> memory, pinned;
std::size_t most_pinned = 0;
int streams = 0, events = 0, kernels_run = 0;

struct Sum {  // what the only kernel does
  unsigned char* data;
  long n;
  long* sum;
};

bool is_pinned(const void* address) {
  for (const auto& [begin, n] : pinned)
    if (address >= begin && address < begin + n) return true;
  return false;
}

void run(const Sum& a) {
  ++kernels_run;
  if (!a.data) return;
  *a.sum = 0;
  for (long i = 0; i < a.n; ++i) *a.sum += a.data[i];
}

}  // namespace

cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 2, cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "cudaErrorPretended"; }
const char* cudaGetErrorString(cudaError_t) { return "pretended"; }
cudaError_t cudaGetDevice(int* device) { return *device = current, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return current = device, cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* facts, int) {
  std::memset(facts, 0, sizeof *facts);
  facts->multiProcessorCount = 2;
  facts->sharedMemPerMultiprocessor = 64 << 10;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  ON_OURS;
  return *free = *total = kMemory, cudaSuccess;
}

cudaError_t cudaMalloc(void** found, std::size_t bytes) {
  ALONE;
  ON_OURS;
  if (bytes > kMemory) return cudaErrorMemoryAllocation;
  char* const block = static_cast<char*>(std::malloc(bytes));
  memory[block] = bytes;
  return *found = block, cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  ALONE;
  ON_OURS;
  EXPECT(memory.erase(static_cast<char*>(address)) == 1);
  std::free(address);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** found, std::size_t bytes, unsigned) {
  ALONE;
  ON_OURS;
  for (const auto& [begin, n] : pinned) bytes += n;
  if (bytes > most_pinned) return cudaErrorMemoryAllocation;
  char* const block = static_cast<char*>(std::malloc(gpusim::cuda::kHalfBytes));
  pinned[block] = gpusim::cuda::kHalfBytes;
  return *found = block, cudaSuccess;
}

cudaError_t cudaFreeHost(void* address) {
  ALONE;
  EXPECT(pinned.erase(static_cast<char*>(address)) == 1);
  std::free(address);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  EXPECT(flags == cudaStreamNonBlocking);
  ALONE;
  ON_OURS;
  ++streams;
  return *stream = new CUstream_st, cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  ALONE;
  ON_OURS;
  EXPECT(stream->work.empty());
  --streams;
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  ALONE;
  ON_OURS;
  while (!stream->work.empty()) stream->do_next();
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  ALONE;
  ON_OURS;
  return stream->work.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  EXPECT(flags == cudaEventDisableTiming);
  ALONE;
  ON_OURS;
  ++events;
  return *event = new CUevent_st, cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  ALONE;
  EXPECT(event->reached == event->recorded);
  --events;
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  ALONE;
  ON_OURS;
  const long mark = ++event->recorded;
  event->stream = stream;
  stream->work.push_back([=] { event->reached = mark; });
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  ALONE;
  event->run_to(event->recorded);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  ALONE;
  ON_OURS;
  const long mark = event->recorded;
  stream->work.push_back([=] { event->run_to(mark); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  ALONE;
  ON_OURS;
  const bool waits = !is_pinned(kind == cudaMemcpyHostToDevice ? from : to);
  stream->work.push_back([=] { std::memcpy(to, from, bytes); });
  return waits ? cudaStreamSynchronize(stream) : cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  ALONE;
  ON_OURS;
  stream->work.push_back([=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* facts, const void*) {
  ON_OURS;
  std::memset(facts, 0, sizeof *facts);
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  ON_OURS;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int,
                                                          std::size_t) {
  ON_OURS;
  return *blocks = 4, cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void*, dim3, dim3, void** arguments, std::size_t,
                             cudaStream_t stream) {
  ALONE;
  ON_OURS;
  const Sum a = *static_cast<Sum*>(arguments[0]);
  stream->work.push_back([=] { run(a); });
  return cudaSuccess;
}

// ---- the kernels ----

namespace gpusim::cuda {
const Kernel kKernels[] = {{"sum", "sum"}};
const int kKernelCount = 1, kThreads = 128, kWarpThreads = 32;
const std::size_t kArgumentBytes = sizeof(Sum);
}  // namespace gpusim::cuda

// ---- what is promised ----

using gpusim::cuda::Address;
using gpusim::cuda::Device;
using gpusim::cuda::kHalfBytes;
using Bytes = std::vector<unsigned char>;

static Bytes some_bytes(std::size_t n) {
  Bytes made(n);
  for (std::size_t i = 0; i < n; ++i) made[i] = static_cast<unsigned char>(i * 7 + (i >> 13));
  return made;
}

static Bytes downloaded(Device& device, Address from, std::size_t n) {
  Bytes found(n, 1);
  device.download(from, found.data(), n);
  return found;
}

static void bytes_come_back_as_they_went() {
  Device device(kOurs);
  const std::size_t h = kHalfBytes;
  for (const std::size_t n : {std::size_t{1}, h - 1, h, h + 1, 2 * h, 2 * h + 1, 3 * h + 5}) {
    const Bytes sent = some_bytes(n);
    Bytes source = sent;
    const Address at = device.allocate(n);
    device.upload(at, source.data(), n);
    std::fill(source.begin(), source.end(), 0);
    EXPECT(downloaded(device, at, n) == sent);
    device.zero(at, n / 2);
    const Bytes half = downloaded(device, at, n);
    for (std::size_t i = 0; i < n; ++i) EXPECT(half[i] == (i < n / 2 ? 0 : sent[i]));
    device.upload(at, sent.data(), n);
    device.release(at);  // not before the upload has ended
  }
  EXPECT(pinned.size() == most_pinned / h);
}

static void copies_do_not_wait_for_a_launch_and_a_launch_waits_for_copies() {
  Device device(kOurs);
  const std::size_t n = 2 * kHalfBytes + 9;
  const Bytes ones(n, 1), sent = some_bytes(n);
  const Address data = device.allocate(n), other = device.allocate(n), sum = device.allocate(8);
  const Sum of{reinterpret_cast<unsigned char*>(data), static_cast<long>(n),
               reinterpret_cast<long*>(sum)};
  const int before = kernels_run;
  device.upload(data, ones.data(), n);
  device.launch(gpusim::cuda::kKernels[0], 1, 0, &of);
  device.upload(other, sent.data(), n);
  device.zero(other, 3);
  EXPECT(downloaded(device, other, n)[3] == sent[3]);
  EXPECT(!device.ready());
  EXPECT(kernels_run == before);
  device.wait();
  EXPECT(device.ready());
  EXPECT(kernels_run == before + 1);
  long found = 0;
  device.download(sum, &found, 8);
  EXPECT(found == static_cast<long>(n));
  device.zero(data, n - 4);
  device.launch(gpusim::cuda::kKernels[0], 1, 0, &of);
  device.wait();
  device.download(sum, &found, 8);
  EXPECT(found == 4);
  EXPECT(device.workers_per_processor(gpusim::cuda::kKernels[0], 0) == 16);
}  // what was not released is, by the device

static void the_current_device_stays_the_callers() {
  const auto unchanged = [](const std::function<void()>& call) {
    for (const int callers : {kCallers, kOurs}) {
      current = callers;
      call();
      EXPECT(current == callers);
    }
    current = kCallers;
  };
  std::unique_ptr<Device> device;
  const gpusim::cuda::Kernel& kernel = gpusim::cuda::kKernels[0];
  const Sum nothing{};
  Bytes bytes(9);
  Address at = 0;
  unchanged([&] { device = std::make_unique<Device>(kOurs); });
  unchanged([&] { EXPECT(device->free_bytes() == kMemory); });
  unchanged([&] {
    try {
      device->allocate(kMemory + 1);
      EXPECT(false);
    } catch (const gpusim::cuda::CudaError&) {}
  });
  unchanged([&] { at = device->allocate(9); });
  unchanged([&] { device->upload(at, bytes.data(), 9); });
  unchanged([&] { device->download(at, bytes.data(), 9); });
  unchanged([&] { device->zero(at, 9); });
  unchanged([&] { device->workers_per_processor(kernel, 0); });
  unchanged([&] { device->launch(kernel, 1, 0, &nothing); });
  unchanged([&] { device->ready(); });
  unchanged([&] { device->wait(); });
  unchanged([&] { device->release(device->allocate(9)); });
  unchanged([&] { device.reset(); });
}

static void any_thread_may_release_and_download(int times) {
  Device device(kOurs);
  const Bytes sent = some_bytes(100);
  std::mutex mutex;
  std::vector<Address> free;
  bool last = false;
  std::thread other([&] {
    for (bool done = false; !done;) {
      std::vector<Address> mine;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        mine.swap(free);
        done = last;
      }
      for (const Address one : mine) {
        EXPECT(downloaded(device, one, 100) == sent);
        device.release(one);
      }
    }
  });
  for (int i = 0; i < times; ++i) {
    const Address at = device.allocate(100);
    device.upload(at, sent.data(), 100);
    EXPECT(downloaded(device, at, 100) == sent);
    const std::lock_guard<std::mutex> lock(mutex);
    free.push_back(at);
    last = i == times - 1;
  }
  other.join();
}

int main(int, char** argv) {
  most_pinned = static_cast<std::size_t>(std::atol(argv[1]));
  bytes_come_back_as_they_went();
  copies_do_not_wait_for_a_launch_and_a_launch_waits_for_copies();
  the_current_device_stays_the_callers();
  any_thread_may_release_and_download(std::atoi(argv[2]));
  EXPECT(memory.empty() && pinned.empty() && streams == 0 && events == 0);
  std::puts("all hold");
  return 0;
}

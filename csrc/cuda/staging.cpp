#include "staging.h"

#include <algorithm>
#include <cstring>

#include "cuda_error.h"

namespace gpusim::cuda {

namespace {

void copy_plainly(cudaStream_t stream, void* to, const void* from, std::size_t bytes,
                  cudaMemcpyKind kind) {
  check(cudaMemcpyAsync(to, from, bytes, kind, stream), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

}  // namespace

Staging::~Staging() {
  for (Half& half : half_) {
    if (half.copied) (void)cudaEventDestroy(half.copied);
    if (half.memory) (void)cudaFreeHost(half.memory);
  }
}

bool Staging::pinned() {
  if (asked_) return half_[1].memory != nullptr;
  asked_ = true;
  for (Half& half : half_) {
    check(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming),
          "cudaEventCreateWithFlags");
    void* found = nullptr;
    if (cudaHostAlloc(&found, kHalfBytes, cudaHostAllocDefault) != cudaSuccess) {
      (void)cudaGetLastError();
      return false;
    }
    half.memory = static_cast<char*>(found);
  }
  return true;
}

Staging::Half& Staging::free_half() {
  turn_ = 1 - turn_;
  Half& half = half_[turn_];
  check(cudaEventSynchronize(half.copied), "cudaEventSynchronize");
  return half;
}

void Staging::start(cudaStream_t stream, Half& half, void* to, const void* from, std::size_t bytes,
                    cudaMemcpyKind kind) {
  check(cudaMemcpyAsync(to, from, bytes, kind, stream), "cudaMemcpyAsync");
  check(cudaEventRecord(half.copied, stream), "cudaEventRecord");
}

void Staging::upload(cudaStream_t stream, void* to, const void* from, std::size_t bytes) {
  if (!pinned()) return copy_plainly(stream, to, from, bytes, cudaMemcpyHostToDevice);
  for (std::size_t at = 0; at < bytes; at += kHalfBytes) {
    const std::size_t n = std::min(kHalfBytes, bytes - at);
    Half& half = free_half();
    std::memcpy(half.memory, static_cast<const char*>(from) + at, n);
    start(stream, half, static_cast<char*>(to) + at, half.memory, n, cudaMemcpyHostToDevice);
  }
}

void Staging::download(cudaStream_t stream, const void* from, void* to, std::size_t bytes) {
  if (!pinned()) return copy_plainly(stream, to, from, bytes, cudaMemcpyDeviceToHost);
  Landing before;
  for (std::size_t at = 0; at < bytes; at += kHalfBytes) {
    const std::size_t n = std::min(kHalfBytes, bytes - at);
    Half& half = free_half();
    start(stream, half, half.memory, static_cast<const char*>(from) + at, n,
          cudaMemcpyDeviceToHost);
    before.finish();
    before = Landing{&half, static_cast<char*>(to) + at, n};
  }
  before.finish();
}

void Staging::Landing::finish() const {
  if (!half) return;
  check(cudaEventSynchronize(half->copied), "cudaEventSynchronize");
  std::memcpy(to, half->memory, bytes);
}

}  // namespace gpusim::cuda

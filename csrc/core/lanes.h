// Thirty-two lanes that work as one: the primitives under the strip operations on a device, and
// their emulation.
//
// A Vec<T> holds one value per lane. DeviceLanes keeps it in a register of each thread of a warp;
// EmulatedLanes keeps an array of 32 on the host, so that every lane program of strips.h is
// executed, and tested, without a GPU.
// All lanes take every branch together (control flow is uniform), so full-mask warp operations are
// always legal.
#pragma once
#include "types.h"

namespace gpusim {

constexpr i32 kLanes = 32;

struct EmulatedLanes {
  template <class T>
  struct Vec {
    T v[kLanes];
  };
  template <class T, class F>
  static HD Vec<T> map(F f) {  // one value per lane from its number
    Vec<T> r;
    for (i32 lane = 0; lane < kLanes; ++lane) r.v[lane] = f(lane);
    return r;
  }
  template <class T, class F>
  static HD void use(const Vec<T>& x, F f) {  // each lane consumes its value (typically a store)
    for (i32 lane = 0; lane < kLanes; ++lane) f(lane, x.v[lane]);
  }
  template <class F>
  static HD void once(F f) {  // one lane acts for all
    f();
  }
  static HD u32 ballot(const Vec<i32>& x) {
    u32 bits = 0;
    for (i32 lane = 0; lane < kLanes; ++lane) bits |= (x.v[lane] ? 1u : 0u) << lane;
    return bits;
  }
  static HD u64 take(u64* counter) {  // a number that nobody else gets
#if defined(__CUDACC__)
    return (*counter)++;  // a device program emulates nothing: the types alone are wanted
#else
    return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
#endif
  }
  template <class T>
  static HD T min(const Vec<T>& x) {
    T m = x.v[0];
    for (i32 lane = 1; lane < kLanes; ++lane) m = least(m, x.v[lane]);
    return m;
  }
  template <class T>
  static HD Vec<T> scan(Vec<T> x) {  // inclusive prefix sums
    for (i32 lane = 1; lane < kLanes; ++lane) x.v[lane] += x.v[lane - 1];
    return x;
  }
  template <class T>
  static HD T get(const Vec<T>& x, i32 lane) {
    return x.v[lane];
  }
  template <class R, class T, class F>
  static HD Vec<R> then(const Vec<T>& x, F f) {  // each lane's f(lane, its value)
    Vec<R> r;
    for (i32 lane = 0; lane < kLanes; ++lane) r.v[lane] = f(lane, x.v[lane]);
    return r;
  }
};

#if defined(__CUDACC__)
struct DeviceLanes {
  template <class T>
  struct Vec {
    T v;
  };
  static __device__ i32 lane() { return static_cast<i32>(threadIdx.x) & (kLanes - 1); }
  template <class T, class F>
  static __device__ Vec<T> map(F f) {
    return Vec<T>{f(lane())};
  }
  template <class T, class F>
  static __device__ void use(const Vec<T>& x, F f) {
    __syncwarp();
    f(lane(), x.v);
    __syncwarp();
  }
  template <class F>
  static __device__ void once(F f) {
    __syncwarp();
    if (lane() == 0) f();
    __syncwarp();
  }
  static __device__ u32 ballot(const Vec<i32>& x) { return __ballot_sync(0xffffffffu, x.v != 0); }
  static __device__ u64 take(u64* counter) {
    u64 number = 0;
    if (lane() == 0) number = atomicAdd(counter, 1ULL);
    return __shfl_sync(0xffffffffu, number, 0);
  }
  template <class T>
  static __device__ T min(Vec<T> x) {
    ROLLED
    for (i32 d = kLanes / 2; d > 0; d >>= 1) x.v = least(x.v, __shfl_xor_sync(0xffffffffu, x.v, d));
    return x.v;
  }
  template <class T>
  static __device__ Vec<T> scan(Vec<T> x) {
    ROLLED
    for (i32 d = 1; d < kLanes; d <<= 1) {
      T left = __shfl_up_sync(0xffffffffu, x.v, d);
      if (lane() >= d) x.v += left;
    }
    return x;
  }
  template <class T>
  static __device__ T get(const Vec<T>& x, i32 source) {
    return __shfl_sync(0xffffffffu, x.v, source);
  }
  template <class R, class T, class F>
  static __device__ Vec<R> then(const Vec<T>& x, F f) {
    return Vec<R>{f(lane(), x.v)};
  }
};
#endif

}  // namespace gpusim

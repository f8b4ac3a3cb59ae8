// Integer types and the one place that knows which compiler is reading.
//
// The core is compiled by g++/clang++ (host engine), by nvcc, and by NVRTC at run time. NVRTC has
// no system headers at all, so nothing in csrc/core includes any: the fixed-width names are made
// here and checked by static_assert.
//   HD       a function of the engine: host code for g++, device code for the CUDA compilers
//   HD_CALL  one that must stay a call: inlining the scheduling passes into the loop makes the
//            device back ends slow to compile and costs registers, and on the host crowds the loop
//   HD_JOB   one that runs once for nearly every job: a call on a device, expanded on the host
//   HD_IN    likewise, where the device compilers may choose
//   HD_APART one that stands in many places: a call on a device, to compile it once; the host may choose
//   HD_BOTH  one that a CUDA host program needs too (memory layout)
//   AT_ONCE  after the parameters of a lambda that the host must expand where it stands
//   ROLLED   before a loop: unrolling it costs the device compilers minutes, and gains nothing
//   WIDE     before a short loop without branches: g++ would unroll it before it could vectorise it
//
// There is no floating point in the core: results are equal on every backend, not close.
#pragma once

namespace gpusim {

typedef unsigned char u8;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef i64 Tick;  // simulated time [ticks]

static_assert(sizeof(u8) == 1 && sizeof(u16) == 2 && sizeof(i32) == 4 && sizeof(u32) == 4, "");
static_assert(sizeof(i64) == 8 && sizeof(u64) == 8, "");

#if defined(__CUDACC__)
#define HD __device__ inline
#define HD_CALL __device__ __noinline__
#define HD_JOB __device__ __noinline__
#define HD_IN __device__ inline
#define HD_APART __device__ __noinline__
#define HD_BOTH __host__ __device__ inline
#define AT_ONCE
#define ROLLED _Pragma("unroll 1")
#define WIDE ROLLED
#else
#define HD inline
#define HD_CALL __attribute__((noinline))
#define HD_JOB __attribute__((always_inline)) inline
#define HD_IN HD_JOB
#define HD_APART inline
#define HD_BOTH inline
#define AT_ONCE __attribute__((always_inline))
#define ROLLED
#if defined(__GNUC__) && !defined(__clang__)
#define WIDE _Pragma("GCC unroll 1")
#else
#define WIDE
#endif
#endif

// Where the host's compiler knows AVX2 by GCC's names; whether the machine does is asked at run time.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__CUDACC__)
#define GPUSIM_AVX2
#endif

constexpr Tick kNever = 0x7fffffffffffffffLL;  // later than every tick
constexpr u64 kNoKey = ~0ULL;                  // later than every key
constexpr i32 kSlotBits = 20;                  // low bits of a key: slot or source; then the tick
constexpr u64 kSlotMask = (1ULL << kSlotBits) - 1;

template <class T>
HD_BOTH T least(T a, T b) {
  return b < a ? b : a;
}
template <class T>
HD_BOTH T greatest(T a, T b) {
  return a < b ? b : a;
}

// Keys order events: first by tick, then by slot. They are unique, so every calendar gives the same
// order.
HD u64 make_key(Tick tick, i32 slot) {
  return (static_cast<u64>(tick) << kSlotBits) | static_cast<u64>(slot);
}
HD Tick key_tick(u64 key) { return static_cast<Tick>(key >> kSlotBits); }
HD i32 key_slot(u64 key) { return static_cast<i32>(key & kSlotMask); }

// A cache line that will be read soon: on the host, where a dependent search would wait for each line in turn.
HD void expect(const void* line) {
#if !defined(__CUDACC__)
  __builtin_prefetch(line);
#else
  (void)line;
#endif
}

// A flag that somebody outside the run may raise at any moment.
HD i32 read_flag(const volatile i32* flag) {
#if defined(__CUDACC__)
  return *flag;
#else
  return __atomic_load_n(flag, __ATOMIC_RELAXED);
#endif
}

// Position of the highest set bit of v > 0.
HD i32 floor_log2(u32 v) {
#if defined(__CUDACC__)
  return 31 - __clz(static_cast<int>(v));
#else
  return 31 - __builtin_clz(v);
#endif
}

// Position of the last of n ascending numbers, n a power of two, that is at most x; 0 if only the first one may be.
// The host counts them all: six loads, each of which waits for the one before, take longer.
template <i32 n>
HD i32 last_at_most(const i32* a, i32 x) {
  i32 k = 0;
#if defined(__CUDACC__)
  ROLLED
  for (i32 step = n / 2; step > 0; step /= 2) k += a[k + step] <= x ? step : 0;
#else
  for (i32 i = 1; i < n; ++i) k += a[i] <= x ? 1 : 0;
#endif
  return k;
}

}  // namespace gpusim

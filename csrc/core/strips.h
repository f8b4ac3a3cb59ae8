// Strip operations: everything the scheduler does to an array. A strip is `n` consecutive elements.
//
//   once(f)                    one lane runs f for all: plain stores to shared memory stand in it
//   agree(x)                   lane 0's x in every lane: for memory that others may change
//   each(n, f)                 f(i) for i in [0, n), in any order; f may store to element i only
//   min(a, n, none)            smallest element, or `none` when n == 0
//   min_of(n, none, f)         smallest f(i) for i in [0, n), or `none` when n == 0
//   argmin(a, n)               its lowest index (n > 0)
//   prefix_until(from, n, p)   first i in [from, n) with p(i), else n
//   short_until(from, n, p)    the same, for a strip of few elements
//   block_until(from, n, p)    the same, where p may be asked about all of the blocks of kBlockOf that meet [from, n)
//   lower_bound(a, n, x)       first i with a[i] >= x in an ascending strip, else n
//   prefix_sum_until(w, n, x)  first k with w[0] + .. + w[k] >= x, else n; and the sum up to w[k]; w >= 0
//   prefix_sums(a, n, start)   a[i] becomes start + a[0] + .. + a[i]
//   shift_insert(a, n, at, v)  opens a place at `at` in a strip of n with room for more; stores v
//   shift_remove(a, n, at)     closes the place
//
// OneLane is the host's loop, written so that the compiler vectorises it. WarpStrips<L> is the
// 32-lane program, run on a device or emulated. All are exact integer operations with one
// documented result, so a run gives the same integers through each of them. Scalars of a run live
// in every lane alike; memory is shared. Hence the one rule: a store that is not part of an
// operation above stands inside once(), and once() never changes a scalar.
#pragma once
#include "lanes.h"
#include "types.h"

namespace gpusim {

constexpr i32 kBlockOf = 16;  // elements that OneLane looks at together

// Which runs a build of the loop is for. A device has a kernel for each, so that none pays registers for the others.
enum Family : i32 {
  kAnyFamily,
  kInOrderFamily,  // first_come_first_served() holds
  kEasyFamily,     // easy_in_one_pool() holds, and the run is not served in order
  kOtherFamily,    // nobody shares
  kSharedFamily,   // tenants share the center
};

template <class S>
HD constexpr bool built_for(Family f) {
  return static_cast<i32>(S::family) == static_cast<i32>(f);
}

// Whether a build of the loop knows tenants that share a center. The host's does; a device has a kernel of its own for it.
template <class S>
HD constexpr bool may_share() {
  return built_for<S>(kAnyFamily) || built_for<S>(kSharedFamily);
}

struct OneLane {
  enum { wide = 0, family = kAnyFamily };
  template <class F>
  static HD_IN void once(F f) {
    f();
  }
  template <class T>
  static HD T agree(T x) {
    return x;
  }
  template <class F>
  static HD void each(i32 n, F f) {
    for (i32 i = 0; i < n; ++i) f(i);
  }
  template <class T>
  static HD T min(const T* a, i32 n, T none) {
    T m = none;
    for (i32 i = 0; i < n; ++i) m = least(m, a[i]);
    return m;
  }
  template <class T, class F>
  static HD T min_of(i32 n, T none, F f) {
    T m = none;
    for (i32 i = 0; i < n; ++i) m = least<T>(m, f(i));
    return m;
  }
  template <class T>
  static HD i32 argmin(const T* a, i32 n) {
    i32 at = 0;
    for (i32 i = 1; i < n; ++i) at = a[i] < a[at] ? i : at;
    return at;
  }
  template <class P>
  static HD i32 prefix_until(i32 from, i32 n, P p) {
    // The first few one by one: many searches end there. Then blocks, which without an exit vectorise; the
    // hit is found inside its block.
    constexpr i32 few = 8, block = 64;
    i32 i = from;
    for (const i32 near = least(n, from + few); i < near; ++i)
      if (p(i)) return i;
    for (; i + block <= n; i += block) {
      i32 hit = 0;
      for (i32 k = 0; k < block; ++k) hit |= p(i + k) ? 1 : 0;
      if (hit) break;
    }
    for (; i < n; ++i)
      if (p(i)) return i;
    return n;
  }
  template <class P>
  static HD i32 short_until(i32 from, i32 n, P p) {
    i32 i = from;
    while (i < n && !p(i)) ++i;
    return i;
  }
  template <class P>
  static HD i32 block_until(i32 from, i32 n, P p) {
    for (i32 block = from & -kBlockOf; block < n; block += kBlockOf) {
      i32 first = n;  // a minimum has no exit in the middle, so it vectorises
      WIDE for (i32 k = 0; k < kBlockOf; ++k) first =
          least(first, p(block + k) & (block + k >= from) ? block + k : n);
      if (first < n) return first;
    }
    return n;
  }
  template <class T>
  static HD i32 lower_bound(const T* a, i32 n, T x) {
    const T* base = a;
    while (n >
           1) {  // halving without a branch on the data, which would be guessed wrong half the time
      const i32 half = n >> 1;
      base += half & -static_cast<i32>(base[half - 1] < x);
      n -= half;
    }
    return static_cast<i32>(base - a) + (n > 0 && *base < x ? 1 : 0);
  }
  static HD i32 prefix_sum_until(const i32* w, i32 n, i64 x, i64* sum) {
    i64 s = 0;
    i32 i = 0;
    for (; i + 4 <= n; i += 4) {  // four at once while they are too few
      const i64 more = s + w[i] + w[i + 1] + w[i + 2] + w[i + 3];
      if (more >= x) break;
      s = more;
    }
    for (; i < n; ++i) {
      s += w[i];
      if (s >= x) {
        *sum = s;
        return i;
      }
    }
    *sum = s;
    return n;
  }
  template <class T>
  static HD void prefix_sums(T* a, i32 n, T start) {
    for (i32 i = 0; i < n; ++i) a[i] = start += a[i];
  }
  template <class T>
  static HD void shift_insert(T* a, i32 n, i32 at, T v) {
    for (i32 i = n; i > at; --i) a[i] = a[i - 1];
    a[at] = v;
  }
  template <class T>
  static HD void shift_remove(T* a, i32 n, i32 at) {
    for (i32 i = at; i + 1 < n; ++i) a[i] = a[i + 1];
  }
};

// Lane `l` of the chunk at `base` looks at element base + l.
template <class L, i32 which = kAnyFamily>
struct WarpStrips {
  enum { wide = 1, family = which };
  template <class F>
  static HD void once(F f) {
    L::once(f);
  }
  template <class T>
  static HD T agree(T x) {
    return L::get(L::template map<T>([x](i32) { return x; }), 0);
  }
  template <class F>
  static HD void each(i32 n, F f) {
    ROLLED
    for (i32 base = 0; base < n; base += kLanes)
      L::use(L::template map<i32>([&](i32 lane) { return base + lane; }), [&](i32, i32 i) {
        if (i < n) f(i);
      });
  }
  template <class T>
  static HD T min(const T* a, i32 n, T none) {
    return L::min(L::template map<T>([&](i32 lane) {
      T m = none;
      ROLLED
      for (i32 i = lane; i < n; i += kLanes) m = least(m, a[i]);
      return m;
    }));
  }
  template <class T, class F>
  static HD T min_of(i32 n, T none, F f) {
    return L::min(L::template map<T>([&](i32 lane) {
      T m = none;
      ROLLED
      for (i32 i = lane; i < n; i += kLanes) m = least<T>(m, f(i));
      return m;
    }));
  }
  template <class T>
  static HD i32 argmin(const T* a, i32 n) {
    const T m = min(a, n, a[0]);
    return prefix_until(0, n, [&](i32 i) { return a[i] == m; });
  }
  template <class P>
  static HD i32 prefix_until(i32 from, i32 n, P p) {
    ROLLED
    for (i32 base = from; base < n; base += kLanes) {
      const u32 hits = L::ballot(L::template map<i32>(
          [&](i32 lane) { return base + lane < n && p(base + lane) ? 1 : 0; }));
      if (hits) return base + lowest_bit(hits);
    }
    return n;
  }
  template <class P>
  static HD i32 short_until(i32 from, i32 n, P p) {
    return prefix_until(from, n, p);
  }
  template <class P>
  static HD i32 block_until(i32 from, i32 n, P p) {
    return prefix_until(from, n, p);
  }
  template <class T>
  static HD i32 lower_bound(const T* a, i32 n, T x) {
    return prefix_until(0, n, [=](i32 i) { return a[i] >= x; });
  }
  static HD i32 prefix_sum_until(const i32* w, i32 n, i64 x, i64* sum) {
    i64 before = 0;
    ROLLED
    for (i32 base = 0; base < n; base += kLanes) {
      const auto s = L::scan(L::template map<i64>(
          [&](i32 lane) { return base + lane < n ? static_cast<i64>(w[base + lane]) : 0; }));
      const u32 hits = L::ballot(L::template then<i32>(
          s, [&](i32 lane, i64 v) { return base + lane < n && before + v >= x ? 1 : 0; }));
      if (hits) {
        const i32 lane = lowest_bit(hits);
        *sum = before + L::get(s, lane);
        return base + lane;
      }
      before += L::get(s, kLanes - 1);
    }
    *sum = before;
    return n;
  }
  template <class T>
  static HD void prefix_sums(T* a, i32 n, T start) {
    ROLLED
    for (i32 base = 0; base < n; base += kLanes) {
      const auto s = L::scan(
          L::template map<T>([&](i32 lane) { return base + lane < n ? a[base + lane] : T(0); }));
      L::use(s, [&](i32 lane, T v) {
        if (base + lane < n) a[base + lane] = start + v;
      });
      start += L::get(s, kLanes - 1);
    }
  }
  template <class T>
  static HD void shift_insert(T* a, i32 n, i32 at, T v) {
    // From the end, so that a chunk is read before its neighbour overwrites it.
    ROLLED
    for (i32 end = n; end > at; end -= kLanes) {
      const auto moved = L::template map<T>(
          [&](i32 lane) { return end - 1 - lane >= at ? a[end - 1 - lane] : v; });
      L::use(moved, [&](i32 lane, T x) {
        if (end - 1 - lane >= at) a[end - lane] = x;
      });
    }
    L::once([&] { a[at] = v; });
  }
  template <class T>
  static HD void shift_remove(T* a, i32 n, i32 at) {
    ROLLED
    for (i32 base = at; base + 1 < n; base += kLanes) {
      const auto moved = L::template map<T>(
          [&](i32 lane) { return base + lane + 1 < n ? a[base + lane + 1] : a[base]; });
      L::use(moved, [&](i32 lane, T x) {
        if (base + lane + 1 < n) a[base + lane] = x;
      });
    }
  }

 private:
  static HD i32 lowest_bit(u32 bits) { return floor_log2(bits & (~bits + 1)); }
};

}  // namespace gpusim

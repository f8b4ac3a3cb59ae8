// The profile of a pool: GPUs free at every future tick, as far as requests tell (R8, R14, R15).
//
// A step function: free[i] GPUs on [time[i], time[i + 1]), the last step for ever; time[0] is now.
// It is built from the release list in one pass, nearly in the order of time, and each reservation
// (or job started in this pass) is carved out of it, and so are closures to come (S36). An overdue job is expected to end at now + 1, so it never counts as
// free now. One per pool, in shared memory: its scalars are written inside once() like its arrays.
// Cost: earliest(), fits_now() and carve() are O(steps). A profile that does not fit its memory says so; the
// run is repeated.
#pragma once
#include "release.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

template <class S>
struct Profile {
  i32 slots;
  i32 steps;
  i32 full;          // 1: a breakpoint did not fit: the run must be repeated with more slots
  i64 reservations;  // given in this pass
  Tick* time;        // (slots,) ascending
  i32* free;         // (slots,)

  HD void build(Release<S>& release, Tick now, i32 free_now) {
    const i32 too_many = release.n + 2 > slots ? 1 : 0;
    S::once([&] {
      full = too_many;
      steps = 0;
      reservations = 0;
    });
    if (too_many) return;
    push(now, free_now);
    release.each(now, [&](Tick end, i32 g) { give_back(greatest(end, now + 1), g); });
  }

  // Earliest tick from which `gpus` stay free for `duration`. Requires gpus to be no more than the pool has.
  HD Tick earliest(i32 gpus, Tick duration) const {
    const Tick* t = time;
    const i32* f = free;
    i32 i = 0;
    ROLLED
    for (;;) {
      i = S::prefix_until(i, steps, [=](i32 k) { return f[k] >= gpus; });
      const Tick end = t[i] + duration;
      const i32 j =
          S::prefix_until(i + 1, steps, [=](i32 k) { return f[k] < gpus || t[k] >= end; });
      if (j == steps || t[j] >= end) return t[i];
      i = j + 1;
    }
  }

  // Whether `gpus` are free from now on for `duration`: earliest() == now, without looking further.
  HD bool fits_now(i32 gpus, Tick duration) const {
    const Tick* t = time;
    const i32* f = free;
    const Tick end = t[0] + duration;
    const i32 j = S::prefix_until(0, steps, [=](i32 k) { return f[k] < gpus || t[k] >= end; });
    return j == steps || t[j] >= end;
  }

  // Takes `gpus` out of the time from a tick on, for ever.
  HD void close(Tick from, i32 gpus) {
    const i32 a = breakpoint(from);
    if (full) return;
    i32* f = free + a;
    S::each(steps - a, [f, gpus](i32 i) { f[i] -= gpus; });
  }

  // Takes `gpus` out of [from, from + duration).
  HD_APART void carve(Tick from, Tick duration, i32 gpus) {
    const i32 a = breakpoint(from), b = breakpoint(from + duration);
    if (full) return;
    i32* f = free + a;
    S::each(b - a, [f, gpus](i32 i) { f[i] -= gpus; });
  }

 private:
  HD void give_back(Tick t, i32 g) {  // ticks come nearly in order
    i32 i = steps;
    ROLLED
    while (time[i - 1] > t) --i;
    if (time[i - 1] == t) {
      --i;
    } else {
      const i32 before = free[i - 1];
      S::shift_insert(time, steps, i, t);
      S::shift_insert(free, steps, i, before);
      S::once([&] { ++steps; });
    }
    i32* f = free;
    const i32 from = i;
    S::each(steps - from, [f, from, g](i32 k) { f[from + k] += g; });
  }
  HD void push(Tick t, i32 f) {
    S::once([&] {
      time[steps] = t;
      free[steps++] = f;
    });
  }
  HD i32 breakpoint(Tick t) {  // the step that begins at t, made if there is none
    const Tick* all = time;
    const i32 i = S::prefix_until(0, steps, [=](i32 k) { return all[k] >= t; });
    if (i < steps && time[i] == t) return i;
    if (steps == slots) {
      S::once([&] { full = 1; });
      return 0;
    }
    const i32 before = free[i - 1];
    S::shift_insert(time, steps, i, t);
    S::shift_insert(free, steps, i, before);
    S::once([&] { ++steps; });
    return i;
  }
};

}  // namespace gpusim

// The profile of a pool: GPUs free at every future tick, as far as requests tell (R8, R14, R15).
//
// A step function: free[i] GPUs on [time[i], time[i + 1]), the last step for ever; time[0] is now.
// It is built from the release list in one pass, nearly in the order of time, and each reservation
// (or job started in this pass) is carved out of it, and so are closures to come (S36). An overdue job is expected to end at now + 1, so it never counts as
// free now. One per pool, in shared memory: its scalars are written inside once() like its arrays.
// Cost: earliest(), fits_now() and carve() are O(steps). A profile that does not fit its memory says so; the
// run is repeated.
//
// Most reservations lie in the near future. So a profile can be drawn as far as somebody asks: begin(), then
// earliest_from() and refusal(), which read on in the release list. It is exact before the tick `known`. From there on
// whoever is expected back is left out, so it shows no more than there will be: who fits it fits, and only who does
// not, from a step that is not known yet, needs more of it.
#pragma once
#include "index_avx2.h"
#include "release.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

// The answer to a question of earliest_from(). As profiles only lose in a pass, nobody who asks for as much for as long gets an
// earlier one.
struct Answer {
  i32 gpus;
  Tick duration;
  Tick time;
};
constexpr i32 kAnswers = 32;  // by floor_log2(gpus)
constexpr i32 kNoAnswer = 0x7fffffff;

// First step in [from, end) with, or without, at least `gpus` free; or end. Whole blocks may be read.
template <class S>
HD i32 first_step(const i32* free, i32 from, i32 end, i32 gpus, bool enough) {
#if defined(GPUSIM_INDEX_AVX2)
  if (!S::wide) return first_step_avx2(free, from, end, gpus, enough);
#endif
  return S::block_until(from, end, [=](i32 k) { return (free[k] >= gpus) == enough; });
}

template <class S>
struct Profile {
  i32 slots;
  i32 steps;
  i32 full;                 // 1: a breakpoint did not fit: the run must be repeated with more slots
  i64 reservations;         // given in this pass
  Answer answer[kAnswers];  // of a profile that was begun
  Tick known;               // of a profile that was begun: it is exact before this tick
  Tick* time;               // (slots,) ascending
  i32* free;                // (slots,), in whole blocks

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

  // The profile as far as it is known at once.
  HD void begin(Release<S>& release, Tick now, i32 free_now) {
    S::once([&] { full = steps = 0; });
    S::once([&] { reservations = 0; });
    S::each(kAnswers, [&](i32 k) { answer[k].gpus = kNoAnswer; });
    push(now, free_now);
    const Tick until = release.first_each(now, [&](Tick, i32 g) { give_back(now + 1, g); });
    S::once([&] { known = until; });
    read_on(release);  // beyond now: what starts now is then met once
  }

  // earliest() of a profile that was begun.
  HD_APART Tick earliest_from(const Release<S>& release, i32 gpus, Tick duration) {
    const Tick* t = time;
    Answer& last = answer[floor_log2(static_cast<u32>(gpus))];
    const bool helps = last.gpus <= gpus && last.duration <= duration;
    i32 i = helps ? S::lower_bound(t, steps, last.time) : 0;  // no step before it is long enough
    ROLLED
    while (!full) {
      i = first_step<S>(free, i, steps, gpus, true);
      if ((i == steps || t[i] >= known) && known != kNever) {
        const Tick before = known;
        read_on(release);
        i = S::lower_bound(t, steps, before);
        continue;
      }
      const Tick end = t[i] + duration;
      const i32 j = first_step<S>(free, i + 1, steps, gpus, false);
      if (j == steps || t[j] >= end) {
        const Answer found{gpus, duration, t[i]};
        if (!helps || last.duration == duration) S::once([&] { last = found; });
        return t[i];
      }
      if (t[j] >= known)
        read_on(release);
      else
        i = j + 1;
    }
    return kNever;
  }

  // The first step that refuses `gpus` from now on for `duration`, in a profile that was begun; -1: none.
  HD_APART i32 refusal(const Release<S>& release, i32 gpus, Tick duration) {
    const Tick* t = time;
    const Tick end = t[0] + duration;
    i32 j = 0;
    ROLLED
    while (!full) {
      j = first_step<S>(free, j, steps, gpus, false);
      if (j == steps || t[j] >= end) break;
      if (t[j] < known) return j;
      read_on(release);
    }
    return -1;
  }

  // A job starts now, in a profile that was begun. The release list tells of its end where that is not known yet.
  HD void take(Tick now, Tick duration, i32 gpus) {
    if (now + duration < known)
      carve(now, duration, gpus);
    else
      close(now, gpus);
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
  HD_APART void read_on(const Release<S>& release) {
    const Tick soon = time[0] + 1;
    const Tick until =
        release.next_each(known, [&](Tick end, i32 g) { give_back(greatest(end, soon), g); });
    S::once([&] { known = until; });
  }
  HD void give_back(Tick t, i32 g) {  // ticks come nearly in order
    i32 i = steps;
    ROLLED
    while (time[i - 1] > t) --i;
    if (time[i - 1] == t) {
      --i;
    } else if (steps == slots) {
      S::once([&] { full = 1; });
      return;
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
    const i32 i = S::lower_bound(time, steps, t);
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

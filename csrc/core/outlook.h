// What a pass over a shared center knows of a pool's future: whether a gang that has room now may keep it (R8, R14).
//
// In general that is the pool's profile, drawn anew in every pass. EASY in a single pool needs less: between now and the
// tick at which the only reservation begins, its shadow, GPUs only come back; so a gang keeps its room if it ends by
// then, or takes no more than what is spare beside the reserved job. `always_profile` has the profile decide, with the
// same result.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

template <class S>
HD void open_outlook(Center<S>& c) {
  if (!c.running.reserves) return;
  if (c.tenants.by_shadow) return S::once([&] { c.shadow[0] = kNever; });
  ROLLED
  for (i32 p = 0; p < c.pools; ++p) {
    c.profile[p].build(c.running.release[p], c.now, c.free[p]);
    if (c.profile[p].full) c.fail(kProfileFull);
  }
}

// Whether a gang for which there are GPUs now keeps them for so long.
template <class S>
HD bool keeps_room(const Center<S>& c, i32 p, i32 gpus, Tick length) {
  if (!c.running.reserves) return true;
  if (!c.tenants.by_shadow) return c.profile[p].fits_now(gpus, length);
  return c.shadow[0] == kNever || length <= c.shadow[0] - c.now || gpus <= c.spare[0];
}

// GPUs are taken until a tick, or given back (negative) by a job that was expected to end then.
template <class S>
HD void take_room(Center<S>& c, i32 p, i32 gpus, Tick end) {
  if (!c.running.reserves) return;
  if (c.tenants.by_shadow) {
    if (c.shadow[0] != kNever && end > c.shadow[0]) S::once([&] { c.spare[0] -= gpus; });
    return;
  }
  c.profile[p].carve(c.now, end - c.now, gpus);
  if (c.profile[p].full) c.fail(kProfileFull);
}

template <class S>
HD i64 reservations(const Center<S>& c, i32 p) {
  return c.tenants.by_shadow ? (c.shadow[0] != kNever ? 1 : 0) : c.profile[p].reservations;
}

// The earliest tick from which a gang that has no room now would have it.
template <class S>
HD Tick earliest_room(Center<S>& c, i32 p, i32 gpus, Tick length, i64* given) {
  *given = 0;
  return c.tenants.by_shadow ? c.running.release[0].when_back(gpus - c.free[0], c.now, given)
                             : c.profile[p].earliest(gpus, length);
}

template <class S>
HD void reserve_room(Center<S>& c, i32 p, i32 gpus, Tick from, Tick length, i64 given) {
  if (c.tenants.by_shadow) {
    const i64 left = c.free[0] + given - gpus;
    return S::once([&] {
      c.shadow[0] = from;
      c.spare[0] = left;
    });
  }
  c.profile[p].carve(from, length, gpus);
  if (c.profile[p].full) return c.fail(kProfileFull);
  S::once([&] { ++c.profile[p].reservations; });
}

}  // namespace gpusim

// What a pass over a shared center knows of a pool's future: whether a gang that has room now may keep it (R8, R14).
//
// In general that is the pool's profile, drawn anew in every pass. EASY in a single pool needs less: between now and the
// tick at which the only reservation begins, its shadow, GPUs only come back; so a gang keeps its room if it ends by
// then, or takes no more than what is spare beside the reserved job. `always_profile` has the profile decide, with the
// same result. Closures to come (S36) are in the profile, whatever the policy.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// Whether a pool has a profile: somebody may have a reservation there, or something will be closed (S36).
template <class S>
HD bool has_profile(const Center<S>& c, i32 p) {
  const i32 backfill = c.model->policy.backfill;
  return backfill >= 1 || backfill == kAll || c.closures.ahead(p);
}

// Takes what will be closed before a tick out of a pool's profile, as far as that has not been done in this pass; whether
// there was anything. Who is looked at needs no more than what is closed before it would end. A closure is taken out to
// its end, so that the profile ends with the whole pool.
template <class S>
HD_CALL bool carve_closures(Center<S>& c, i32 p, Tick until) {
  Closures<S>& all = c.closures;
  const i32 from = all.carved[p];
  i32 k = from;
  ROLLED
  for (; all.matters(p, k, until) && !c.profile[p].full; ++k) {
    const i32 more = all.at(p, k) - all.before(p, k);
    if (more != 0) c.profile[p].close(all.steps->tick[k], more);
  }
  S::once([&] { all.carved[p] = k; });
  if (c.profile[p].full) c.fail(kProfileFull);
  return k > from;
}

// The same, asked wherever there may be closures.
template <class S>
HD bool closes(Center<S>& c, i32 p, Tick until) {
  const Closures<S>& all = c.closures;
  return all.steps->n > 0 && all.matters(p, all.carved[p], until) && carve_closures(c, p, until);
}

template <class S>
HD void open_outlook(Center<S>& c) {
  if (!c.running.reserves) return;
  if (c.tenants.by_shadow) return S::once([&] { c.shadow[0] = kNever; });
  ROLLED
  for (i32 p = 0; p < c.pools; ++p) {
    if (!has_profile(c, p)) continue;
    c.profile[p].build(c.running.release[p], c.now, c.free[p]);
    if (c.closures.steps->n > 0) c.closures.carve_anew(p);
    if (c.profile[p].full) c.fail(kProfileFull);
  }
}

// Whether a gang for which there are GPUs now keeps them for so long.
template <class S>
HD bool keeps_room(Center<S>& c, i32 p, i32 gpus, Tick length) {
  if (!c.running.reserves) return true;
  if (c.tenants.by_shadow)
    return c.shadow[0] == kNever || length <= c.shadow[0] - c.now || gpus <= c.spare[0];
  if (!has_profile(c, p)) return true;
  closes(c, p, c.now + length);
  return c.profile[p].fits_now(gpus, length);
}

// GPUs are taken until a tick, or given back (negative) by a job that was expected to end then.
template <class S>
HD void take_room(Center<S>& c, i32 p, i32 gpus, Tick end) {
  if (!c.running.reserves) return;
  if (c.tenants.by_shadow) {
    if (c.shadow[0] != kNever && end > c.shadow[0]) S::once([&] { c.spare[0] -= gpus; });
    return;
  }
  if (!has_profile(c, p)) return;
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
  if (c.tenants.by_shadow) return c.running.release[0].when_back(gpus - c.free[0], c.now, given);
  closes(c, p, c.now + length);
  Tick time = c.profile[p].earliest(gpus, length);
  ROLLED
  while (closes(c, p, time + length)) time = c.profile[p].earliest(gpus, length);
  return time;
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

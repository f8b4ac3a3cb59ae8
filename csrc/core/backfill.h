// The scheduling pass: which waiting jobs start now (R10, R13-R15).
//
// Jobs are visited in queue order. Those that fit start, until the first is blocked; what happens
// behind it is the policy:
//   none   nothing starts behind a blocked job
//   skip   any job that fits the free GPUs starts
//   K      the first K blocked jobs get a reservation, the earliest time at which the profile has
//          room for their whole request; behind them a job starts only if it fits the profile with
//          the reservations carved out
//   all    every blocked job gets a reservation (conservative)
// K = 1 (EASY) needs no profile: with one reservation at the shadow time T, a job fits if it ends
// by T or takes only GPUs that are spare at T. pass_easy must equal pass_reserving with K = 1; the
// tests run both.
// Starting a job needs one slot; when none is left the run stops with a status and is repeated.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// A place in the queue.
struct Cursor {
  i32 tier;
  i32 position;
};

// Moves to the first waiting job at or after the cursor whose (gpus, limit) satisfies p; false at
// the end of the queue.
template <class S, class P>
HD bool seek(const Queue<S>& queue, Cursor* at, P p) {
  ROLLED
  for (; at->tier < queue.tiers; ++at->tier, at->position = 0) {
    at->position = queue.first_that(at->tier, greatest(at->position, queue.head[at->tier]), p);
    if (at->position < queue.tail[at->tier]) return true;
  }
  return false;
}

// Starts every job from the cursor on that fits what is free; `fits` is asked with the job's gpus
// and limit.
template <class S, class P, class F>
HD void start_all(Center<S>& center, Cursor at, P fits, F started) {
  ROLLED
  while (center.free > 0 && !center.interrupted() && seek(center.queue, &at, fits)) {
    const i64 k = center.queue.at(at.tier, at.position);
    const i32 gpus = center.queue.gpus[k];
    const Tick limit = center.queue.limit[k];
    center.start(at.tier, at.position);
    started(gpus, limit);
    ++at.position;
  }
}

// One reservation, for the job at the cursor: EASY without a profile.
template <class S>
HD_CALL void pass_easy(Center<S>& center, Cursor blocked) {
  const Running<S>& r = center.running;
  const i32 wanted = center.queue.gpus[center.queue.at(blocked.tier, blocked.position)];
  Cursor at{blocked.tier, blocked.position + 1};
  const i32 free = center.free;
  if (!seek(center.queue, &at, [free](i32 g, Tick) { return g <= free; })) return;
  // Shadow time T: the estimated end at which enough GPUs have come back; the rest at T is spare.
  i64 released = 0;
  i32 i = S::prefix_sum_until(r.release_gpus, r.n, wanted - center.free, &released);
  const Tick shadow = greatest(key_tick(r.release[i]), center.now + 1);
  ROLLED
  for (++i; i < r.n && key_tick(r.release[i]) <= shadow; ++i) released += r.release_gpus[i];
  i64 spare = center.free + released - wanted;
  const Tick window = shadow - center.now;
  start_all(
      center, at,
      [&center, &spare, window](i32 g, Tick limit) {
        return g <= center.free && (limit <= window || g <= spare);
      },
      [&spare, window](i32 g, Tick limit) { spare -= limit > window ? g : 0; });
}

// Up to `reservations` of them, from the job at the cursor on: the general rule.
template <class S>
HD_CALL void pass_reserving(Center<S>& center, Cursor at, i64 reservations) {
  Profile<S>& profile = center.profile;
  const Queue<S>& queue = center.queue;
  const i32 smallest = queue.smallest();  // with fewer GPUs free nothing can start
  if (center.free < smallest) return;
  profile.build(center.running, center.now, center.free);
  ROLLED
  while (reservations > 0 && center.free >= smallest && !profile.full && !center.interrupted() &&
         seek(queue, &at, [](i32 g, Tick) { return g != kHole; })) {
    const i64 k = queue.at(at.tier, at.position);
    const i32 gpus = queue.gpus[k];
    const Tick limit = queue.limit[k];
    const Tick time = profile.earliest(gpus, limit);
    profile.carve(time, limit, gpus);
    if (time == center.now)
      center.start(at.tier, at.position);
    else
      --reservations;
    ++at.position;
  }
  // All reservations are given: what still fits the profile now may start. A candidate that the
  // free GPUs would hold but a reservation refuses is passed over.
  ROLLED
  while (center.free >= smallest && !profile.full && !center.interrupted()) {
    const i32 free = center.free;
    if (!seek(queue, &at, [free](i32 g, Tick) { return g <= free; })) break;
    const i64 k = queue.at(at.tier, at.position);
    const i32 gpus = queue.gpus[k];
    const Tick limit = queue.limit[k];
    if (profile.fits_now(gpus, limit)) {
      profile.carve(center.now, limit, gpus);
      center.start(at.tier, at.position);
    }
    ++at.position;
  }
  if (profile.full) center.status = kProfileFull;
}

template <class S>
HD_CALL void pass(Center<S>& center) {
  const Policy& policy = center.model->policy;
  Cursor at{0, 0};
  ROLLED
  for (;;) {  // jobs start in order until the first is blocked
    if (center.interrupted() || !seek(center.queue, &at, [](i32 g, Tick) { return g != kHole; }))
      return;
    if (center.queue.gpus[center.queue.at(at.tier, at.position)] > center.free) break;
    center.start(at.tier, at.position);
    ++at.position;
  }
  if (policy.backfill == kNone) return;
  if (policy.backfill == kSkip) {
    start_all(center, at, [&center](i32 g, Tick) { return g <= center.free; }, [](i32, Tick) {});
  } else if (center.free > 0) {
    // With nothing free, nothing can start, and reservations are forgotten (R15).
    if (policy.backfill == 1 && !policy.always_profile)
      pass_easy(center, at);
    else
      pass_reserving(center, at, policy.backfill == kAll ? center.queue.waiting : policy.backfill);
  }
}

}  // namespace gpusim

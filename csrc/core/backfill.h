// The scheduling pass: which waiting jobs start now, and where (R10, R12-R15, S7, S8).
//
// Jobs are visited in queue order. A job starts in the first allowed pool that has room; what
// happens behind one that is blocked is the policy:
//   none   nothing starts in its pools any more
//   skip   any job that fits the free GPUs of an allowed pool starts
//   K      the first K blocked jobs of each pool get a reservation there, at the earliest time at which
//          the pool's profile has room for their whole request; behind them a job starts only if it fits
//          the profile with the reservations carved out
//   all    every blocked job gets a reservation (conservative)
// K = 1 (EASY) needs no profile: with one reservation in a pool, at the shadow time T, a job fits if
// it ends by T or takes only GPUs that are spare at T. pass_easy must equal pass_reserving with K = 1;
// the tests run both. In a single pool more reservations than one start from there: pass_reserving_one_pool,
// which must equal pass_reserving, too. Where nobody fits beside the first reservation it is over; else it
// draws the profile, and gives reservations, no further than somebody still asks.
// In a single pool, while nothing but arrivals happens, a pass looks at the newcomers only: the
// window of each job it passed over only gets shorter, and until its tick comes the reservation stands, even
// where jobs outlast their requests: what is back by then stays the same.
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

HD bool before(Cursor a, Cursor b) {
  return a.tier < b.tier || (a.tier == b.tier && a.position < b.position);
}

// Moves to the first waiting job at or after the cursor that has room; false if there is none before `end`.
template <class S>
HD bool seek(Queue<S>& queue, Cursor* at, Cursor end, const Room& room) {
  ROLLED
  for (; at->tier < queue.tiers; ++at->tier, at->position = 0) {
    if (queue.live[at->tier] == 0) continue;
    at->position = queue.first_that(at->tier, greatest(at->position, queue.head[at->tier]), room);
    if (!before(*at, end)) return false;
    if (at->position < queue.tail[at->tier]) return true;
  }
  return false;
}

// The same for any waiting job.
template <class S>
HD bool seek_any(const Queue<S>& queue, Cursor* at, Cursor end) {
  ROLLED
  for (; at->tier < queue.tiers; ++at->tier, at->position = 0) {
    if (queue.live[at->tier] == 0) continue;
    at->position = queue.next_live(at->tier, greatest(at->position, queue.head[at->tier]));
    if (!before(*at, end)) return false;
    if (at->position < queue.tail[at->tier]) return true;
  }
  return false;
}

// Where the jobs end that a pass looks at: behind the first max_tests (R15).
template <class S>
HD Cursor last_look(const Center<S>& center) {
  const Queue<S>& queue = center.queue;
  i64 left = center.model->policy.max_tests;
  if (left < 0) return Cursor{queue.tiers, 0};
  ROLLED
  for (i32 t = 0; t < queue.tiers; ++t) {
    if (queue.live[t] <= left) {
      left -= queue.live[t];
      continue;
    }
    i32 i = queue.head[t];
    ROLLED
    for (; left > 0 || queue.index.gpus[queue.at(t, i)] == kHole; ++i)
      left -= queue.index.gpus[queue.at(t, i)] == kHole ? 0 : 1;
    return Cursor{t, i};
  }
  return Cursor{queue.tiers, 0};
}

// First allowed pool whose free GPUs hold the job at the cursor; -1: none.
template <class S>
HD i32 pool_with_room(const Center<S>& center, Cursor at) {
  const Job& job = center.queue.job_at(at.tier, at.position);
  return center.allowed_pool(job.job_class, [&](i32 p) { return job.gpus <= center.free[p]; });
}

// Starts every job from the cursor on that some pool has room for; with `block`, those that none has
// room for block their pools.
template <class S>
HD void pass_without_reservations(Center<S>& center, Cursor at, Cursor end, bool block) {
  i32 open = center.pools;  // pools that are not blocked
  i64* blocked = center.spare;
  S::each(center.pools, [=](i32 p) { blocked[p] = 0; });
  ROLLED
  while (open > 0 && !center.interrupted()) {
    const i32 most = block ? kAnyGang : center.most_free();
    if (!seek(center.queue, &at, end, room_of(most))) return;
    const Job& job = center.queue.job_at(at.tier, at.position);
    const i32 gpus = job.gpus;
    const i32 pool = center.allowed_pool(
        job.job_class, [&](i32 p) { return !blocked[p] && gpus <= center.free[p]; });
    if (pool >= 0) {
      center.start(at.tier, at.position, pool);
    } else if (block) {
      center.allowed_pool(job.job_class, [&](i32 p) {
        if (blocked[p] || gpus > center.capacity[p]) return false;
        S::once([&] { blocked[p] = 1; });
        --open;
        return false;
      });
    }
    ++at.position;
  }
}

// Whether EASY lets a job start in pool p now.
template <class S>
HD bool easy_fits(const Center<S>& center, i32 p, i32 gpus, Tick limit) {
  return gpus <= center.free[p] &&
         (limit <= center.shadow[p] - center.now || gpus <= center.spare[p]);
}

template <class S>
HD void easy_start(Center<S>& center, Cursor at, i32 p, i32 gpus, Tick limit) {
  if (limit > center.shadow[p] - center.now) S::once([&] { center.spare[p] -= gpus; });
  center.start(at.tier, at.position, p);
}

// Earliest tick at which a job of `gpus` has room in pool p while no reservation stands there; what
// is left over then goes to `spare`.
template <class S>
HD Tick shadow_time(Center<S>& center, i32 p, i32 gpus, i64* spare) {
  i64 given = 0;
  const Tick shadow =
      center.running.release[p].when_back(gpus - center.free[p], center.now, &given);
  *spare = center.free[p] + given - gpus;
  return shadow;
}

// One reservation a pool, from the first blocked job on.
template <class S>
HD_CALL void pass_easy(Center<S>& center, Cursor at, Cursor end) {
  const Policy& policy = center.model->policy;
  Tick* shadow = center.shadow;
  S::each(center.pools, [=](i32 p) { shadow[p] = kNever; });
  i32 without = center.pools;  // pools without a reservation
  ROLLED
  while (without > 0 && center.most_free() > 0 && !center.interrupted()) {
    if (!seek_any(center.queue, &at, end)) return;
    const Job& job = center.queue.job_at(at.tier, at.position);
    const i32 gpus = job.gpus;
    const Tick limit = job.limit;
    const i32 pool = center.allowed_pool(job.job_class,
                                         [&](i32 p) { return easy_fits(center, p, gpus, limit); });
    if (pool >= 0) {
      easy_start(center, at, pool, gpus, limit);
    } else {
      i32 best = -1;
      Tick earliest = kNever;
      i64 left_over = 0;
      center.allowed_pool(job.job_class, [&](i32 p) {
        if (shadow[p] != kNever || gpus > center.capacity[p]) return false;
        i64 spare = 0;
        const Tick time = shadow_time(center, p, gpus, &spare);
        if (time < earliest) {
          best = p;
          earliest = time;
          left_over = spare;
        }
        return false;
      });
      if (best >= 0 && (policy.window < 0 || earliest - center.now <= policy.window)) {
        S::once([&] {
          shadow[best] = earliest;
          center.spare[best] = left_over;
        });
        --without;
      }
    }
    ++at.position;
  }
  ROLLED
  while (!center.interrupted()) {
    const i32 most = center.most_free();
    if (most == 0 || !seek(center.queue, &at, end, room_of(most))) return;
    const Job& job = center.queue.job_at(at.tier, at.position);
    const i32 gpus = job.gpus;
    const Tick limit = job.limit;
    const i32 pool = center.allowed_pool(job.job_class,
                                         [&](i32 p) { return easy_fits(center, p, gpus, limit); });
    if (pool >= 0) easy_start(center, at, pool, gpus, limit);
    ++at.position;
  }
}

// EASY where one pool is all there is: what a candidate is compared with is the same for all of a pass, so the index
// finds it. With a window for reservations, or a bound on the jobs looked at, it is pass_easy.
template <class S>
HD_CALL void pass_easy_one_pool(Center<S>& center) {
  Queue<S>& queue = center.queue;
  i32 tier = 0;
  i32 gpus = 0;  // of the first job that is blocked
  ROLLED
  for (;;) {
    ROLLED
    while (queue.live[tier] == 0)
      if (++tier == queue.tiers) return;
    if (center.interrupted()) return;
    gpus = queue.job_at(tier, queue.head[tier]).gpus;
    if (gpus > center.free[0]) break;
    center.start(tier, queue.head[tier], 0);
  }
  if (center.free[0] == 0) return;  // nothing can start, and reservations are forgotten (R15)
  i64 spare = 0;
  const Tick shadow = shadow_time(center, 0, gpus, &spare), window = shadow - center.now;
  const i32 reserved = tier;
  i32 at = queue.head[tier] + 1;
  ROLLED
  for (;;) {
    const i32 free = center.free[0];
    if (free == 0 || center.interrupted()) break;
    at = queue.first_that(tier, at, Room{free, static_cast<i32>(least<i64>(spare, free)), window});
    if (at < queue.tail[tier]) {
      const Job& job = queue.job_at(tier, at);
      if (job.limit > window) spare -= job.gpus;
      center.start(tier, at++, 0);
      continue;
    }
    ROLLED
    do ++tier;
    while (tier < queue.tiers && queue.live[tier] == 0);
    if (tier == queue.tiers) break;
    at = queue.head[tier];
  }
  if (center.calms && center.status == kOk) center.calm = Calm{1, reserved, shadow, spare};
}

// Only newcomers have arrived since a pass that left a calm: they alone can start. False: a whole pass is needed, as they
// may come before the reserved job, or as one may start unless reservations behind that of EASY forbid it.
template <class S>
HD bool pass_newcomers(Center<S>& center) {
  Queue<S>& queue = center.queue;
  const i32* rank = center.model->classes.tier_rank;
  i32 tier = -1;
  ROLLED
  for (i32 i = 0; i < queue.newcomers; ++i) {
    const i32 t = rank[queue.job[queue.newcomer[i]].job_class];
    if (t < center.calm.tier || (tier >= 0 && t != tier)) return false;
    tier = t;
  }
  ROLLED
  for (i32 i = 0; i < queue.newcomers && !center.interrupted(); ++i) {
    const i32 place = queue.newcomer[i];
    if (!queue.here[place]) continue;
    const i32 gpus = queue.job[place].gpus;
    const bool beyond = queue.job[place].limit > center.calm.shadow - center.now;
    if (gpus > center.free[0] || (beyond && gpus > center.calm.spare)) continue;
    if (!built_for<S>(kEasyFamily) && !center.one_pool_easy) return false;
    if (beyond) center.calm.spare -= gpus;
    // newcomers of one tier are its last entries, in order
    center.start(tier, queue.tail[tier] - (queue.newcomers - i), 0);
  }
  return true;
}

// The earliest time over the allowed pools that may still give a reservation, or now; and the pool.
template <class S>
HD Tick earliest_over_pools(const Center<S>& center, const Job& job, i64 most, i32* pool) {
  Tick best = kNever;
  *pool = -1;
  center.allowed_pool(job.job_class, [&](i32 p) {
    if (job.gpus > center.capacity[p]) return false;
    const Profile<S>& profile = center.profile[p];
    const bool only_now = profile.reservations >= most;
    if (only_now && !(job.gpus <= center.free[p] && profile.fits_now(job.gpus, job.limit)))
      return false;
    const Tick time = only_now ? center.now : profile.earliest(job.gpus, job.limit);
    if (time < best) {
      best = time;
      *pool = p;
    }
    return time == center.now;
  });
  return best;
}

HD i64 most_reservations(const Policy& policy) {
  return policy.backfill == kAll ? kNever : policy.backfill;
}

// Up to `most` reservations in each pool, from the job at the cursor on: the general rule.
template <class S>
HD_CALL void pass_reserving(Center<S>& center, Cursor at, Cursor end, i64 most) {
  Queue<S>& queue = center.queue;
  const Tick window = center.model->policy.window;
  const i32 smallest = queue.smallest();  // with fewer GPUs free nothing can start
  i32 full = 0;                           // a profile has no room
  i32 open = center.pools;                // pools that may give reservations
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    center.profile[p].build(center.running.release[p], center.now, center.free[p]);
    full |= center.profile[p].full;
  }
  ROLLED
  while (!full && center.most_free() >= smallest && !center.interrupted()) {
    const i32 most_now = open > 0 ? kAnyGang : center.most_free();
    if (!seek(queue, &at, end, room_of(most_now))) break;
    const Job job = queue.job_at(at.tier, at.position);
    i32 pool = -1;
    const Tick time = earliest_over_pools(center, job, most, &pool);
    const bool starts = time == center.now;
    if (pool >= 0 && (starts || window < 0 || time - center.now <= window)) {
      Profile<S>& profile = center.profile[pool];
      profile.carve(time, job.limit, job.gpus);
      full |= profile.full;
      if (starts) {
        center.start(at.tier, at.position, pool);
      } else {
        S::once([&] { ++profile.reservations; });
        if (profile.reservations >= most) --open;
      }
    }
    ++at.position;
  }
  if (full) center.fail(kProfileFull);
}

// The first job from the cursor on that the profile lets start now; false if there is none. Who is refused stays refused
// for the rest of the pass: starts and reservations only take away. `room` bounds who may start, so that the index passes
// over the others; the step that refuses a job is the next bound, as nobody larger may outlast the beginning of that step.
template <class S>
HD bool seek_candidate(Center<S>& center, Cursor* at, Cursor end, Room* room) {
  Queue<S>& queue = center.queue;
  Profile<S>& profile = center.profile[0];
  ROLLED
  for (;; ++at->position) {
    room->free = center.free[0];
    room->spare = least(room->spare, room->free);
    if (room->free == 0 || center.interrupted() || !seek(queue, at, end, *room)) return false;
    const Job& job = queue.job_at(at->tier, at->position);
    const i32 step = profile.refusal(center.running.release[0], job.gpus, job.limit);
    if (step < 0) return true;
    room->spare = profile.free[step];
    room->window = profile.time[step] - center.now;
  }
}

template <class S>
HD bool refused(Center<S>& center, Cursor at) {
  const Job& job = center.queue.job_at(at.tier, at.position);
  return center.profile[0].refusal(center.running.release[0], job.gpus, job.limit) >= 0;
}

// The general rule where one pool is all there is, from the first blocked job on. Its reservation is that of EASY, and
// those behind it only take more away: so who may start passes the test of EASY, and if nobody does, that is all.
// Otherwise jobs get their reservations in order, but no further than to the last job that may still start: the
// reservations of all behind it would be forgotten without having been asked.
template <class S>
HD_CALL void pass_reserving_one_pool(Center<S>& center, Cursor at, Cursor end, i64 most) {
  Queue<S>& queue = center.queue;
  Release<S>& release = center.running.release[0];
  Profile<S>& profile = center.profile[0];
  const Tick now = center.now;
  i64 spare = 0;
  Tick time = shadow_time(center, 0, queue.job_at(at.tier, at.position).gpus, &spare);
  Room room{center.free[0], static_cast<i32>(least<i64>(spare, center.free[0])), time - now};
  Cursor next{at.tier, at.position + 1};  // the first that may start
  if (!seek(queue, &next, end, room)) {
    if (center.calms && center.status == kOk) center.calm = Calm{1, at.tier, time, spare};
    return;
  }
  profile.begin(release, now, center.free[0]);
  bool open = true;
  ROLLED
  while (open && !profile.full && !center.interrupted()) {
    const Job& job = queue.job_at(at.tier, at.position);
    const i32 gpus = job.gpus;
    const Tick limit = job.limit;
    const bool starts = !before(at, next);
    if (starts) {
      profile.take(now, limit, gpus);
      center.start(at.tier, at.position, 0);
    } else {
      if (profile.reservations > 0) time = profile.earliest_from(release, gpus, limit);
      profile.carve(time, limit, gpus);
      S::once([&] { ++profile.reservations; });
    }
    ++at.position;
    if (starts) next = at;
    if (starts || refused(center, next)) open = seek_candidate(center, &next, end, &room);
    if (profile.reservations >= most) at = next;
    if (open) seek_any(queue, &at, end);
  }
  if (profile.full) center.fail(kProfileFull);
}

// Jobs start in order until the first is blocked; then the policy rules.
template <class S>
HD_CALL void pass_by_policy(Center<S>& center) {
  const Policy& policy = center.model->policy;
  const Cursor end = last_look(center);
  Queue<S>& queue = center.queue;
  Cursor at{0, 0};
  i32 pool = 0;
  ROLLED
  while (pool >= 0) {
    ROLLED
    while (at.tier < queue.tiers && queue.live[at.tier] == 0) ++at.tier;
    if (at.tier == queue.tiers || center.interrupted()) return;
    at.position = queue.head[at.tier];
    if (!before(at, end)) return;
    pool = pool_with_room(center, at);
    if (pool >= 0) center.start(at.tier, at.position, pool);
  }
  if (center.most_free() == 0) return;  // nothing can start, and reservations are forgotten (R15)
  if (policy.backfill == kNone)
    pass_without_reservations(center, at, end, true);
  else if (policy.backfill == kSkip)
    pass_without_reservations(center, at, end, false);
  else if (policy.backfill == 1 && !policy.always_profile)
    pass_easy(center, at, end);
  else if (center.pools == 1 && policy.window < 0 && !policy.always_profile)
    pass_reserving_one_pool(center, at, end, most_reservations(policy));
  else
    pass_reserving(center, at, end, most_reservations(policy));
}

template <class S>
HD_CALL void pass(Center<S>& center) {
  if (center.calm.valid && center.now < center.calm.shadow && pass_newcomers(center)) return;
  center.calm.valid = 0;
  if (built_for<S>(kEasyFamily) || center.one_pool_easy)
    pass_easy_one_pool(center);
  else
    pass_by_policy(center);
}

}  // namespace gpusim

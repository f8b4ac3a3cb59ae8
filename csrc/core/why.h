// Why jobs wait, and why GPUs are idle (R34-R36, S28, S29): exact, and nothing is lost.
//
// Only the first job of a line (what waits of one tier and tenant) has a cause of its own; all others are behind their
// own. So the whole wait of a class is booked as `behind own` when a job has waited (Tally::waited), and what the
// first ones are charged is taken out of it. A cause holds from one settled tick to the next.
#pragma once
#include "center.h"
#include "outlook.h"
#include "types.h"

namespace gpusim {

// Charges what has passed since causes were last told.
template <class S>
HD_CALL void charge_why(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  Tally<S>& tally = center.tally;
  const Tick dt = tally.ticks_counted(t.told, center.now);
  t.told = center.now;
  if (dt == 0) return;
  ROLLED
  for (i32 l = 0; l < center.model->classes.lines; ++l) {
    if (t.head_index[l] < 0) continue;
    const i64 gpu_ticks = dt * t.head_gpus[l];
    tally.charge(t.head_class[l], kBehindOwn, -gpu_ticks);
    tally.charge(t.head_class[l], static_cast<Cause>(t.head_cause[l]), gpu_ticks);
  }
  i64* idle = tally.out.idle;
  S::each(center.pools, [&](i32 p) {
    idle[p * kIdles + t.idle_cause[p]] += dt * t.idle_gpus[p];
    idle[p * kIdles + kClosedIdle] += dt * t.idle_closed[p];
  });
}

// Whether a waiting job passes the quota test of pool p as it is: with what the pass holds for owners, until it is released.
template <class S>
HD_APART bool admitted(const Center<S>& center, const Job& job, i32 p) {
  const i32 c = job.job_class;
  return center.model->sharing.urgent[c] ||
         center.tenants.quota.admits_unreserved(center.model->classes.tenant[c], user_of(job.part),
                                                p, job.gpus);
}

// The first of a job's pools that has GPUs for it now, and where it passes the quota test and f(pool) holds; -1: none.
template <class S, class F>
HD i32 pool_with_room(const Center<S>& center, const Job& job, F f) {
  return center.allowed_pool(job.job_class, [&](i32 p) {
    return center.may_ever(job.job_class, p, job.gpus) && job.gpus <= center.free[p] &&
           admitted(center, job, p) && f(p);
  });
}

// Why the first job of a line waits although there is room for it, after a pass and before its holds are released; kCauses
// where there is none. The profile is the one that the pass has left.
template <class S>
HD Cause cause_with_room(Center<S>& center, const Job& job, bool passed) {
  if (pool_with_room(center, job, [](i32) { return true; }) < 0) return kCauses;
  const bool kept = !passed || pool_with_room(center, job, [&](i32 p) {
                                 return keeps_room(center, p, job.gpus, job.limit);
                               }) >= 0;
  return kept ? kPriorityCause : kReservationCause;
}

// Otherwise, when nothing is held any more.
template <class S>
HD Cause cause_without_room(const Center<S>& center, const Job& job) {
  if (pool_with_room(center, job, [](i32) { return true; }) >= 0) return kQuotaCause;  // held
  const i32 pool = center.allowed_pool(job.job_class, [&](i32 p) {
    return center.may_ever(job.job_class, p, job.gpus) && admitted(center, job, p);
  });
  return pool < 0 ? kQuotaCause : kCapacityCause;
}

// f(job) of all waiting jobs that may run in pool p, until it returns true; whether it did.
template <class S, class F>
HD bool any_waiting(const Center<S>& center, i32 p, F f) {
  const Queue<S>& q = center.queue;
  ROLLED
  for (i32 l = 0; l < q.tiers; ++l) {
    ROLLED
    for (i32 i = q.head[l]; q.live[l] > 0 && i < q.tail[l]; ++i) {
      i = q.next_live(l, i);
      if (i == q.tail[l]) break;
      const Job& job = q.job_at(l, i);
      const bool mine = center.allowed_pool(job.job_class, [&](i32 k) {
        return k == p && center.may_ever(job.job_class, p, job.gpus);
      }) >= 0;
      if (mine && f(job)) return true;
    }
  }
  return false;
}

// What the idle GPUs of a pool wait for (S29, S36), where somebody would fit, before holds are released; kIdles: nobody would.
template <class S>
HD Idle idle_with_room(const Center<S>& center, i32 p) {
  const Tick closing = center.closures.next_start(p);
  bool fits = false;
  const bool drained = any_waiting(center, p, [&](const Job& job) {
    if (job.gpus > center.free[p] || !admitted(center, job, p)) return false;
    fits = true;
    return closing == kNever || center.now + job.limit > closing;  // nothing more to find
  });
  if (drained && closing != kNever) return kDrainedIdle;
  return fits ? kReservedIdle : kIdles;
}
// Otherwise, when nothing is held any more.
template <class S>
HD Idle idle_without_room(const Center<S>& center, i32 p) {
  bool wanted = false;
  const bool admits_some = any_waiting(center, p, [&](const Job& job) {
    wanted = true;
    return job.gpus > center.free[p] && admitted(center, job, p);
  });
  return wanted && !admits_some ? kQuotaIdle : kFreeIdle;
}

// Whether somebody waits in a line who did before this tick.
template <class S>
HD bool waits_on(const Center<S>& center, i32 line) {
  const Queue<S>& q = center.queue;
  ROLLED
  for (i32 i = q.head[line]; i < q.tail[line]; ++i)
    if (q.index.gpus[q.at(line, i)] != kHole && q.since(line, i) < center.now) return true;
  return false;
}

// After a tick has been settled. Without a pass causes stay (S28): only who joins an empty line is told. What the last pass
// holds for owners is released here: it counts for those who would have room without it.
template <class S>
HD_CALL void tell_why(Center<S>& center, bool passed) {
  Tenants<S>& t = center.tenants;
  Queue<S>& q = center.queue;
  charge_why(center);
  ROLLED
  for (i32 l = 0; l < q.tiers; ++l) {
    if (q.live[l] == 0) {
      S::once([&] { t.head_index[l] = -1; });
      continue;
    }
    const i32 place = q.place[q.at(l, q.head[l])];
    if (!passed && waits_on(center, l)) {
      const i32 before = t.head_place[l];
      if (t.head_index[l] >= 0 && (!q.here[before] || q.job[before].index != t.head_index[l]))
        S::once([&] {
          t.head_index[l] = -1;
        });  // gone: all others are behind their own until the next pass
      continue;
    }
    const Job& first = q.job[place];
    const Cause cause = cause_with_room(center, first, passed);
    S::once([&] {
      t.head_index[l] = first.index;
      t.head_place[l] = place;
      t.head_cause[l] = cause;
      t.head_class[l] = first.job_class;
      t.head_gpus[l] = first.gpus;
    });
  }
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    const i32 closed = center.closures.closed_now(p);
    const Idle why = passed ? idle_with_room(center, p) : static_cast<Idle>(t.idle_cause[p]);
    S::once([&] {
      t.idle_cause[p] = why;
      t.idle_gpus[p] = center.free[p];
      t.idle_closed[p] = closed;
    });
  }
  t.release_holds();
  ROLLED
  for (i32 l = 0; l < q.tiers; ++l) {
    if (t.head_index[l] < 0 || t.head_cause[l] != kCauses) continue;
    const Cause cause = cause_without_room(center, q.job[t.head_place[l]]);
    S::once([&] { t.head_cause[l] = cause; });
  }
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    if (t.idle_cause[p] != kIdles) continue;
    const Idle why = idle_without_room(center, p);
    S::once([&] { t.idle_cause[p] = why; });
  }
}

}  // namespace gpusim

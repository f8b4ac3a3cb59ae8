// What a center shared by tenants knows besides (R16-R30): quotas, who may be a victim, what running jobs have behind them.
//
// Preemptible jobs that run are linked by pool and class in the order in which they started, the latest first, so that
// victims are found in their order (R25) without a search: lists of classes are merged. A job is *ripe* when its exempt
// time is over.
#pragma once
#include "fairness.h"
#include "model.h"
#include "quota.h"
#include "queue.h"
#include "running.h"
#include "types.h"

namespace gpusim {

struct Tenure {    // of a running job, beside its Run
  Tick limit;      // asked for
  Tick remaining;  // work when it started
  Tick delay;      // before its work begins: the grace of its victims (R30)
  Tick queued;     // ordered it in the queue
  i32 evictions;
  i32 older;  // preemptible jobs of its pool and class: the one that started before it, or -1
  i32 newer;
};

// Wall time of `work` on a class's checkpoints: none is made at the end (S23).
HD Tick wall_time(const Sharing& s, i32 c, Tick work) {
  const Tick every = s.checkpoint[c];
  const Tick cost = s.checkpoint_cost[c];
  return every == 0 || cost == 0 ? work : work + (work - 1) / every * cost;
}

// Checkpoints written `used` ticks after the own work of a start began, of those that it takes.
HD Tick checkpoints(const Sharing& s, i32 c, Tick remaining, Tick used) {
  const Tick every = s.checkpoint[c];
  return every == 0 ? 0 : least(used / (every + s.checkpoint_cost[c]), (remaining - 1) / every);
}

// Work done by then.
HD Tick work_done(const Sharing& s, i32 c, Tick remaining, Tick used) {
  const Tick every = s.checkpoint[c], made = checkpoints(s, c, remaining, used);
  const Tick since =
      used - made * (every + s.checkpoint_cost[c]);  // more than `every`: it is writing
  return least(remaining, every == 0 ? used : made * every + least(since, every));
}

// Work that outlives an eviction: that of the last checkpoint, or all of it where it can be written in time (R29).
HD Tick saved_work(const Sharing& s, i32 c, Tick remaining, Tick used) {
  if (s.checkpoint[c] == 0) return 0;
  return s.grace[c] >= s.checkpoint_cost[c] ? work_done(s, c, remaining, used)
                                            : checkpoints(s, c, remaining, used) * s.checkpoint[c];
}

// The next victim of a class, should it need one.
struct Candidate {
  Tick start;
  i64 index;
  i32 slot;
  i32 job_class;
};

// A pass has changed what a tenant uses of a pool: what it used before, and which job the scan had reached.
struct Change {
  i32 tenant;
  i32 pool;
  i32 sweep;
  i32 tier;
  i32 place;
  i64 used;
};

template <class S>
struct Tenants {
  Quota<S> quota;
  Fair<S> fair;
  const Model* model;
  i32 classes;  // C
  i32 lines;
  u32 pass;  // number of the present pass
  i32 wide;  // passes look at all jobs once somebody might start: those who do not start matter, too
  i32 touchy;  // some owner may not reclaim: what it owns may have to be held back at any start (R20)
  i32 passes_lone;  // where others wait, too, a pass may begin with a newcomer that is in no line (shared_pass.h)
  i32 by_shadow;  // EASY in a single pool: see outlook.h
  i32 reclaims;   // some tenant takes from others
  i32 urgents;    // some class is urgent
  i32 narrow;     // bounds may be kept in 32 bits: a single pool, of less than plenty
  i32 holds;      // GPUs are held back for owners in this pass
  i32 hots;       // lines in which somebody might start
  i32 changes;    // of this pass
  i32 evicted;    // jobs evicted in this pass: they go back to the queue after it
  i32 evictions;  // in this tick
  i64 slack;  // in every line the smallest gang is larger, by this at least, than any that might start (might.h)
  Tick next_ripe;  // no job becomes ripe before
  Tick last_link;  // start of the job linked last
  Tenure* tenure;  // (slots of running jobs,)
  i32* newest;     // (P, C) last preemptible job that started, or -1
  i32* unripe;     // (P, C) of those that are not ripe the one that started first, or -1
  i64* evictable;  // (T, P) GPUs of the tenant's preemptible running jobs
  i32*
      lower;  // (P, lines) GPUs that a job of the line may evict, those of tenants over their nominal aside
  i64* over;      // (N, P) by root: evictable GPUs of tenants over their nominal
  i64* over_all;  // (P,) of all roots
  i64* in_over;   // (T, P) what of it is the tenant's
  i64*
      may_own;  // (T, P) what the tenant owns, with which it may take from others: nominal; kUnbounded where it may take
                // while it borrows, or for a cohort; negative where it never does
  i32* spare;   // (T,) in a single pool: what a tenant does not use of what it keeps for itself,
  i32* reach;   // (T,) .. what it may use of what is lent to it,
  i32* owned;   // (T,) .. the largest gang that may have victims of other tenants,
  i32* takes;   // (T,) .. and what quotas and free GPUs let it have (might.h); all at most kPlenty
  i32* smallest;         // (lines,) no waiting job of the line is smaller; kHole: nobody waits
  u8* has_urgent;        // (lines,) 1: some class of the line is urgent
  Candidate* candidate;  // (C,) of a search for victims
  i32* victim;   // (slots of running jobs,) found by a search, in the order of R25; -1: spared
  Job* back;     // (slots of running jobs,) the evicted
  Past* behind;  // (slots of running jobs,)
  i64* class_waiting;  // (C,) waiting jobs
  u8* closed;          // (P,) pools in which nobody starts any more in this pass (R13)
  u8* stopped;         // (T, P) strict tenants: nobody starts there any more in this pass (S19)
  u8* put_off;         // (T,) strict tenants: who is left waits for the second sweep (S17)
  i64* held;           // (T, P) GPUs that count as used in this pass (R20)
  i32* hot;            // (lines,) see might.h
  i32* hot_most;       // (lines,) of each of them: the largest gang that might start
  i32* front;          // (lines,) of each of them: position of its next job; -1 none
  i32* front_most;     // (lines,) and the largest gang that is looked at
  i64* share;          // (lines,) under weighted share: of that job (S33)
  Change* change;      // (slots of running jobs,)
  i64* head_index;     // (lines,) first waiting job of a line, or -1
  i32* head_place;     // (lines,)
  i32* head_cause;     // (lines,) and why it waits
  i32* head_class;     // (lines,)
  i64* head_gpus;      // (lines,)
  i32* idle_cause;     // (P,) Idle
  i32* idle_gpus;      // (P,)
  i32* idle_closed;    // (P,) GPUs that are closed
  Tick told;           // causes are those from this tick on

  HD i64 at(i32 p, i32 c) const { return static_cast<i64>(p) * classes + c; }
  HD i64 of_line(i32 p, i32 line) const { return static_cast<i64>(p) * lines + line; }

  HD void clear(const Model& m, const i32* capacity) {
    const i32 pools = m.classes.pools, tenants = m.classes.tenants;
    pass = 0;
    evicted = evictions = holds = urgents = 0;
    slack = kUnbounded;
    next_ripe = kNever;
    told = 0;
    last_link = -1;
    reclaims = 0;
    by_shadow = pools == 1 && m.policy.backfill == 1 && m.policy.window < 0 &&
                !m.policy.always_profile && m.closures.n == 0;
    wide = m.policy.backfill != kSkip && !by_shadow;
    touchy = 0;
    ROLLED
    for (i32 t = 0; t < tenants; ++t) {
      const bool never = m.sharing.reclaim[t] == kReclaimNever;
      reclaims |= m.sharing.preempts && !never ? 1 : 0;
      wide |= m.sharing.strict[t];
    }
    quota.clear(capacity);
    fair.clear(capacity, pools);
    ROLLED
    for (i32 t = 0; t < tenants; ++t) touchy |= may_hold(m, t) ? 1 : 0;
    narrow = pools == 1 && capacity[0] < kPlenty;
    passes_lone = !wide && !touchy && !by_shadow && m.policy.order == kFifo;
    S::each(pools * classes, [&](i32 i) { newest[i] = unripe[i] = -1; });
    S::each(classes, [&](i32 c) { class_waiting[c] = 0; });
    S::each(tenants * pools, [&](i32 i) {
      stopped[i] = 0;
      held[i] = 0;
    });
    S::each(m.classes.lines, [&](i32 l) { head_index[l] = -1; });
    S::each(tenants * pools, [&](i32 i) { evictable[i] = in_over[i] = 0; });
    S::each(m.sharing.nodes * pools, [&](i32 i) { over[i] = 0; });
    S::each(pools, [&](i32 p) { over_all[p] = 0; });
    S::each(tenants, [&](i32 t) {
      const i32 above = m.sharing.parent[t];
      const bool may_take = m.sharing.reclaim[t] != kReclaimNever && above >= 0;
      const bool cohort_owns = above >= 0 && m.sharing.parent[above] >= 0;
      for (i32 p = 0; p < pools; ++p)
        may_own[quota.at(t, p)] = !may_take ? -kUnbounded
                                  : m.sharing.borrows[t] || cohort_owns
                                      ? kUnbounded
                                      : quota.nominal[quota.at(t, p)];
      const i64 k = quota.at(t, 0);
      reach[t] = at_most_plenty(quota.reach[k]);
      spare[t] = at_most_plenty(quota.local[k], 2 * kPlenty);  // plenty, whatever is used
      owned[t] = at_most_plenty(may_own[k], 2 * kPlenty);
    });
    S::each(lines * pools, [&](i32 i) { lower[i] = 0; });
    S::each(lines, [&](i32 l) {
      smallest[l] = kHole;
      has_urgent[l] = 0;
    });
    ROLLED
    for (i32 c = 0; c < classes; ++c) {
      if (!m.sharing.urgent[c]) continue;
      S::once([&] { has_urgent[m.classes.line[c]] = 1; });
      urgents = 1;
    }
    S::each(pools, [&](i32 p) {
      idle_cause[p] = kFreeIdle;
      idle_gpus[p] = capacity[p];
      idle_closed[p] = 0;
    });
  }

  // Whether GPUs may be held back for a tenant where that matters to others, or to other jobs of its own (R20): one that
  // is alone is blocked by limits and reservations only.
  HD bool may_hold(const Model& m, i32 t) const {
    if (m.sharing.reclaim[t] != kReclaimNever) return false;
    bool owns = false;
    ROLLED
    for (i32 p = 0; p < quota.pools; ++p) owns |= quota.has(t, p);
    return m.sharing.parent[t] >= 0 ||
           (owns && (m.sharing.most_gpus[t] != kNoAmount || m.sharing.most_jobs[t] != kNoAmount ||
                     m.policy.backfill >= 1 || m.policy.backfill == kAll));
  }

  // What a pass has held back for owners is free again (S19): before the next pass, and when causes have been told.
  HD void release_holds() {
    ROLLED
    for (i32 t = 0; holds && t < model->classes.tenants; ++t) {
      if (model->sharing.reclaim[t] != kReclaimNever) continue;
      ROLLED
      for (i32 p = 0; p < quota.pools; ++p) {
        const i64 k = quota.at(t, p), gpus = held[k];
        if (gpus == 0) continue;
        quota.hold(t, p, -gpus);
        S::once([&] { held[k] = 0; });
      }
    }
    holds = 0;
  }

  // A preemptible job of a tenant has started; among those of one tick the later job index counts as later.
  HD_JOB void link(const Run* run, i32 slot, i32 t, Tick exempt) {
    const i64 list = at(run[slot].pool, run[slot].job_class);
    const Tick start = run[slot].start;
    i32 after = newest[list], before = -1;
    ROLLED
    while (last_link == start && after >= 0 && run[after].start == start &&
           run[after].index > run[slot].index) {
      before = after;
      after = tenure[after].older;
    }
    last_link = start;
    S::once([&] {
      tenure[slot].older = after;
      tenure[slot].newer = before;
      if (after >= 0) tenure[after].newer = slot;
      if (before >= 0)
        tenure[before].older = slot;
      else
        newest[list] = slot;
      if (exempt > 0 && (unripe[list] < 0 || unripe[list] == before)) unripe[list] = slot;
    });
    if (exempt > 0) next_ripe = least(next_ripe, run[slot].start + exempt);
    count(run[slot], t, run[slot].gpus);
  }
  HD_JOB void unlink(const Run* run, i32 slot, i32 t) {
    const i64 list = at(run[slot].pool, run[slot].job_class);
    const i32 older = tenure[slot].older, newer = tenure[slot].newer;
    S::once([&] {
      if (older >= 0) tenure[older].newer = newer;
      if (newer >= 0)
        tenure[newer].older = older;
      else
        newest[list] = older;
      if (unripe[list] == slot) unripe[list] = newer;
    });
    count(run[slot], t, -run[slot].gpus);
  }

  // GPUs of preemptible jobs come or go, and with them what lines may evict: those of their tenant by its rule, those with
  // urgent jobs where they stand above.
  HD_JOB void count(const Run& run, i32 t, i32 gpus) {
    const i32 tenants = model->classes.tenants, own = model->classes.line[run.job_class];
    const i32 rule = model->sharing.within[t];
    const i32 last = rule == kWithinNever ? -1 : rule == kWithinLower ? own - tenants : own;
    i32* of_lines = lower + of_line(run.pool, 0);
    S::once([&] {
      evictable[quota.at(t, run.pool)] += gpus;
      for (i32 l = t; l < lines; l += tenants) of_lines[l] += gpus & -static_cast<i32>(l <= last);
    });
    if (urgents) count_for_urgent(of_lines, own, last, gpus);
  }
  // In tiers above; lines of its tenant that may evict it have counted it.
  HD_CALL void count_for_urgent(i32* of_lines, i32 own, i32 last, i32 gpus) {
    const i32 tenants = model->classes.tenants, t = own % tenants;
    const u8* urgent = has_urgent;
    S::each(own - t,
            [=](i32 l) { of_lines[l] += urgent[l] && (l % tenants != t || l > last) ? gpus : 0; });
  }

  // GPUs of running jobs of a tenant come or go.
  HD void note_use(i32 t, i32 gpus) {
    if (!narrow) return;
    S::once([&]() AT_ONCE {
      spare[t] -= gpus;
      owned[t] -= gpus;
    });
  }

  // The same for the order of tenants (S30).
  HD void note_fair_use(i32 t, i32 gpus, Tick now) {
    if (!fair.keyed()) return;
    fair.use(t, model->fairness.over_quota ? beyond_quota(t) - fair.busy[t] : gpus, now);
  }
  // GPUs of running jobs of a tenant in the center's own pools that are beyond its quotas; all of them where it has none.
  HD_CALL i64 beyond_quota(i32 t) const {
    const i32 center = model->fairness.center_pools;
    i64 beyond = 0;
    ROLLED
    for (i32 p = 0; p < (center > 0 ? center : quota.pools); ++p) {
      const i64 k = quota.at(t, p), own = quota.has(t, p) ? quota.nominal[k] : 0;
      beyond += greatest<i64>(0, quota.used[k] - held[k] - own);
    }
    return beyond;
  }

  // What a tenant uses of a pool has changed, or what of it may be evicted.
  HD_JOB void recount(i32 t, i32 p) {
    if (!reclaims) return;
    const i64 k = quota.at(t, p), top = quota.at(model->sharing.root[t], p);
    const i64 some = evictable[k];  // read whether it counts or not: no telling which
    const i64 more = (quota.over_nominal(t, p) ? some : 0) - in_over[k];
    slack -= greatest<i64>(0, more);
    S::once([&]() AT_ONCE {
      over[top] += more;
      over_all[p] += more;
      in_over[k] += more;
    });
  }
};

// Whether a waiting job of class w may ever have one of class v that runs in pool p as its victim (S24): amounts are
// not looked at.
HD bool may_evict(const Model& m, i32 w, i32 v, i32 p) {
  const Sharing& s = m.sharing;
  const Classes& k = m.classes;
  bool there = false;
  ROLLED
  for (i32 i = k.pool_offset[w]; i < k.pool_offset[w + 1]; ++i) there |= k.pool_list[i] == p;
  if (!there) return false;
  const i32 mine = k.tenant[w], other = k.tenant[v], above = s.priority[w], below = s.priority[v];
  if (s.urgent[w]) return above > below;
  if (mine == other)
    return (s.within[mine] != kWithinNever && above > below) ||
           (s.within[mine] == kWithinLowerOrNewer && above == below);
  if (s.root[mine] != s.root[other] || s.reclaim[mine] == kReclaimNever) return false;
  return s.reclaim[mine] == kReclaimAny || above > below;
}

}  // namespace gpusim

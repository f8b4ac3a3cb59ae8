// The scheduling pass of a center that tenants share: R12-R15 with R18-R27, S15-S21.
//
// Waiting jobs stand in lines, one for each tenant of a tier; a pass merges the lines of a tier. A job starts in the
// first of its pools where quota and placement pass; else it may evict others; else it is blocked, by quota or by
// capacity, and what that means for those behind it is the policy's. This is the general rule: backfill.h does the same
// where nobody owns anything, and must equal it.
// Who cannot start, and means nothing to those behind, is passed over: see might.h. `always_profile` looks at everybody,
// with the same result.
#pragma once
#include "center.h"
#include "might.h"
#include "outlook.h"
#include "types.h"
#include "victims.h"
#include "weighted_share.h"

namespace gpusim {

enum Looks : i32 {
  kAtHot,       // those that might start
  kAtAdmitted,  // and those that quotas admit: one of them will have the reservation
  kAtAll,
};

// The scan of one pass.
template <class S>
struct Scan {
  Center<S>* center;
  i64 most;     // reservations of a pool
  i32 sweep;    // 0, 1; or 2: all in one
  i32 blocked;  // pools that are (R13)
  i32 looks;    // at which jobs: Looks
  i32 grown;    // somebody was evicted, or could be now
  i32 tier;     // where the scan stands: its tier, and the place of its job
  i32 here;

  HD Tenants<S>& tenants() const { return center->tenants; }
  HD const Sharing& sharing() const { return center->model->sharing; }

  // From a tier on; `behind`: a job has started before that is in no line, as t.change[0] tells, and the first of two sweeps
  // has found nobody.
  HD_CALL void run(i32 first, bool behind) {
    Center<S>& c = *center;
    const Policy& policy = c.model->policy;
    const i32 pools = c.pools, all = c.model->classes.tenants * pools;
    Tenants<S>& t = tenants();
    most = policy.backfill == kAll ? kNever : policy.backfill >= 1 ? policy.backfill : 0;
    looks = t.wide || policy.always_profile || policy.max_tests >= 0 || by_share() ? kAtAll
            : t.by_shadow                                                          ? kAtAdmitted
                                                                                   : kAtHot;
    blocked = grown = 0;
    ++t.pass;
    t.changes = behind ? 1 : 0;
    S::each(pools, [&](i32 p) { t.closed[p] = 0; });
    if (t.wide) {
      S::each(all, [&](i32 i) { t.stopped[i] = 0; });
      S::each(c.model->classes.tenants, [&](i32 i) { t.put_off[i] = 0; });
    }
    if (c.running.reserves) t.quota.forget_reservations();
    open_outlook(c);
    if (c.status != kOk) return;
    if (looks != kAtHot || t.touchy) take_all_lines(c);
    if (policy.max_tests >= 0) skip_all_but(policy.max_tests);
    if (sharing().borrowers_last) {
      if (!behind) sweep_once(0, first);
      sweep_once(1, first);
    } else {
      sweep_once(2, first);
    }
    let_go();
  }

 private:
  HD i32 tier_of(i32 line) const { return line / center->model->classes.tenants; }
  HD i32 place_of(i32 k) const {  // of the next job of a line
    const Queue<S>& q = center->queue;
    return q.place[q.at(tenants().hot[k], tenants().front[k])];
  }

  // The lines of a tier are hot[from .. behind(from)).
  HD i32 behind(i32 from) const {
    const Tenants<S>& t = tenants();
    i32 end = from;
    ROLLED
    while (end < t.hots && tier_of(t.hot[end]) == tier_of(t.hot[from])) ++end;
    return end;
  }

  // Moves a line to its first job from a position on that this pass has not looked at, that comes after the job of place
  // `cursor` (-1: any) and whose gang is not too large.
  HD_APART void move(i32 k, i32 from, i32 cursor) const {
    Queue<S>& q = center->queue;
    const i32 line = tenants().hot[k], end = q.tail[line];
    const Room room = room_for(k);
    i32 at = from;
    ROLLED
    while ((at = q.first_that(line, at, room)) < end) {
      const i32 place = q.place[q.at(line, at)];
      if (q.past[place].pass != tenants().pass && (cursor < 0 || after(place, cursor))) break;
      ++at;
    }
    S::once([&] { tenants().front[k] = at < end ? at : -1; });
    if (by_share()) tell_share(k);
  }

  // Whether jobs stand behind a shadow: they must end by then, or be in nobody's way.
  HD bool in_shadow() const {
    return tenants().by_shadow && center->running.reserves && center->shadow[0] != kNever;
  }
  // GPUs that are there for a job beyond the shadow; every victim adds its own at most.
  HD i64 beyond_shadow() const { return least<i64>(center->free[0], center->spare[0]); }

  // Who of a line is worth a look.
  HD Room room_for(i32 k) const {
    const i32 gang = tenants().front_most[k];
    if (looks != kAtHot || tenants().touchy || !in_shadow()) return room_of(gang);
    const i64 spare = beyond_shadow();
    const i64 anyhow = greatest(spare, largest_that_evicts(*center, tenants().hot[k], 0, spare));
    return Room{gang, static_cast<i32>(least<i64>(gang, greatest<i64>(0, anyhow))),
                center->shadow[0] - center->now};
  }

  // Lines hot[from .. end) from the job of a place on.
  HD_APART void open(i32 from, i32 end, i32 cursor) const {
    ROLLED
    for (i32 k = from; k < end; ++k) {
      const i32 line = tenants().hot[k];
      const bool noted =
          looks == kAtHot && !tenants().touchy;  // by find_hot_lines(): since then it has not grown
      const i64 gang = least(noted ? tenants().hot_most[k] : largest_of_interest(line),
                             sweep == 0 ? largest_of_first_sweep(line) : kAnyGang);
      const bool some = tenants().smallest[line] <= gang;
      S::once([&] {
        tenants().front_most[k] = static_cast<i32>(least<i64>(gang, kAnyGang));
        tenants().front[k] = -1;
      });
      if (some) move(k, center->queue.head[line], cursor);
    }
  }

  // Largest gang of a line that matters: that might start, get a reservation, or have GPUs held back for it.
  HD_APART i64 largest_of_interest(i32 line) const {
    const Quota<S>& quota = tenants().quota;
    const i32 tenant = line % center->model->classes.tenants;
    if (looks == kAtAll || (looks == kAtAdmitted && tenants().has_urgent[line])) return kAnyGang;
    i64 most_gpus = largest_that_might(*center, line);
    const bool never = tenants().touchy && sharing().reclaim[tenant] == kReclaimNever;
    ROLLED
    for (i32 p = 0; p < center->pools && (never || looks == kAtAdmitted); ++p) {
      const i64 admitted = quota.available(tenant, p), k = quota.at(tenant, p);
      if (looks == kAtAdmitted) most_gpus = greatest(most_gpus, admitted);
      if (never && quota.has(tenant, p))  // whatever blocks it: quota, limits or reservations
        most_gpus = greatest(most_gpus, quota.nominal[k] - quota.used[k]);
    }
    return most_gpus;
  }

  // Largest gang of a line that the first of two sweeps looks at: it fits the nominal of its tenant in some pool.
  HD i64 largest_of_first_sweep(i32 line) const {
    const Quota<S>& quota = tenants().quota;
    const i32 tenant = line % center->model->classes.tenants;
    if (tenants().has_urgent[line] || sharing().strict[tenant]) return kAnyGang;
    i64 gang = 0;
    ROLLED
    for (i32 p = 0; p < center->pools; ++p)
      gang = greatest(gang, quota.nominal[quota.at(tenant, p)] - quota.used[quota.at(tenant, p)]);
    return gang;
  }

  // The line whose job is next; -1: none is left.
  HD_APART i32 next_line(i32 from, i32 end) const {
    i32 best = -1, place = 0;
    ROLLED
    for (i32 k = from; k < end; ++k) {
      if (tenants().front[k] < 0) continue;
      const i32 p = place_of(k);
      if (best >= 0 && comes_after(k, p, best, place)) continue;
      best = k;
      place = p;
    }
    return best;
  }
  // Whether the first job of line hot[a] comes after that of line hot[b].
  HD bool comes_after(i32 a, i32 place_a, i32 b, i32 place_b) const {
    const i64* share = tenants().share;
    if (by_share() && share[a] != share[b]) return share[a] > share[b];
    return after(place_a, place_b);
  }
  // Whether the job of a place comes after that of another one in their tier.
  HD bool after(i32 a, i32 b) const {
    const Queue<S>& q = center->queue;
    if (tenants().fair.by_tenant()) {
      const i32* tenant = center->model->classes.tenant;
      const i64 *key = tenants().fair.key, of_a = key[tenant[q.job[a].job_class]],
                of_b = key[tenant[q.job[b].job_class]];
      if (of_a != of_b) return of_a > of_b;
    }
    return q.after(a, b);
  }

  // Whether lines take turns by what their tenants would borrow (S33).
  HD bool by_share() const { return center->model->policy.order == kWeightedShare; }
  HD void tell_share(i32 k) const {
    Tenants<S>& t = tenants();
    if (t.front[k] < 0) return;
    const i64 share = weighted_share(*center, center->queue.job_at(t.hot[k], t.front[k]));
    S::once([&] { t.share[k] = share; });
  }
  HD void mark(i32 place) const {
    S::once([&] { center->queue.past[place].pass = tenants().pass; });
  }

  // Marks all jobs as looked at but the first `n` in queue order (S7).
  HD_CALL void skip_all_but(i64 n) {
    sweep = 2;
    ROLLED
    for (i32 from = 0, end; from < tenants().hots; from = end) {
      end = behind(from);
      open(from, end, -1);
      ROLLED
      for (i32 k = next_line(from, end); k >= 0; k = next_line(from, end)) {
        if (--n < 0) mark(place_of(k));
        move(k, tenants().front[k] + 1, -1);
      }
    }
  }

  HD_CALL void sweep_once(i32 which, i32 first) {
    Center<S>& c = *center;
    Tenants<S>& t = tenants();
    sweep = which;
    ROLLED
    for (i32 from = 0, end; from < t.hots; from = end) {
      tier = tier_of(t.hot[from]);
      end = behind(from);
      if (tier < first) continue;
      open(from, end, -1);
      ROLLED
      for (i32 k = next_line(from, end); k >= 0; k = next_line(from, end)) {
        if (blocked == c.pools || c.interrupted()) return;
        here = place_of(k);
        const Asker job = asker(t.hot[k], t.front[k]);
        if (is_due(job)) {
          mark(here);
          handle(job);
        }
        if (grown && by_share()) {  // everybody is looked at, but what tenants use has changed
          grown = 0;
          move(k, t.front[k] + 1, -1);
          ROLLED
          for (i32 i = from; i < end; ++i) tell_share(i);
        } else if (grown) {  // who could not start before may be able to now, behind this job
          grown = 0;
          if (c.queue.waiting == 0) return;
          if (looks == kAtHot && !t.touchy) {
            if (t.slack > 0) return;
            find_hot_lines(c);
          }
          for (from = 0; from < t.hots && tier_of(t.hot[from]) < tier;) ++from;
          for (end = from; end < t.hots && tier_of(t.hot[end]) == tier;) ++end;
          open(from, end, here);
        } else {
          move(k, t.front[k] + 1, -1);
        }
      }
    }
  }

  HD_APART Asker asker(i32 line, i32 position) const {
    const Queue<S>& q = center->queue;
    const Job& job = q.job_at(line, position);
    const i32 c = job.job_class, tenant = center->model->classes.tenant[c];
    return Asker{line,
                 position,
                 c,
                 tenant,
                 sharing().priority[c],
                 sharing().urgent[c],
                 user_of(job.part),
                 job.gpus,
                 job.limit,
                 q.past_at(line, position).queued,
                 job.index};
  }

  HD bool is_mine(const Asker& job, i32 p) const {
    return center->may_ever(job.job_class, p, job.gpus);
  }
  HD bool is_open(const Asker& job, i32 p) const {
    return is_mine(job, p) && !tenants().closed[p] && !tenants().stopped[stop_of(job.tenant, p)];
  }
  HD i64 stop_of(i32 tenant, i32 p) const { return tenants().quota.at(tenant, p); }

  // Whether this sweep handles the job (S17). Of a strict tenant the first one looks at all, and marks whom it handles.
  HD_APART bool is_due(const Asker& job) const {
    if (sweep == 2) return true;
    if (!sharing().strict[job.tenant]) return (sweep == 0) == is_first(job);
    if (sweep == 1) return true;
    u8* put_off = tenants().put_off;
    const bool due = !put_off[job.tenant] && is_first(job);
    if (!due) S::once([&] { put_off[job.tenant] = 1; });
    return due;
  }
  // Whether the first of two sweeps takes the job, or has taken it when it came to it.
  HD bool is_first(const Asker& job) const {
    const Quota<S>& quota = tenants().quota;
    if (job.urgent) return true;
    return center->allowed_pool(job.job_class, [&](i32 p) {
      return is_mine(job, p) &&
             used_then(job.tenant, p) + job.gpus <= quota.nominal[quota.at(job.tenant, p)];
    }) >= 0;
  }
  // What a tenant used of a pool when the first sweep came to the present job.
  HD_APART i64 used_then(i32 tenant, i32 p) const {
    const Tenants<S>& t = tenants();
    ROLLED
    for (i32 k = 0; sweep == 1 && k < t.changes; ++k) {
      const Change& one = t.change[k];
      if (one.tenant != tenant || one.pool != p) continue;
      const bool later =
          one.sweep > 0 || tier < one.tier || (tier == one.tier && !after(here, one.place));
      if (later) return one.used;
    }
    return t.quota.used[t.quota.at(tenant, p)];
  }
  HD void note_change(i32 tenant, i32 p, i64 used) const {
    Tenants<S>& t = tenants();
    if (sweep == 2) return;
    const i32 k = t.changes;
    if (k == center->running.slots) return center->fail(kRunningFull);
    ++t.changes;
    S::once([&] { t.change[k] = Change{tenant, p, sweep, tier, here, used}; });
  }

  HD bool admits(const Asker& job, i32 p) const {
    return job.urgent || tenants().quota.admits(job.tenant, job.user, p, job.gpus);
  }
  HD bool fits_now(const Asker& job, i32 p) const {
    Center<S>& c = *center;
    return job.gpus <= c.free[p] && keeps_room(c, p, job.gpus, job.limit);
  }

  HD_APART void handle(const Asker& job) {
    Center<S>& c = *center;
    const i32 pool = c.allowed_pool(job.job_class, [&](i32 p) {
      return is_open(job, p) && admits(job, p) && fits_now(job, p);
    });
    if (pool >= 0) return start(job, pool, 0);
    if (sharing().preempts && evicts(job)) return;
    if (c.status != kOk) return;
    const i32 admitting =
        c.allowed_pool(job.job_class, [&](i32 p) { return is_open(job, p) && admits(job, p); });
    if (admitting < 0) return blocked_by_quota(job);
    if (c.model->policy.backfill == kNone) return block(job);
    if (most > 0) reserve(job);
  }

  HD_APART void start(const Asker& job, i32 pool, Tick delay) {
    Center<S>& c = *center;
    take_room(c, pool, job.gpus, c.now + delay + job.limit);
    if (c.status != kOk) return;
    const Quota<S>& quota = tenants().quota;
    note_change(job.tenant, pool, quota.used[quota.at(job.tenant, pool)]);
    c.start_shared(job.line, job.position, pool, delay);
    if (tenants().touchy || (tenants().reclaims && quota.over_nominal(job.tenant, pool))) grown = 1;
  }

  // Tries preemption in the job's open pools, in order; true: the job has started.
  HD_APART bool evicts(const Asker& job) {
    Center<S>& c = *center;
    Search<S> search{center, &job, 0, 0, 0, 0, 0};
    const bool long_one = in_shadow() && job.limit > c.shadow[0] - c.now;
    const i32 pool = c.allowed_pool(job.job_class, [&](i32 p) {
      const i64 room = long_one ? beyond_shadow() : c.free[p];
      if (c.status != kOk || job.gpus > largest_that_evicts(c, job.line, p, room)) return false;
      if (!is_open(job, p)) return false;
      search.pool = p;
      return search.find();
    });
    if (pool < 0 || c.status != kOk) return false;
    const Tick delay = search.grace();
    ROLLED
    for (i32 k = 0; k < search.victims; ++k) {
      const i32 slot = tenants().victim[k];
      if (slot < 0) continue;
      const i32 tenant = c.model->classes.tenant[c.running.run[slot].job_class];
      note_change(tenant, pool, used_with_victims(tenant, search, k));
      c.evict(slot);
    }
    start(job, pool, delay);
    grown = 1;
    return true;
  }
  // What a tenant used before victims[k ..) were taken.
  HD_APART i64 used_with_victims(i32 tenant, const Search<S>& search, i32 k) const {
    const Tenants<S>& t = tenants();
    i64 used = t.quota.used[t.quota.at(tenant, search.pool)];
    ROLLED
    for (; k < search.victims; ++k) {
      const i32 slot = t.victim[k];
      if (slot < 0) continue;
      const Run& run = center->running.run[slot];
      if (center->model->classes.tenant[run.job_class] == tenant) used += run.gpus;
    }
    return used;
  }

  // Blocked by quota in all its open pools (S19). What blocks its user alone means nothing to others (S34).
  HD_APART void blocked_by_quota(const Asker& job) {
    Center<S>& c = *center;
    if (!tenants().quota.user_may(job.tenant, job.user, job.gpus)) return;
    if (sharing().reclaim[job.tenant] == kReclaimNever) hold_own(job);
    if (!sharing().strict[job.tenant]) return;
    c.allowed_pool(job.job_class, [&](i32 p) {
      if (is_open(job, p)) S::once([&] { tenants().stopped[stop_of(job.tenant, p)] = 1; });
      return false;
    });
  }
  // Borrowers must not starve an owner that may not reclaim (R20).
  HD void hold_own(const Asker& job) {
    Quota<S>& quota = tenants().quota;
    const i32 own = center->allowed_pool(job.job_class, [&](i32 p) {
      return is_open(job, p) && quota.has(job.tenant, p) &&
             quota.fits_nominal(job.tenant, p, job.gpus);
    });
    if (own < 0) return;
    note_change(job.tenant, own, quota.used[quota.at(job.tenant, own)]);
    quota.hold(job.tenant, own, job.gpus);
    S::once([&] { tenants().held[quota.at(job.tenant, own)] += job.gpus; });
    tenants().holds = 1;
  }

  // Without backfill: its open pools that admit it start nobody any more (R13, S18).
  HD_APART void block(const Asker& job) {
    Center<S>& c = *center;
    c.allowed_pool(job.job_class, [&](i32 p) {
      if (!is_open(job, p) || !admits(job, p)) return false;
      S::once([&] { tenants().closed[p] = 1; });
      ++blocked;
      return false;
    });
  }

  // The earliest (pool, time) over the open pools that admit the job and may still give reservations (S8).
  HD_APART void reserve(const Asker& job) {
    Center<S>& c = *center;
    const Tick window = c.model->policy.window;
    i32 pool = -1;
    Tick best = kNever;
    i64 back = 0;  // GPUs that are given back by then
    c.allowed_pool(job.job_class, [&](i32 p) {
      if (!is_open(job, p) || !admits(job, p) || reservations(c, p) >= most) return false;
      i64 given = 0;
      const Tick time = earliest_room(c, p, job.gpus, job.limit, &given);
      if (time < best && (window < 0 || time - c.now <= window)) {
        best = time;
        pool = p;
        back = given;
      }
      return false;
    });
    if (pool < 0) return;
    reserve_room(c, pool, job.gpus, best, job.limit, back);
    tenants().quota.reserve(job.tenant, pool, job.gpus);
    if (looks != kAtAdmitted) return;
    looks = kAtHot;
    grown = 1;  // others than before matter
  }

  // After the pass the evicted wait (S22).
  HD_CALL void let_go() {
    Center<S>& c = *center;
    Tenants<S>& t = tenants();
    const i32 back = t.evicted;
    t.evicted = 0;
    ROLLED
    for (i32 k = 0; k < back && c.status == kOk; ++k) c.put_back(t.back[k], t.behind[k]);
  }
};

// A pass over tenants.hot, from a tier on (see Scan::run); returns whether somebody was evicted, so that another one follows (R3).
template <class S>
HD_CALL bool pass_hot(Center<S>& center, i32 first, bool behind) {
  if (center.tenants.hots == 0 && !center.model->policy.always_profile) return false;
  const i32 before = center.tenants.evictions;
  Scan<S> scan{&center, 0, 0, 0, 0, 0, 0, 0};
  scan.run(first, behind);
  return center.tenants.evictions > before;
}

// A pass over all that waits.
template <class S>
HD bool pass_shared(Center<S>& center) {
  if (center.tenants.slack > 0 && !center.model->policy.always_profile) return false;
  find_hot_lines(center);
  return pass_hot(center, 0, false);
}

}  // namespace gpusim

// Preemption: whom a waiting job may evict, and who of these it must (R24-R26, S20, S21): Kueue's classical preemption.
//
// Candidates of a pool are added one by one, in the order of R25, until the job passes quota and placement without them;
// then they are given back from the last but one to the first where it still passes. There may be two such searches: one
// leaves out those whom only an owner may evict, in the other the job's tenant must not borrow. While a search is under way
// the pool's free GPUs, the quotas and the profile are as if the victims were gone: what the test asks is then the same as
// for any other job. A search that fails leaves everything as it was.
#pragma once
#include "center.h"
#include "outlook.h"
#include "types.h"

namespace gpusim {

// A waiting job that a pass looks at.
struct Asker {
  i32 line;
  i32 position;
  i32 job_class;
  i32 tenant;
  i32 priority;
  i32 urgent;
  i32 user;
  i32 gpus;
  Tick limit;
  Tick queued;
  i64 index;
};

template <class S>
struct Search {
  Center<S>* center;
  const Asker* job;
  i32 pool;
  i32 victims;
  i32 owner;   // the tenant, or the first cohort above it, that owns enough for the job; -1: none
  i32 owning;  // the tenant must not borrow once the victims have left
  i32 candidates;  // of the priority whose turn it is: the next of each class that has one

  // Whether the job could start now (S15, S18, S21).
  HD_APART bool passes() const {
    Center<S>& c = *center;
    const Quota<S>& quota = c.tenants.quota;
    if (job->gpus > c.free[pool]) return false;
    if (!job->urgent && !quota.admits(job->tenant, job->user, pool, job->gpus)) return false;
    if (owning && !quota.fits_nominal(job->tenant, pool, job->gpus)) return false;
    return !c.running.reserves || keeps_room(c, pool, job->gpus, grace() + job->limit);
  }

  // Ticks until the job's own work could begin: the longest grace of the victims (R30).
  HD Tick grace() const {
    const Center<S>& c = *center;
    Tick longest = 0;
    ROLLED
    for (i32 k = 0; k < victims; ++k) {
      const i32 slot = c.tenants.victim[k];
      if (slot >= 0)
        longest = greatest(longest, c.model->sharing.grace[c.running.run[slot].job_class]);
    }
    return longest;
  }

  // Finds the victims; their slots stand in tenants.victim[0 .. victims), -1 for those that are spared. False: there are
  // not enough, nothing has changed.
  HD_CALL bool find() {
    const Center<S>& c = *center;
    const Quota<S>& quota = c.tenants.quota;
    const i64 k = quota.at(job->tenant, pool),
              own = c.tenants.lower[c.tenants.of_line(pool, job->line)];
    const bool borrows = c.model->sharing.borrows[job->tenant];
    owner = quota.owner_of(job->tenant, pool, job->gpus);
    owning = 1;
    const bool twice = !job->urgent && quota.used[k] + job->gpus - own <= quota.nominal[k] &&
                       (borrows || quota.used[k] < quota.nominal[k]) && has_some(kOthers);
    const bool first = twice && !borrows && !has_some(kReclaimed);
    return (first && search(1)) || search(0) || (twice && !first && search(1));
  }

 private:
  enum Group { kReclaimed, kOthers, kOwn };

  HD_CALL bool search(i32 as_owner) {
    Center<S>& c = *center;
    owning = as_owner;
    victims = 0;
    if (!add_of(kReclaimed) && (job->urgent || (!add_of(kOthers) && !add_of(kOwn)))) {
      ROLLED
      while (victims > 0) give_back(c.tenants.victim[--victims]);
      return false;
    }
    ROLLED
    for (i32 k = victims - 2; k >= 0; --k) {
      const i32 slot = c.tenants.victim[k];
      S::once([&] { c.tenants.victim[k] = -1; });
      give_back(slot);
      if (passes()) continue;
      S::once([&] { c.tenants.victim[k] = slot; });
      take(slot);
    }
    return true;
  }

  HD bool ripe(i32 slot, i32 v) const {
    const Tick start = center->running.run[slot].start;
    return start < center->now && center->now - start >= center->model->sharing.exempt[v];
  }

  // Whether jobs of class v belong to a group, as far as the class tells. Urgent jobs take all alike, as the first group.
  HD bool may_take(Group group, i32 v) const {
    const Sharing& s = center->model->sharing;
    const i32 t = center->model->classes.tenant[v], mine = job->tenant, below = s.priority[v];
    if (!s.preemptible[v] || center->tenants.newest[center->tenants.at(pool, v)] < 0) return false;
    const bool lower = below < job->priority;
    if (job->urgent) return lower;
    if (group == kOwn)
      return t == mine && s.within[t] != kWithinNever &&
             (lower || (s.within[t] == kWithinLowerOrNewer && below == job->priority));
    if (t == mine || s.root[t] != s.root[mine]) return false;
    if (s.reclaim[mine] == kReclaimNever || (s.reclaim[mine] != kReclaimAny && !lower))
      return false;
    const bool reclaimed =
        owner == mine || (owner >= 0 && !center->tenants.quota.is_above(owner, t));
    if (group == kReclaimed) return reclaimed;
    return !reclaimed && (owning || (s.borrows[mine] && lower && below <= s.threshold[mine]));
  }
  // Whether a tenant has something to give to others: it, and what is above it alone, uses more than it owns.
  HD bool gives(Group group, i32 t) const {
    return job->urgent || group == kOwn || center->tenants.quota.over_towards(job->tenant, t, pool);
  }

  // Whether a group has a candidate.
  HD_CALL bool has_some(Group group) const {
    const Center<S>& c = *center;
    if (group == kOthers && owner == job->tenant) return false;  // all are reclaimed
    ROLLED
    for (i32 v = 0; v < c.tenants.classes; ++v) {
      if (may_take(group, v) && gives(group, c.model->classes.tenant[v]) &&
          first_of(group, v, c.tenants.newest[c.tenants.at(pool, v)]) >= 0)
        return true;
    }
    return false;
  }

  // Whether a job of the own tenant and of the same priority is newer than this one.
  HD bool newer(i32 slot) const {
    const Tick queued = center->tenants.tenure[slot].queued;
    return queued != job->queued ? queued > job->queued
                                 : center->running.run[slot].index > job->index;
  }

  // The first candidate of class v from a slot on, towards older starts; -1: none.
  HD i32 first_of(Group group, i32 v, i32 slot) const {
    const bool equal =
        !job->urgent && group == kOwn && center->model->sharing.priority[v] == job->priority;
    ROLLED
    while (slot >= 0 && (!ripe(slot, v) || (equal && !newer(slot))))
      slot = center->tenants.tenure[slot].older;
    return slot;
  }

  // Adds candidates of a group, from the lowest priority, the latest start and the highest index on, until the job
  // passes. Returns whether it does.
  HD_APART bool add_of(Group group) {
    Center<S>& c = *center;
    if (!job->urgent &&
        (group == kReclaimed ? owner < 0 : group == kOthers && owner == job->tenant))
      return false;  // none or all are reclaimed
    const Sharing& s = c.model->sharing;
    Tenants<S>& t = c.tenants;
    ROLLED
    for (i32 i = 0; i < t.classes;) {
      const i32 priority = s.priority[s.rising[i]];
      candidates = 0;
      ROLLED
      for (; i < t.classes && s.priority[s.rising[i]] == priority; ++i) {
        const i32 v = s.rising[i];
        if (may_take(group, v) && gives(group, c.model->classes.tenant[v]))
          put(candidates, v, first_of(group, v, t.newest[t.at(pool, v)]));
      }
      ROLLED
      while (candidates > 0) {
        const i32 k = latest(), v = t.candidate[k].job_class, slot = t.candidate[k].slot;
        if (!gives(group, c.model->classes.tenant[v])) {  // since another victim has left
          put(k, v, -1);
          continue;
        }
        put(k, v, first_of(group, v, t.tenure[slot].older));
        const i32 n = victims++;
        S::once([&] { t.victim[n] = slot; });
        take(slot);
        if (passes()) return true;
      }
    }
    return false;
  }

  // Puts the job of a slot, of class v, at place k among the candidates, of which it may be the last; without one (-1) the
  // last takes that place.
  HD void put(i32 k, i32 v, i32 slot) {
    Candidate* all = center->tenants.candidate;
    const i32 n = candidates;
    if (slot >= 0) {
      const Run& run = center->running.run[slot];
      S::once([&] { all[k] = Candidate{run.start, run.index, slot, v}; });
      candidates = greatest(n, k + 1);
    } else if (k < n) {
      S::once([&] { all[k] = all[n - 1]; });
      candidates = n - 1;
    }
  }

  // Of the candidates the one that started last.
  HD i32 latest() const {
    const Candidate* all = center->tenants.candidate;
    i32 best = 0;
    ROLLED
    for (i32 k = 1; k < candidates; ++k) {
      const Candidate &a = all[k], &b = all[best];
      if (a.start > b.start || (a.start == b.start && a.index > b.index)) best = k;
    }
    return best;
  }

  HD void take(i32 slot) { move(slot, 1); }
  HD void give_back(i32 slot) { move(slot, -1); }
  HD_APART void move(i32 slot, i32 sign) {
    Center<S>& c = *center;
    const Run& run = c.running.run[slot];
    const i32 gpus = sign * run.gpus;
    S::once([&] { c.free[pool] += gpus; });
    const i32 tenant = c.model->classes.tenant[run.job_class];
    c.tenants.quota.use(tenant, pool, -gpus, -sign);
    c.tenants.quota.use_of_user(tenant, user_of(run.part), -gpus, -sign);
    if (c.running.reserves) take_room(c, pool, -gpus, greatest(c.now + 1, c.expected_end(slot)));
  }
};

}  // namespace gpusim

// The scheduling pass of a center that tenants share: R12-R15 with R18-R27, S15-S21.
//
// Waiting jobs stand in lines, one for each tenant of a tier; a pass merges the lines of a tier. A job starts in the
// first of its pools where quota and placement pass; else it may evict others; else it is blocked, by quota or by
// capacity, and what that means for those behind it is the policy's. This is the general rule: backfill.h does the same
// where nobody owns anything, and must equal it.
#pragma once
#include "center.h"
#include "might.h"
#include "types.h"
#include "victims.h"

namespace gpusim {

// The scan of one pass.
template <class S>
struct Scan {
  Center<S>* center;
  i64 most;     // reservations of a pool
  i32 sweep;    // 0, 1; or 2: all in one
  i32 blocked;  // pools that are (R13)

  HD Tenants<S>& tenants() const { return center->tenants; }
  HD const Sharing& sharing() const { return center->model->sharing; }

  HD_CALL void run() {
    Center<S>& c = *center;
    const Policy& policy = c.model->policy;
    const i32 pools = c.pools, all = c.model->classes.tenants * pools;
    Tenants<S>& t = tenants();
    most = policy.backfill == kAll ? kNever : policy.backfill >= 1 ? policy.backfill : 0;
    blocked = 0;
    ++t.pass;
    i64* closed = c.spare;
    S::each(pools, [=](i32 p) { closed[p] = 0; });
    S::each(all, [&](i32 i) { t.stopped[i] = 0; });
    if (c.running.reserves) t.quota.forget_reservations();
    ROLLED
    for (i32 p = 0; c.running.reserves && p < pools; ++p) {
      c.profile[p].build(c.running.release[p], c.now, c.free[p]);
      if (c.profile[p].full) return c.fail(kProfileFull);
    }
    if (policy.max_tests >= 0) skip_all_but(policy.max_tests);
    if (sharing().borrowers_last) {
      sweep_once(0);
      sweep_once(1);
    } else {
      sweep_once(2);
    }
    let_go();
  }

 private:
  HD i32 line_of(i32 tier, i32 tenant) const {
    return tier * center->model->classes.tenants + tenant;
  }

  // First job of a line from a position on that this pass has not looked at; -1: none.
  HD i32 next_of(i32 line, i32 from) const {
    const Queue<S>& q = center->queue;
    const u32 now = tenants().pass;
    i32 at = from;
    ROLLED
    while (at < q.tail[line]) {
      at = q.next_live(line, at);
      if (at == q.tail[line]) break;
      if (q.past_at(line, at).pass != now) return at;
      ++at;
    }
    return -1;
  }

  HD void open_tier(i32 tier) const {
    const i32 n = center->model->classes.tenants;
    ROLLED
    for (i32 u = 0; u < n; ++u) {
      const i32 line = line_of(tier, u);
      const i32 first = center->queue.live[line] ? next_of(line, center->queue.head[line]) : -1;
      S::once([&] { tenants().front[u] = first; });
    }
  }

  // The tenant whose job is next in a tier; -1: none is left.
  HD i32 next_tenant(i32 tier) const {
    const Queue<S>& q = center->queue;
    const i32 n = center->model->classes.tenants;
    i32 best = -1, place = 0;
    ROLLED
    for (i32 u = 0; u < n; ++u) {
      const i32 at = tenants().front[u];
      if (at < 0) continue;
      const i32 p = q.place[q.at(line_of(tier, u), at)];
      if (best >= 0 && q.after(p, place)) continue;
      best = u;
      place = p;
    }
    return best;
  }
  HD void advance(i32 tier, i32 tenant) const {
    const i32 line = line_of(tier, tenant);
    const i32 next = next_of(line, tenants().front[tenant] + 1);
    S::once([&] { tenants().front[tenant] = next; });
  }
  HD void mark(i32 line, i32 position) const {
    S::once([&] { center->queue.past_at(line, position).pass = tenants().pass; });
  }

  // Marks all jobs as looked at but the first `n` in queue order (S7).
  HD_CALL void skip_all_but(i64 n) {
    ROLLED
    for (i32 tier = 0; tier < center->model->classes.tiers; ++tier) {
      open_tier(tier);
      ROLLED
      for (i32 u = next_tenant(tier); u >= 0; u = next_tenant(tier)) {
        if (--n < 0) mark(line_of(tier, u), tenants().front[u]);
        advance(tier, u);
      }
    }
  }

  HD_CALL void sweep_once(i32 which) {
    Center<S>& c = *center;
    sweep = which;
    ROLLED
    for (i32 tier = 0; tier < c.model->classes.tiers; ++tier) {
      open_tier(tier);
      ROLLED
      for (i32 u = next_tenant(tier); u >= 0; u = next_tenant(tier)) {
        if (blocked == c.pools || c.interrupted()) return;
        const i32 line = line_of(tier, u), position = tenants().front[u];
        const Asker job = asker(line, position, u);
        if (sweep != 0 || is_first(job)) {
          mark(line, position);
          handle(job);
        }
        advance(tier, u);
      }
    }
  }

  HD Asker asker(i32 line, i32 position, i32 tenant) const {
    const Queue<S>& q = center->queue;
    const Job& job = q.job_at(line, position);
    const i32 c = job.job_class;
    return Asker{line,
                 position,
                 c,
                 tenant,
                 sharing().priority[c],
                 sharing().urgent[c],
                 job.gpus,
                 job.limit,
                 q.past_at(line, position).queued,
                 job.index};
  }

  HD bool is_mine(const Asker& job, i32 p) const {
    return center->may_ever(job.job_class, p, job.gpus);
  }
  HD bool is_open(const Asker& job, i32 p) const {
    return is_mine(job, p) && !center->spare[p] && !tenants().stopped[stop_of(job.tenant, p)];
  }
  HD i64 stop_of(i32 tenant, i32 p) const { return tenants().quota.at(tenant, p); }

  // Whether the first of two sweeps takes the job (S17).
  HD bool is_first(const Asker& job) const {
    const Quota<S>& quota = tenants().quota;
    if (job.urgent) return true;
    return center->allowed_pool(job.job_class, [&](i32 p) {
      return is_mine(job, p) && quota.fits_nominal(job.tenant, p, job.gpus);
    }) >= 0;
  }

  HD bool admits(const Asker& job, i32 p) const {
    return job.urgent || tenants().quota.admits(job.tenant, p, job.gpus);
  }
  HD bool fits_now(const Asker& job, i32 p) const {
    const Center<S>& c = *center;
    return job.gpus <= c.free[p] &&
           (!c.running.reserves || c.profile[p].fits_now(job.gpus, job.limit));
  }

  HD void handle(const Asker& job) {
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

  HD void start(const Asker& job, i32 pool, Tick delay) {
    Center<S>& c = *center;
    if (c.running.reserves) {
      c.profile[pool].carve(c.now, delay + job.limit, job.gpus);
      if (c.profile[pool].full) return c.fail(kProfileFull);
    }
    c.start_shared(job.line, job.position, pool, delay);
  }

  // Tries preemption in the job's open pools, in order; true: the job has started.
  HD bool evicts(const Asker& job) {
    Center<S>& c = *center;
    Search<S> search{center, &job, 0, 0, 0};
    const i32 pool = c.allowed_pool(job.job_class, [&](i32 p) {
      if (!is_open(job, p) || c.status != kOk) return false;
      search.pool = p;
      return search.find();
    });
    if (pool < 0 || c.status != kOk) return false;
    const Tick delay = search.grace();
    ROLLED
    for (i32 k = 0; k < search.victims; ++k)
      if (tenants().victim[k] >= 0) c.evict(tenants().victim[k]);
    start(job, pool, delay);
    return true;
  }

  // Blocked by quota in all its open pools (S19).
  HD void blocked_by_quota(const Asker& job) {
    Center<S>& c = *center;
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
    quota.hold(job.tenant, own, job.gpus);
    S::once([&] { tenants().held[quota.at(job.tenant, own)] += job.gpus; });
  }

  // Without backfill: its open pools that admit it start nobody any more (R13, S18).
  HD void block(const Asker& job) {
    Center<S>& c = *center;
    c.allowed_pool(job.job_class, [&](i32 p) {
      if (!is_open(job, p) || !admits(job, p)) return false;
      S::once([&] { c.spare[p] = 1; });
      ++blocked;
      return false;
    });
  }

  // The earliest (pool, time) over the open pools that admit the job and may still give reservations (S8).
  HD void reserve(const Asker& job) {
    Center<S>& c = *center;
    const Tick window = c.model->policy.window;
    i32 pool = -1;
    Tick best = kNever;
    c.allowed_pool(job.job_class, [&](i32 p) {
      if (!is_open(job, p) || !admits(job, p) || c.profile[p].reservations >= most) return false;
      const Tick time = c.profile[p].earliest(job.gpus, job.limit);
      if (time < best && (window < 0 || time - c.now <= window)) {
        best = time;
        pool = p;
      }
      return false;
    });
    if (pool < 0) return;
    Profile<S>& profile = c.profile[pool];
    profile.carve(best, job.limit, job.gpus);
    if (profile.full) return c.fail(kProfileFull);
    S::once([&] { ++profile.reservations; });
    tenants().quota.reserve(job.tenant, pool, job.gpus);
  }

  // After the pass: what was held back for owners is free again, and the evicted wait (S19, S22).
  HD_CALL void let_go() {
    Center<S>& c = *center;
    Tenants<S>& t = tenants();
    const i32 n = c.model->classes.tenants;
    ROLLED
    for (i32 u = 0; u < n; ++u) {
      if (sharing().reclaim[u] != kReclaimNever) continue;
      ROLLED
      for (i32 p = 0; p < c.pools; ++p) {
        const i64 k = t.quota.at(u, p), gpus = t.held[k];
        if (gpus == 0) continue;
        t.quota.hold(u, p, -gpus);
        S::once([&] { t.held[k] = 0; });
      }
    }
    const i32 back = t.evicted;
    t.evicted = 0;
    ROLLED
    for (i32 k = 0; k < back && c.status == kOk; ++k) c.put_back(t.back[k], t.behind[k]);
  }
};

// A pass over all that waits; returns whether somebody was evicted, so that another one follows (R3).
template <class S>
HD_CALL bool pass_shared(Center<S>& center) {
  if (!center.model->policy.always_profile && !anybody_might(center)) return false;
  const i32 before = center.tenants.evictions;
  Scan<S> scan{&center, 0, 0, 0};
  scan.run();
  return center.tenants.evictions > before;
}

}  // namespace gpusim

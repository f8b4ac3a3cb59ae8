// Who might start in a pass: a bound on the gang sizes that could, line by line (shared_pass.h).
//
// A job needs quota and free GPUs, or victims. Whatever the policy, it starts in a pool only if its gang is at most one of
//   min(free, available) + own   its tenant's quota, with victims of its own tenant
//   min(owned, free + over) + own  owned: of its nominal what its tenant does not use (all there is, where it may evict
//                                while it borrows, or reclaim for a cohort); it takes from tenants over their nominal
//   free + own                   where it is urgent
// where `own` are the GPUs of running jobs that a job of its line may evict whoever is over its nominal, and `over` those of
// all preemptible jobs of tenants that are. If the smallest gang of every line is larger, the pass finds nobody and leaves
// no trace.
// By how much they are larger, the *slack*, is kept: the end of a job of q GPUs raises no bound by more than q; a start
// raises none but by what is added to `over` (what it takes away it adds at most to `own`); an eviction, or a job that joins
// a line, ends it. So most passes need not look at the lines at all.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// Largest gang of a line that could start now.
template <class S>
HD i64 largest_that_might(const Center<S>& center, i32 line) {
  const Tenants<S>& t = center.tenants;
  const i32 tenant = line % center.model->classes.tenants;
  i64 most = 0;
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    const i64 free = center.free[p], own = t.lower[t.of_line(p, line)], k = t.quota.at(tenant, p);
    const i64 over = t.over[t.quota.at(center.model->sharing.root[tenant], p)];
    const i64 mine = (t.has_urgent[line] ? free : least(free, t.quota.available(tenant, p))) + own;
    const i64 others = least(t.may_own[k] - t.quota.used[k], free + over) + own;
    most = greatest(most, greatest(mine, others));
  }
  return most;
}

// Largest gang of a line that could start in a pool by evicting others, where `room` GPUs are there for it without; 0
// where there is nobody to evict.
template <class S>
HD i64 largest_that_evicts(const Center<S>& center, i32 line, i32 p, i64 room) {
  const Tenants<S>& t = center.tenants;
  const i32 tenant = line % center.model->classes.tenants;
  const i64 own = t.lower[t.of_line(p, line)], k = t.quota.at(tenant, p);
  const i64 over = t.over[t.quota.at(center.model->sharing.root[tenant], p)];
  if (own > 0) return room + over + own;
  return over > 0 ? least(t.may_own[k] - t.quota.used[k], room + over) : 0;
}

// Adds a line if its smallest gang, which as noted is at most `most`, might start.
template <class S>
HD void add_hot_line(Center<S>& center, i32 line, i64 most) {
  Tenants<S>& t = center.tenants;
  Queue<S>& q = center.queue;
  if (q.live[line] == 0) return;
  const i32 exactly = q.index.smallest(line, q.tail[line]);
  const i32 n = t.hots;
  S::once([&] {
    t.smallest[line] = exactly;  // what was noted may have left
    t.hot[n] = line;
    t.hot_most[n] = static_cast<i32>(least<i64>(most, kAnyGang));
  });
  if (exactly <= most) ++t.hots;
}

// The same for all lines of a single pool without urgent jobs: what stands above, eight tenants at once. Bounds are at
// least the true ones: 32 bits are enough for those that are no more than the GPUs that there are, and `over` is that of
// all cohorts.
template <class S>
HD void find_hot_tenants(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  const i32 n = center.model->classes.tenants, lines = center.model->classes.lines;
  const i32 free = center.free[0], gone = static_cast<i32>(free + t.over_all[0]);
  i32* takes = t.takes;
  if (t.quota.flat) {
    const i32 lent = at_most_plenty(t.quota.flat_top(0));
    const i32 *spare = t.spare, *reach = t.reach;
    S::each(n, [=](i32 u) {
      const i32 mine = greatest(0, spare[u]), other = reach[u] - greatest(0, -spare[u]);
      takes[u] = least(free, mine + least(lent, other));
    });
  } else {
    const Quota<S>& q = t.quota;
    S::each(n, [&](i32 u) {
      takes[u] = static_cast<i32>(least<i64>(free, greatest<i64>(-kPlenty, q.available(u, 0))));
    });
  }
  const i32* owned = t.owned;
  const auto most = [=](i32 u, i32 own) {
    return greatest(0, greatest(takes[u], least(owned[u], gone)) + own);
  };
  i32 slack = kHole;
  ROLLED
  for (i32 first = 0; first < lines; first += n) {
    const i32 *smallest = t.smallest + first, *own = t.lower + first;
    slack = least(slack, S::min_of(n, kHole, [=](i32 u) { return smallest[u] - most(u, own[u]); }));
  }
  t.slack = slack;
  if (slack > 0) return;
  ROLLED
  for (i32 first = 0; first < lines; first += n) {
    const i32 *smallest = t.smallest + first, *own = t.lower + first;
    const auto might = [=](i32 u) { return smallest[u] <= most(u, own[u]); };
    ROLLED
    for (i32 u = S::block_until(0, n, might); u < n; u = S::block_until(u + 1, n, might))
      add_hot_line(center, first + u, most(u, own[u]));
  }
}

// Finds the lines in which somebody might start: tenants.hot[0 .. hots), tier by tier, and of each the largest gang that
// might, tenants.hot_most. While the slack lasts there is none.
template <class S>
HD_CALL void find_hot_lines(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  t.hots = 0;
  if (t.narrow && !t.urgents) return find_hot_tenants(center);
  t.slack = kUnbounded;
  ROLLED
  for (i32 l = 0; l < center.model->classes.lines; ++l) {
    if (t.smallest[l] == kHole) continue;
    const i64 most = largest_that_might(center, l);
    t.slack = least(t.slack, t.smallest[l] - most);
    if (t.smallest[l] <= most) add_hot_line(center, l, most);
  }
}

// All lines in which somebody waits.
template <class S>
HD void take_all_lines(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  i32 n = 0;
  ROLLED
  for (i32 l = 0; l < center.queue.tiers; ++l) {
    if (center.queue.live[l] == 0) continue;
    S::once([&] { t.hot[n] = l; });
    ++n;
  }
  t.hots = n;
}

}  // namespace gpusim

// Who might start in a pass: a bound on the gang sizes that could, line by line (shared_pass.h).
//
// A job needs quota and free GPUs, or victims. Whatever the policy, it starts in a pool only if its gang is at most one of
//   within + own                 within = min(free, available): its tenant's quota, with victims of its own tenant
//   min(owned, gone + own)       owned: of its nominal what its tenant does not use (all there is, where it may evict while
//                                it borrows); gone = free + others: it takes from tenants over their nominal
// where `own` are the GPUs of its tenant's running jobs that it may evict, and `others` those of all preemptible jobs of
// tenants over their nominal. If the smallest gang of every line is larger, the pass finds nobody and leaves no trace.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// The bounds of one tenant in a pool.
struct Might {
  i64 within;
  i64 owned;
  i64 gone;
};

template <class S>
HD Might might_of(const Center<S>& center, i32 tenant, i32 p) {
  const Tenants<S>& t = center.tenants;
  const Sharing& s = center.model->sharing;
  const i64 free = center.free[p], k = t.quota.at(tenant, p);
  return Might{least(free, t.quota.available(tenant, p)), t.may_own[k] - t.quota.used[k],
               free + t.over[t.quota.at(s.root[tenant], p)]};
}

HD i64 largest_gang(i64 within, i64 owned, i64 gone, i64 own) {
  return greatest(within + own, least(owned, gone + own));
}

// Largest gang of a line that could start now.
template <class S>
HD i64 largest_that_might(const Center<S>& center, i32 line) {
  const Tenants<S>& t = center.tenants;
  const i32 tenant = line % center.model->classes.tenants;
  i64 most = 0;
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    const Might m = might_of(center, tenant, p);
    most = greatest(most, largest_gang(m.within, m.owned, m.gone, t.lower[t.of_line(p, line)]));
  }
  return most;
}

// A line whose smallest gang, as noted, might start.
template <class S>
HD void add_hot_line(Center<S>& center, i32 line) {
  Tenants<S>& t = center.tenants;
  Queue<S>& q = center.queue;
  const i32 exactly = q.live[line] ? q.index.smallest(line, q.tail[line]) : kHole;
  const i32 n = t.hots;
  S::once([&] {
    t.smallest[line] = exactly;  // what was noted may have left
    t.hot[n] = line;
  });
  if (exactly != kHole && exactly <= largest_that_might(center, line)) ++t.hots;
}

// Finds the lines in which somebody might start: tenants.hot[0 .. hots), tier by tier.
template <class S>
HD_CALL void find_hot_lines(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  const i32 n = center.model->classes.tenants, lines = center.model->classes.lines;
  t.hots = 0;
  if (center.pools > 1) {
    ROLLED
    for (i32 l = 0; l < lines; ++l)
      if (t.smallest[l] <= largest_that_might(center, l)) add_hot_line(center, l);
    return;
  }
  i64 *within = t.within, *owned = t.owned, *gone = t.gone;
  if (t.quota.flat) {
    const Quota<S>& q = t.quota;
    const i64 free = center.free[0], lent = q.flat_top(0);
    const i64 freed = free + (q.top < 0 ? 0 : t.over[q.top]);
    const i64 *local = q.local, *reach = q.reach, *used = q.used, *may = t.may_own;
    S::each(n, [=](i32 u) {
      const i64 spare = local[u] - used[u];
      const i64 may_take =
          greatest<i64>(0, spare) + least(lent, reach[u] - greatest<i64>(0, -spare));
      within[u] = least(free, may_take);
      owned[u] = may[u] - used[u];
      gone[u] = freed;
    });
  } else {
    const Center<S>* all = &center;
    S::each(n, [=](i32 u) {
      const Might m = might_of(*all, u, 0);
      within[u] = m.within;
      owned[u] = m.owned;
      gone[u] = m.gone;
    });
  }
  ROLLED
  for (i32 first = 0; first < lines; first += n) {
    const i32* smallest = t.smallest + first;
    const i64* own = t.lower + first;
    const auto might = [=](i32 u) {
      return smallest[u] <= largest_gang(within[u], owned[u], gone[u], own[u]);
    };
    ROLLED
    for (i32 u = S::block_until(0, n, might); u < n; u = S::block_until(u + 1, n, might))
      add_hot_line(center, first + u);
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

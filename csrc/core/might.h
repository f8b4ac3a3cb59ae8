// Whether a pass can change anything: a bound on the gang sizes that could start, line by line (shared_pass.h).
//
// A job needs quota and free GPUs, or victims. Whatever the policy, it starts only if its gang is at most
//   min(free, available) + own                       its tenant's quota, with victims of its own tenant
//   min(what its tenant owns and does not use, free + own + others)       it reclaims from tenants over their nominal
//   free + own + others                              it evicts while it borrows
// where `own` are the GPUs of its tenant's running jobs that it may evict, and `others` those of all preemptible jobs of
// tenants over their nominal. If the smallest gang of every line is larger, the pass finds nobody and leaves no trace.
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// Largest gang of a line that could start now, by the bound above.
template <class S>
HD i64 largest_that_might(const Center<S>& center, i32 line) {
  const Tenants<S>& t = center.tenants;
  const Sharing& s = center.model->sharing;
  const i32 tenant = line % center.model->classes.tenants;
  if (t.has_urgent[line]) return kAnyGang;
  i64 most = 0;
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    const i64 free = center.free[p], k = t.quota.at(tenant, p);
    const i64 own =
        s.preempts && s.within[tenant] != kWithinNever ? t.lower[t.of_line(p, line)] : 0;
    most = greatest(most, least(free, t.quota.available(tenant, p)) + own);
    if (!t.reclaims || s.reclaim[tenant] == kReclaimNever) continue;
    const i64 gone = free + own + t.over[t.quota.at(s.root[tenant], p)];
    most = greatest(most,
                    s.borrows[tenant] ? gone : least(t.quota.nominal[k] - t.quota.used[k], gone));
  }
  return most;
}

// Finds the lines in which somebody might start: tenants.hot[0 .. hots), tier by tier.
template <class S>
HD_CALL void find_hot_lines(Center<S>& center) {
  Tenants<S>& t = center.tenants;
  Queue<S>& q = center.queue;
  i32 n = 0;
  if (t.reclaims) t.sum_over();
  ROLLED
  for (i32 l = 0; l < q.tiers; ++l) {
    if (q.live[l] == 0) continue;
    const i64 most = largest_that_might(center, l);
    if (t.smallest[l] > most) continue;
    const i32 exactly = q.index.smallest(l, q.tail[l]);  // what is noted may have left
    S::once([&] { t.smallest[l] = exactly; });
    if (exactly > most) continue;
    S::once([&] { t.hot[n] = l; });
    ++n;
  }
  t.hots = n;
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

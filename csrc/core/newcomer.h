// A job that joins alone in its tick a center that tenants share.
#pragma once
#include "center.h"
#include "might.h"
#include "shared_pass.h"
#include "types.h"

namespace gpusim {

// The first pass of a tick in which one job has joined, which is in no line yet. Where nobody else could start, it is the
// first to do so wherever it stands: it starts at once, without having been in a line, and the pass goes on behind it. Only
// if it has become a borrower somebody there may start now; it is the last of its tier (R10), so those are the tiers below,
// in the second sweep if there are two. Where jobs are blocked, hold reservations or GPUs, or borrow though they are in the
// first sweep, that is so only if nobody else waits; otherwise it joins its line first.
template <class S>
HD_JOB bool receive(Center<S>& center, bool passing) {
  Tenants<S>& t = center.tenants;
  const Job& job = center.walk_in[0];
  const Classes& classes = center.model->classes;
  const Sharing& sharing = center.model->sharing;
  const i32 c = job.job_class, line = classes.line[c], tenant = classes.tenant[c];
  const bool alone = center.queue.waiting == 0;
  const bool lone = passing && (alone || t.passes_lone);
  if (alone) t.slack = kUnbounded;
  if (lone && t.slack <= 0) find_hot_lines(center);
  if (!lone || (!alone && t.slack <= 0 && t.hots > 0))
    return center.enqueue_walk_in() && passing && pass_shared(center);
  const i32 pool = center.allowed_pool(c, [&](i32 p) {  // what may start now may ever (may_ever)
    return job.gpus <= center.free[p] &&
           (sharing.urgent[c] || t.quota.admits_unreserved(tenant, user_of(job.part), p, job.gpus));
  });
  if (pool < 0) {
    const i64 slack = t.slack, most = largest_that_might(center, line);
    if (!center.enqueue_walk_in()) return false;
    t.slack = least(slack, job.gpus - most);
    if (job.gpus > most) return false;
    t.hots = 0;
    add_hot_line(center, line, most);
    return pass_hot(center, 0, false);
  }
  const bool grows = !alone && t.reclaims && !t.quota.fits_nominal(tenant, pool, job.gpus);
  const bool owner =
      grows && sharing.borrowers_last && (sharing.urgent[c] || center.allowed_pool(c, [&](i32 p) {
        return center.may_ever(c, p, job.gpus) && t.quota.fits_nominal(tenant, p, job.gpus);
      }) >= 0);
  if (owner) return center.enqueue_walk_in() && pass_shared(center);
  const i64 used = t.quota.used[t.quota.at(tenant, pool)];
  center.walk_ins = 0;
  if (!center.begin_shared(job, Past{job.service, job.eligible, job.eligible, 0, 0}, pool, 0) ||
      !grows || t.slack > 0)
    return false;
  find_hot_lines(center);
  const i32 tier = line / classes.tenants;
  S::once([&] { t.change[0] = Change{tenant, pool, 1, tier, -1, used}; });
  return pass_hot(center, tier + 1, true);
}

}  // namespace gpusim

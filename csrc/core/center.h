// The center during one run: clock, free GPUs, waiting and running jobs, tally; and the moves
// between them.
//
// One flat pool: `free` is the only thing placement needs. Every state change of a job is one
// function here; which job moves is decided by the pass (backfill.h) and by the loop (simulate.h).
#pragma once
#include "model.h"
#include "profile.h"
#include "queue.h"
#include "running.h"
#include "status.h"
#include "tally.h"
#include "types.h"

namespace gpusim {

template <class S>
struct Center {
  const Model* model;
  i32 capacity;  // GPUs of the pool
  i32 free;      // GPUs not allocated
  Tick now;
  Status status;
  i64 waiting_gpus;     // GPUs asked for by waiting jobs
  Tick next_expiry;     // no live patience ends before this tick
  i32 has_patience;     // some class can give up
  i32 has_bounds;       // some max_waiting is set
  i64* tenant_waiting;  // (T,) waiting jobs by tenant
  Queue<S> queue;
  Running<S> running;
  Profile<S> profile;
  Tally<S> tally;

  HD void clear() {
    free = capacity;
    now = 0;
    status = kOk;
    waiting_gpus = 0;
    next_expiry = kNever;
    has_patience = has_bounds = 0;
    ROLLED
    for (i32 c = 0; c < model->classes.n; ++c) has_patience |= model->classes.patience[c] >= 0;
    has_bounds = model->policy.max_waiting >= 0;
    ROLLED
    for (i32 t = 0; t < model->classes.tenants; ++t)
      has_bounds |= model->policy.tenant_max_waiting[t] >= 0;
    S::each(model->classes.tenants, [&](i32 t) { tenant_waiting[t] = 0; });
    queue.clear();
    running.clear();
    tally.clear();
  }

  // Whether the run must end here: a structure is full, or the caller asked to stop.
  HD bool interrupted() {
    if (status == kOk && stop_requested<S>(*model)) status = kCancelled;
    return status != kOk;
  }

  // Whether more jobs wait than the bounds that a job of tenant t meets (R4).
  HD bool over_bounds_of(i32 t) const {
    const Policy& p = model->policy;
    const i64 own = p.tenant_max_waiting[t];
    return (p.max_waiting >= 0 && queue.waiting > p.max_waiting) ||
           (own >= 0 && tenant_waiting[t] > own);
  }
  HD bool over_bounds() const {
    if (!has_bounds) return false;
    bool over = false;
    ROLLED
    for (i32 t = 0; t < model->classes.tenants; ++t) over |= over_bounds_of(t);
    return over;
  }

  HD Tick next_event() const { return least(running.next_end(), next_expiry); }

  HD void advance_to(Tick t) {
    tally.advance(now, t, capacity - free, running.n, queue.waiting, waiting_gpus);
    now = t;
  }

  // A job arrives. Returns whether it became eligible; one larger than the pool is rejected at once
  // (R9).
  HD bool admit(const Job& job) {
    const i64 index = tally.jobs;
    const i32 c = job.job_class;
    tally.submitted(index, job.submit, job.gpus, c);
    if (job.gpus > capacity) {
      tally.turned_away(index, job.submit, c, kRejectedCount, kRejected);
      return false;
    }
    const Tick patience = model->classes.patience[c];
    const Tick leaves = patience < 0 ? kNever : job.submit + patience;
    if (!queue.push(model->classes.tier_rank[c], job, leaves, index)) {
      status = kQueueFull;
      return false;
    }
    next_expiry = least(next_expiry, leaves);
    waiting_gpus += job.gpus;
    count_tenant(c, 1);
    return true;
  }

  // The waiting job at (tier, position) starts now. Requires its GPUs to be free.
  HD void start(i32 tier, i32 position) {
    if (running.full()) {
      status = kRunningFull;
      return;
    }
    const i64 k = queue.at(tier, position);
    const i32 g = queue.gpus[k], c = queue.job_class[k];
    const Tick submit = queue.submit[k], service = queue.service[k], limit = queue.limit[k];
    const i64 index = queue.index[k];
    const bool killed = model->policy.kill_at_limit && service > limit;
    free -= g;
    leave_queue(tier, position, g, c);
    running.start_job(now, submit, killed ? limit : service, limit, g, c, index, killed);
    tally.started(index, submit, now, c);
  }

  HD void turn_away(i32 tier, i32 position, Count why, Outcome outcome) {
    const i64 k = queue.at(tier, position);
    const i32 g = queue.gpus[k], c = queue.job_class[k];
    const Tick submit = queue.submit[k];
    const i64 index = queue.index[k];
    leave_queue(tier, position, g, c);
    tally.turned_away(index, submit, c, why, outcome);
  }

  HD void complete(i32 slot) {
    const Running<S>& r = running;
    const i32 g = r.gpus[slot];
    tally.ended(r.index[slot], r.submit[slot], r.start[slot], now, g, r.job_class[slot],
                r.killed[slot] != 0);
    free += g;
    running.end_job(slot);
  }

 private:
  HD void leave_queue(i32 tier, i32 position, i32 g, i32 c) {
    queue.remove(tier, position);
    waiting_gpus -= g;
    count_tenant(c, -1);
  }
  HD void count_tenant(i32 c, i32 change) {
    if (!has_bounds) return;
    const i32 t = model->classes.tenant[c];
    S::once([&] { tenant_waiting[t] += change; });
  }
};

}  // namespace gpusim

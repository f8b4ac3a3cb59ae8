// The moves of jobs in a center that tenants share: start, eviction, the way back to the queue, end. They are those of
// center.h with quotas, victims and work that is kept (R24-R30, S22, S23); which job moves is decided by the pass
// (shared_pass.h).
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// A job starts. Requires its GPUs to be free.
template <class S>
HD_CALL bool Center<S>::begin_shared(const Job& job, const Past& past, i32 pool, Tick delay) {
  if (running.full()) {
    fail(kRunningFull);
    return false;
  }
  const Sharing& s = model->sharing;
  const i32 c = job.job_class;
  const Tick wall = wall_time(s, c, past.remaining) + (past.evictions > 0 ? s.restart[c] : 0);
  const bool killed = model->policy.kill_at_limit && wall > job.limit;
  S::once([&] { free[pool] -= job.gpus; });
  const i32 t = model->classes.tenant[c];
  tenants.quota.use(t, pool, job.gpus, 1);
  tenants.quota.use_of_user(t, user_of(job.part), job.gpus, 1);
  tenants.note_use(t, job.gpus);
  tenants.note_fair_use(t, job.gpus, now);
  const i32 slot = running.start_until(
      job, now, pool, killed, now + delay + (killed ? job.limit : wall), now + delay + job.limit);
  S::once([&] {
    tenants.tenure[slot] =
        Tenure{job.limit, past.remaining, delay, past.queued, past.evictions, -1, -1};
  });
  if (s.preemptible[c]) {
    tenants.link(running.run, slot, t, s.exempt[c]);
    timer = least(timer, tenants.next_ripe);
  }
  tenants.recount(t, pool);
  if (past.evictions == 0)
    tally.started(job, now, pool);
  else
    tally.started_again(job, now - past.since, pool);
  return true;
}

// Starts a waiting job.
template <class S>
HD void Center<S>::start_shared(i32 line, i32 position, i32 pool, Tick delay) {
  const Job& job = queue.job_at(line, position);
  if (begin_shared(job, queue.past_at(line, position), pool, delay))
    leave_queue(line, position, job);
}

// Its GPUs and its share of the quota have been given back already (victims.h).
template <class S>
HD_CALL void Center<S>::evict(i32 slot) {
  const Sharing& s = model->sharing;
  const Run run = running.run[slot];
  const Tenure past = tenants.tenure[slot];
  const i32 c = run.job_class, times = past.evictions + 1, k = tenants.evicted;
  const i32 t = model->classes.tenant[c];
  const Tick saved = saved_work(s, c, past.remaining, own_time(run, past));
  tenants.unlink(running.run, slot, t);
  tenants.note_use(t, -run.gpus);
  tenants.recount(t, run.pool);
  tenants.note_fair_use(t, -run.gpus, now);
  tenants.slack = 0;
  running.end_job(slot);
  tally.evicted(run, now, times, (now - run.start - saved) * run.gpus);
  ++tenants.evictions;
  if (s.requeue[c] == kCancel) {
    tally.cancelled(run, now, times);
    return cancel_chain(run.chain);
  }
  ++tenants.evicted;
  S::once([&] {
    tenants.back[k] = Job{run.submit, run.eligible, run.service, past.limit, 0,
                          run.index,  run.gpus,     c,           run.chain,  run.part};
    tenants.behind[k] = Past{past.remaining - saved, s.requeue[c] == kTail ? now : past.queued, now,
                             times, tenants.pass};
  });
}

template <class S>
HD_CALL void Center<S>::put_back(const Job& job, const Past& behind) {
  const i64 key = key_of(job, behind.queued);
  if (!queue.put_back(model->classes.line[job.job_class], job, behind, key))
    return fail(kQueueFull);
  note_size(job);
  count_tenant(job.job_class, 1);
}

template <class S>
HD_CALL void Center<S>::order_again() {
  const Fair<S>& fair = tenants.fair;
  const Tick tick = now;
  tenants.fair.refresh(tick);
  if (model->policy.order != kMultifactor) return;
  ROLLED
  for (i32 l = 0; l < queue.tiers; ++l) {
    if (queue.live[l] == 0) continue;
    queue.order_again(l, [&](const Job& job, const Past& past) {
      return fair.priority_key(job.job_class, job.gpus, past.queued, tick);
    });
  }
}

template <class S>
HD_CALL bool Center<S>::ripen() {
  const Sharing& s = model->sharing;
  bool woken = false;
  tenants.next_ripe = kNever;
  ROLLED
  for (i32 p = 0; p < pools; ++p) {
    ROLLED
    for (i32 v = 0; v < model->classes.n; ++v) {
      i32 slot = tenants.unripe[tenants.at(p, v)];
      if (slot < 0) continue;
      bool any = false;
      ROLLED
      for (; slot >= 0 && running.run[slot].start + s.exempt[v] <= now; any = true)
        slot = tenants.tenure[slot].newer;
      S::once([&] { tenants.unripe[tenants.at(p, v)] = slot; });
      if (slot >= 0)
        tenants.next_ripe = least(tenants.next_ripe, running.run[slot].start + s.exempt[v]);
      ROLLED
      for (i32 w = 0; any && !woken && w < model->classes.n; ++w)
        woken = tenants.class_waiting[w] > 0 && may_evict(*model, w, v, p);
    }
  }
  return woken;
}

// It has ended.
template <class S>
HD_CALL void Center<S>::end_shared(i32 slot) {
  const Run& run = running.run[slot];
  const Tenure& past = tenants.tenure[slot];
  const i32 c = run.job_class, t = model->classes.tenant[c];
  tenants.quota.use(t, run.pool, -run.gpus, -1);
  tenants.quota.use_of_user(t, user_of(run.part), -run.gpus, -1);
  tenants.note_use(t, -run.gpus);
  tenants.note_fair_use(t, -run.gpus, now);
  tenants.slack -= run.gpus;
  if (model->sharing.preemptible[c]) tenants.unlink(running.run, slot, t);
  tenants.recount(t, run.pool);
  tally.ended(run, now, past.evictions);
  const Tick done = run.killed ? work_done(model->sharing, c, past.remaining, own_time(run, past))
                               : past.remaining;
  tally.lose(c, now, (now - run.start - done) * run.gpus);
}

}  // namespace gpusim

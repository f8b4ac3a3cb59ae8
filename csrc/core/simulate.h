// THE LOOP: one run of the center, from an empty center at tick 0 to the horizon (R1-R3, R5).
//
// next event -> advance the clock -> drain everything of that tick (completions, then arrivals)
// -> settle: passes, until nobody leaves any more -> tally.
//
// A tick in which nothing changed (a rejected arrival, a stale patience) gets no pass. Ties are
// total and documented: events of one tick are all applied before the pass, arrivals in job-index
// order. Cost a job: one calendar update at start and at end, one queue append and removal, and its
// share of the passes.
// Determinism: the result is a function of (model, cell) alone, on any backend.
#pragma once
#include "backfill.h"
#include "center.h"
#include "jobs.h"
#include "model.h"
#include "scratch.h"
#include "status.h"
#include "types.h"

namespace gpusim {

constexpr i64 kLookEvery = 1024;  // ticks between an early run's looks at late waiting jobs

// Completions of this tick. Their order cannot matter: all are applied before the pass.
template <class S>
HD bool drain_completions(Center<S>& center) {
  bool any = false;
  ROLLED
  while (center.running.next_end() == center.now) {
    center.complete(key_slot(center.running.calendar.top()));
    any = true;
  }
  return any;
}

// Arrivals of this tick, in job-index order.
template <class S>
HD bool drain_arrivals(Center<S>& center, JobStream<S>& jobs) {
  bool any = false;
  if (center.has_bounds) center.queue.forget_newcomers();
  ROLLED
  while (!center.interrupted() && jobs.next_submit() == center.now) any |= center.admit(jobs.take());
  return any;
}

// Waiting jobs whose patience ends now leave (R4). Returns whether anybody did.
template <class S>
HD bool leave_impatient(Center<S>& center) {
  if (center.next_expiry > center.now) return false;
  bool any = false;
  Queue<S>& queue = center.queue;
  ROLLED
  for (i32 t = 0; t < queue.tiers; ++t) {
    i32 i = queue.first_expired(t, queue.head[t], center.now);
    ROLLED
    while (i < queue.tail[t]) {
      center.turn_away(t, i, kAbandonedCount, kAbandoned);
      any = true;
      i = queue.first_expired(t, i + 1, center.now);
    }
  }
  center.next_expiry = queue.next_expiry();
  return any;
}

// Newcomers over max_waiting are refused, last job index first (R4, S3). Returns whether anybody was.
// Inside a tier the last index is the last entry, so each visit looks at one entry a tier.
template <class S>
HD bool refuse_newcomers(Center<S>& center) {
  if (!center.over_bounds()) return false;
  Queue<S>& queue = center.queue;
  S::each(queue.tiers, [&](i32 t) { queue.visited[t] = 0; });
  bool any = false;
  ROLLED
  while (center.over_bounds()) {
    i32 tier = -1;
    i64 last = -1;
    ROLLED
    for (i32 t = 0; t < queue.tiers; ++t) {
      const i32 seen = queue.visited[t];
      if (seen == queue.fresh[t]) continue;
      const i64 index = queue.index[queue.at(t, queue.tail[t] - 1 - seen)];
      if (index > last) {
        last = index;
        tier = t;
      }
    }
    if (tier < 0) break;
    const i32 position = queue.tail[tier] - 1 - queue.visited[tier];
    S::once([&] { ++queue.visited[tier]; });
    const i64 k = queue.at(tier, position);
    if (queue.gpus[k] != kHole && center.over_bounds_of(center.model->classes.tenant[queue.job_class[k]])) {
      center.turn_away(tier, position, kRejectedFullCount, kRejectedFull);
      any = true;
    }
  }
  return any;
}

// Passes until nothing changes (R3).
template <class S>
HD void settle(Center<S>& center) {
  ROLLED
  for (;;) {
    if (center.queue.waiting > 0) pass(center);
    if (center.status != kOk) return;
    const bool left = leave_impatient(center);
    const bool refused = refuse_newcomers(center);
    if (!left && !refused) break;
  }
  center.tally.settled(center.queue.waiting, center.running.n);
}

// Violations every level can bear: floor(jobs in scope * (1 - share)).
template <class S>
HD void set_budgets(const Model& m, const Cell& cell, Scratch<S>& scratch) {
  S::each(m.classes.n, [&](i32 c) { scratch.counted[c] = 0; });
  S::each(m.slos.n, [&](i32 s) { scratch.center.tally.budget[s] = 0; });
  count_arrivals<S>(m, cell.replication, m.windows.warm_up, m.windows.count_end, scratch.block,
                    scratch.counted);
  S::once([&] {
    i64* budget = scratch.center.tally.budget;
    for (i32 c = 0; c < m.classes.n; ++c)
      for (i32 k = m.slos.class_offset[c]; k < m.slos.class_offset[c + 1]; ++k)
        budget[m.slos.class_slo[k]] += scratch.counted[c];
    for (i32 s = 0; s < m.slos.n; ++s)
      budget[s] = budget[s] * (1000000 - m.slos.share_ppm[s]) / 1000000;
  });
}

// A level that jobs still waiting have already broken, or -1.
template <class S>
HD_CALL i32 broken_by_waiting(const Center<S>& center, i64* late) {
  const Slos& slos = center.model->slos;
  const Queue<S>& queue = center.queue;
  i32 broken = -1;
  S::once([&] {
    for (i32 s = 0; s < slos.n; ++s) late[s] = center.tally.out.slo[s * kSloCounts + kViolated];
    for (i32 t = 0; t < queue.tiers; ++t)
      for (i32 i = queue.head[t]; i < queue.tail[t]; ++i) {
        const i64 k = queue.at(t, i);
        if (queue.gpus[k] == kHole || !center.tally.counted(queue.submit[k])) continue;
        const i32 c = queue.job_class[k];
        for (i32 j = slos.class_offset[c]; j < slos.class_offset[c + 1]; ++j)
          late[slos.class_slo[j]] += center.now - queue.submit[k] > slos.limit[slos.class_slo[j]];
      }
  });
  for (i32 s = slos.n - 1; s >= 0; --s)
    if (late[s] > center.tally.budget[s]) broken = s;
  return broken;
}

// Whether an early run knows its verdict: a level is broken for good, or no counted job is waiting
// or to come.
template <class S>
HD bool decided(Center<S>& center, bool look_at_waiting, i64* late) {
  Tally<S>& tally = center.tally;
  if (look_at_waiting && tally.broken < 0) tally.broken = broken_by_waiting(center, late);
  return tally.broken >= 0 ||
         (center.now >= center.model->windows.count_end && tally.undecided == 0);
}

// What waits or runs at the end of the run.
template <class S>
HD void close_books(Center<S>& center) {
  const Queue<S>& queue = center.queue;
  const Running<S>& running = center.running;
  ROLLED
  for (i32 t = 0; t < queue.tiers; ++t) {
    ROLLED
    for (i32 i = queue.head[t]; i < queue.tail[t]; ++i) {
      const i64 k = queue.at(t, i);
      if (queue.gpus[k] == kHole) continue;
      center.tally.still_waiting(queue.submit[k], center.now, queue.job_class[k]);
    }
  }
  ROLLED
  for (i32 slot = 0; slot < running.slots; ++slot)
    if (running.calendar.leaf(slot) != kNoKey)
      center.tally.still_running(running.submit[slot], running.start[slot], center.now,
                                 running.gpus[slot], running.job_class[slot]);
}

// One run. Scratch has been carved for the same model; every field of `result` is overwritten.
template <class S>
HD Status simulate(const Model& model, const Cell& cell, Scratch<S>& scratch,
                   const RunResult& result) {
  Center<S>& center = scratch.center;
  center.model = center.tally.model = &model;
  center.capacity = cell.gpus;
  center.tally.out = result;
  center.clear();
  if (model.early) set_budgets(model, cell, scratch);
  JobStream<S> jobs;
  jobs.open(model, scratch.blocks, cell.replication);

  const Tick horizon = model.windows.horizon;
  bool certain = false;
  ROLLED
  for (i64 events = 1;; ++events) {
    const Tick next = least(center.next_event(), jobs.next_submit());
    if (next >= horizon) break;
    if (center.interrupted()) return center.status;
    center.advance_to(next);
    const bool arrivals = jobs.next_submit() == next;
    bool changed = drain_completions(center);
    if (center.next_expiry == next) {
      center.next_expiry = center.queue.next_expiry();
      changed |= center.next_expiry == next;
    }
    changed |= drain_arrivals(center, jobs);
    if (changed) settle(center);
    if (changed || arrivals) center.tally.end_tick = next;
    if (center.status != kOk) return center.status;
    certain = model.early && decided(center, events % kLookEvery == 0, scratch.late);
    if (certain) break;
  }
  if (!certain) {
    center.advance_to(horizon);
    close_books(center);
  }
  center.tally.finish();
  return kOk;
}

}  // namespace gpusim

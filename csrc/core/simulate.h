// THE LOOP: one run of the center, from an empty center at tick 0 to the horizon (R1-R3, R5).
//
// next event -> advance the clock -> drain everything of that tick (completions, then jobs that become
// eligible, then arrivals) -> settle: passes, until nobody leaves any more -> tally.
//
// A tick in which nothing changed (a rejected arrival, a stale patience) gets no pass; with a scheduler
// period passes come at its multiples only (S9). Ties are total and documented: events of one tick
// are all applied before the pass, and what joins the queue in one tick joins in job-index order. Cost
// a job: one calendar update at start and at end, one queue append and removal, and its share of the
// passes.
// Where nothing but the order of the jobs and the free GPUs decides, fifo.h does all this job by job instead.
// Determinism: the result is a function of (model, cell) alone, on any backend.
#pragma once
#include "backfill.h"
#include "center.h"
#include "early.h"
#include "fifo.h"
#include "jobs.h"
#include "model.h"
#include "newcomer.h"
#include "scratch.h"
#include "shared_moves.h"
#include "shared_pass.h"
#include "status.h"
#include "why.h"
#include "types.h"

namespace gpusim {

// Completions of this tick. Their order cannot matter: all are applied before the pass.
template <class S>
HD_IN bool drain_completions(Center<S>& center) {
  if (center.running.next_end() != center.now) return false;
  ROLLED
  do center.complete(key_slot(center.running.calendar.top()));
  while (center.running.next_end() == center.now);
  return true;
}

// Arrivals of this tick, in job-index order.
template <class S>
HD_JOB bool drain_arrivals(Center<S>& center, JobStream<S>& jobs) {
  bool any = false;
  ROLLED
  while (jobs.next_submit() == center.now && !center.interrupted()) {
    Job job = jobs.take();
    any |= center.admit(job);
  }
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
template <class S>
HD bool refuse_newcomers(Center<S>& center) {
  if (!center.over_bounds()) return false;
  Queue<S>& queue = center.queue;
  bool any = false;
  ROLLED
  for (i32 i = queue.newcomers - 1; i >= 0; --i) {
    const i32 place = queue.newcomer[i];
    if (!queue.here[place]) continue;
    if (queue.past && queue.past[place].evictions > 0) continue;  // it took the place of a newcomer
    const i32 c = queue.job[place].job_class;
    if (!center.over_bounds_of(center.model->classes.tenant[c])) continue;
    const i32 tier = center.model->classes.line[c];
    center.turn_away(tier, queue.position_of(tier, place), kRejectedFullCount, kRejectedFull);
    any = true;
  }
  return any;
}

// A pass if one is due, then those who must leave do; again until nothing changes (R3, S9).
template <class S>
HD_CALL void settle_queue(Center<S>& center, bool passing) {
  ROLLED
  for (;;) {
    if (passing && center.queue.waiting > 0) pass(center);
    if (center.status != kOk) return;
    const bool left = leave_impatient(center);
    const bool refused = refuse_newcomers(center);
    if (!left && !refused) break;
  }
  center.check_timer();
}

// The same where tenants share the center: evictions call for another pass, too. Then who waits is told why.
template <class S>
HD_CALL void settle_shared(Center<S>& center, bool passing) {
  center.tenants.evictions = 0;
  ROLLED
  for (;;) {
    const bool evicted = center.walk_ins > 0
                             ? receive(center, passing)
                             : passing && center.queue.waiting > 0 && pass_shared(center);
    if (center.status != kOk) return;
    const bool left = leave_impatient(center);
    const bool refused = refuse_newcomers(center);
    if (!left && !refused && !evicted) break;
    center.tenants.release_holds();
  }
  center.check_timer();
  center.tally.settled(center.queue.waiting, center.running.n);
  if (center.tenants.evictions > 0) center.tally.cascaded(center.tenants.evictions);
  if (center.tally.out.causes)
    tell_why(center, passing);
  else
    center.tenants.release_holds();
}

// After all events of a tick. Most often nobody waits: then whoever came takes a seat, and that is all.
template <class S>
HD_IN void settle(Center<S>& center, bool passing) {
  if constexpr (may_share<S>())
    if (center.shares()) {
      if (center.queue.waiting > 0 || center.walk_ins > 0 || center.tally.out.causes)
        settle_shared(center, passing);
      return;
    }
  if constexpr (!built_for<S>(kSharedFamily)) {
    const bool seated = center.seat();
    if (center.queue.waiting > 0)
      settle_queue(center, passing);
    else if (!seated)
      return;
    center.tally.settled(center.queue.waiting, center.running.n);
  }
}

// Held jobs become eligible, closures begin and end, and patience ends, which settle() attends to. Returns whether
// anything changed.
template <class S>
HD_CALL bool ring(Center<S>& center) {
  bool changed = false;
  if constexpr (may_share<S>())
    if (center.shares()) {
      changed = center.wake_up();
      if (center.closures.next == center.now) {
        center.open_and_close();
        changed = true;
      }
    }
  changed |= center.release_held();
  if (center.next_expiry == center.now) {
    center.next_expiry = center.queue.next_expiry();
    changed |= center.next_expiry == center.now;
  }
  center.set_timer();
  return changed;
}

// What waits, is held or runs at the end of the run. A run whose verdict is certain ends before the horizon,
// and what is open then stays open.
template <class S>
HD_CALL Status close_books(Center<S>& center, bool at_horizon) {
  const Queue<S>& queue = center.queue;
  const Running<S>& running = center.running;
  const Chains<S>& chains = center.chains;
  Tally<S>& tally = center.tally;
  const Tick now = center.now;
  if (tally.out.causes) charge_why(center);
  ROLLED
  for (i32 t = 0; t < queue.tiers; ++t) {
    ROLLED
    for (i32 i = queue.head[t]; i < queue.tail[t]; ++i) {
      if (queue.index.gpus[queue.at(t, i)] == kHole) continue;
      const Tick since = queue.since(t, i);
      tally.waited(queue.job_at(t, i), since, now);
      tally.waits(queue.job_at(t, i), since, now);
      const i32 evictions = queue.past ? queue.past_at(t, i).evictions : 0;
      if (at_horizon) tally.still_waiting(queue.job_at(t, i), since, now, evictions);
    }
  }
  ROLLED
  for (i32 slot = 0; slot < running.slots; ++slot) {
    if (running.calendar.leaf(slot) == kNoKey) continue;
    tally.has_run(running.run[slot], now);
    if (!at_horizon) continue;
    const i32 evictions = center.shares() ? center.tenants.tenure[slot].evictions : 0;
    tally.still_running(running.run[slot], now, evictions);
  }
  const i32 held = at_horizon && chains.slots > 0 ? chains.held_slots : 0;
  ROLLED
  for (i32 slot = 0; slot < held; ++slot)
    if (chains.taken[slot]) tally.still_held(chains.held[slot], now);
  ROLLED
  for (i32 c = 0; at_horizon && c < chains.n; ++c)
    if (chains.chain[c].open) tally.chain_still_open(chains.chain[c], now);
  tally.finish();
  return kOk;
}

// A run between two slices: with the center in its scratch, all there is to know of it.
template <class S>
struct Simulation {
  Cell cell;
  JobStream<S> jobs;
  FirstCome<S> line;  // where jobs are served in order
  i64 budget;  // events until it pauses: ticks with events, or jobs where they are served in order
  bool in_order;
};

// The memory of the run, the model and the outputs stand where they stand now.
template <class S>
HD void resume(const Model& model, const Cell& cell, Scratch<S>& scratch, const RunResult& result,
               Simulation<S>* run) {
  run->cell = cell;
  scratch.center.bind(model, cell, result);
  run->jobs.bind(model, scratch.blocks);
  if (model.early) scratch.ahead.bind(model, scratch.preview);
  run->line.bind(&scratch.center);
}

// An empty center at tick 0. Scratch has been carved for the same model; every field of `result` is overwritten.
template <class S>
HD_IN void begin(const Model& model, const Cell& cell, Scratch<S>& scratch, const RunResult& result,
                 Simulation<S>* run) {
  run->cell = cell;
  scratch.center.bind(model, cell, result);
  scratch.center.clear();
  run->jobs.open(model, scratch.blocks, cell);
  run->in_order =
      built_for<S>(kInOrderFamily) || ((built_for<S>(kAnyFamily) || built_for<S>(kOtherFamily)) &&
                                       first_come_first_served(model, cell));
  if (run->in_order) return run->line.open(&scratch.center);
  if (model.early) open_budgets(scratch);
}

template <class S>
HD_IN Status go_on_by_events(Scratch<S>& scratch, Simulation<S>* run) {
  Center<S>& center = scratch.center;
  JobStream<S>& jobs = run->jobs;
  ROLLED
  for (;;) {
    if (center.model->early && scratch.counting) {
      if (!count_scopes(*center.model, scratch, &run->budget)) return kPaused;
      if (certain(*center.model, scratch)) return close_books(center, false);
    }
    const Tick next = least(center.next_event(), jobs.next_submit());
    if (next >= center.model->windows.horizon) break;
    if (--run->budget < 0) return kPaused;
    center.now = next;
    if (center.interrupted()) return center.status;
    center.queue.forget_newcomers();
    bool changed = drain_completions(center);
    if (center.timer == center.now) changed |= ring(center);
    if (jobs.next_submit() == center.now) {
      center.tally.end_tick = center.now;
      changed |= drain_arrivals(center, jobs);
    }
    const bool passing = center.model->policy.period > 1 ? center.due(changed) : changed;
    if (changed || passing) {
      center.tally.end_tick = center.now;
      settle(center, passing);
    }
    if (center.status != kOk) return center.status;
    if (center.model->early && decided(*center.model, run->cell, scratch))
      return close_books(center, false);
    // On a device a pass over a long queue is worth many events, but not where an index finds who may start.
    if (S::wide && !built_for<S>(kEasyFamily)) run->budget -= center.queue.waiting >> 5;
  }
  center.now = center.model->windows.horizon;
  return close_books(center, true);
}

// Goes on with the run until it is complete or, kPaused, its budget is used up.
template <class S>
HD_IN Status go_on(Scratch<S>& scratch, Simulation<S>* run) {
  if constexpr (!built_for<S>(kEasyFamily) && !built_for<S>(kSharedFamily))
    if (run->in_order) return serve_in_order(scratch.center, run->jobs, &run->line, &run->budget);
  if constexpr (built_for<S>(kInOrderFamily))
    return kNotRun;  // not reached
  else
    return go_on_by_events(scratch, run);
}

// One run, from begin to end.
template <class S>
HD Status simulate(const Model& model, const Cell& cell, Scratch<S>& scratch,
                   const RunResult& result) {
  Simulation<S> run;
  run.budget = kNever;
  begin(model, cell, scratch, result, &run);
  return go_on(scratch, &run);
}

}  // namespace gpusim

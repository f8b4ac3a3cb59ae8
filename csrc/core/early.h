// Early runs: stop as soon as the verdict is certain, with the verdict of the whole run.
//
// A level is lost once its violations exceed what all it will judge allow, its budget
//   budget = floor(jobs or chains in scope * (1 - share)).
// Counting them takes a pass over the arrivals, so it waits until a look shows that a level might be
// lost: more violations (waits that are too long already included) than what has been submitted so
// far allows. Until then no budget can be exceeded, since later jobs only raise it.
// A run is won when no judgement is open or still to come and no level is lost. A look costs O(waiting
// jobs), so looks come the more rarely the more jobs wait.
#pragma once
#include "center.h"
#include "jobs.h"
#include "model.h"
#include "scratch.h"
#include "types.h"

namespace gpusim {

constexpr i64 kLookEvery = 512;  // ticks with events between two looks, at least
constexpr i64 kLookShare = 2;    // and so many for every waiting job

template <class S>
HD void open_budgets(Scratch<S>& scratch) {
  i64* budget = scratch.center.tally.budget;
  S::each(scratch.center.model->slos.n, [=](i32 s) { budget[s] = kNever; });
  scratch.counting = scratch.budgeted = false;
  scratch.events = 0;
  scratch.next_look = kLookEvery;
}

// late[s]: violations of level s, and counted jobs that wait and are late for it already.
template <class S>
HD_CALL void count_late(Center<S>& center, i64* late) {
  const Slos& slos = center.model->slos;
  const Queue<S>& queue = center.queue;
  S::each(slos.n, [&](i32 s) { late[s] = center.tally.out.slo[s * kSloCounts + kViolated]; });
  ROLLED
  for (i32 t = 0; t < queue.tiers; ++t) {
    ROLLED
    for (i32 i = queue.head[t]; i < queue.tail[t]; ++i) {
      if (queue.index.gpus[queue.at(t, i)] == kHole) continue;
      const Job& job = queue.job_at(t, i);
      if (!center.tally.counted(job.submit)) continue;
      if (queue.past && queue.past_at(t, i).evictions > 0) continue;  // it has started once
      const Tick waited = center.now - job.eligible;
      center.tally.each_level(job.job_class, job.submit, job.gpus,
                              [&](i32 s, i32 metric, i64 limit) {
                                if (metric == kWaitMetric && waited > limit)
                                  S::once([&] { ++late[s]; });
                              });
    }
  }
}

template <class S>
HD void find_lost_level(const Model& m, Scratch<S>& scratch) {
  Tally<S>& tally = scratch.center.tally;
  const i32 lost =
      S::prefix_until(0, m.slos.n, [&](i32 s) { return scratch.late[s] > tally.budget[s]; });
  if (lost < m.slos.n) tally.broken = lost;
}

// Finds a level that is lost for good; the first time that one might be, budgets must be counted first.
template <class S>
HD_CALL void look_for_lost_level(const Model& m, const Cell& cell, Scratch<S>& scratch) {
  Tally<S>& tally = scratch.center.tally;
  i64* judged = tally.budget;
  count_late(scratch.center, scratch.late);
  if (scratch.budgeted) return find_lost_level(m, scratch);
  const i32 doubtful = S::prefix_until(0, m.slos.n, [&](i32 s) {
    return scratch.late[s] * kMillion > tally.opened[s] * (kMillion - m.slos.share_ppm[s]);
  });
  if (doubtful == m.slos.n) return;
  S::each(m.slos.n, [=](i32 s) { judged[s] = 0; });
  scratch.ahead.open(m, scratch.preview, cell);
  scratch.counting = true;
}

// Counts what each level will judge in the whole run, before the next event; then sets the budgets and ends the look
// that asked for them. A job is an event of the slice. False: the slice is used up, and the next goes on.
template <class S>
HD_CALL bool count_scopes(const Model& m, Scratch<S>& scratch, i64* slice) {
  Tally<S>& tally = scratch.center.tally;
  i64* budget = tally.budget;
  JobStream<S>& jobs = scratch.ahead;
  ROLLED
  while (jobs.next_submit() < m.windows.count_end && !stop_requested<S>(m)) {
    if (--*slice < 0) return false;
    const Job job = jobs.take();
    if (job.submit < m.windows.warm_up) continue;
    tally.each_level(job.job_class, job.submit, job.gpus, [&](i32 s, i32 metric, i64) {
      if (opens(metric, job.part)) S::once([&] { ++budget[s]; });
    });
  }
  S::each(m.slos.n,
          [&](i32 s) { budget[s] = budget[s] * (kMillion - m.slos.share_ppm[s]) / kMillion; });
  scratch.counting = false;
  scratch.budgeted = true;
  find_lost_level(m, scratch);
  return true;
}

// Whether the verdict is certain.
template <class S>
HD bool certain(const Model& m, const Scratch<S>& scratch) {
  const Tally<S>& tally = scratch.center.tally;
  return tally.broken >= 0 || (scratch.center.now >= m.windows.count_end && tally.undecided == 0);
}

// Whether it is certain after one more tick with events; while `counting`, that is not known yet.
template <class S>
HD bool decided(const Model& m, const Cell& cell, Scratch<S>& scratch) {
  const i64 events = ++scratch.events;
  if (events >= scratch.next_look && scratch.center.tally.broken < 0) {
    look_for_lost_level(m, cell, scratch);
    scratch.next_look = events + greatest(kLookEvery, kLookShare * scratch.center.queue.waiting);
  }
  return !scratch.counting && certain(m, scratch);
}

}  // namespace gpusim

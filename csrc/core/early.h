// Early runs: stop as soon as the verdict is certain, with the verdict of the whole run.
//
// A level is lost once its violations exceed what all its counted jobs allow, its budget
//   budget = floor(counted jobs in scope * (1 - share)).
// Counting them takes a pass over the arrivals, so it waits until a look shows that a level might be
// lost: more violations (waits that are too long already included) than the jobs submitted so far
// allow. Until then no budget can be exceeded, since later jobs only raise it.
// A run is won when no counted job waits or is still to come and no level is lost: what was not
// counted by then cannot change a wait. Looks come every kLookEvery ticks and cost O(waiting jobs).
#pragma once
#include "center.h"
#include "jobs.h"
#include "model.h"
#include "scratch.h"
#include "types.h"

namespace gpusim {

constexpr i64 kLookEvery = 512;  // ticks with events between two looks

template <class S>
HD void open_budgets(Scratch<S>& scratch) {
  i64* budget = scratch.center.tally.budget;
  S::each(scratch.center.model->slos.n, [=](i32 s) { budget[s] = kNever; });
  scratch.budgeted = false;
}

// jobs[s]: counted jobs in the scope of level s, from counted jobs by class (stride apart).
template <class S>
HD void add_up_scopes(const Slos& slos, i32 classes, const i64* by_class, i32 stride, i64* jobs) {
  S::once([&] {
    for (i32 s = 0; s < slos.n; ++s) jobs[s] = 0;
    for (i32 c = 0; c < classes; ++c)
      for (i32 k = slos.class_offset[c]; k < slos.class_offset[c + 1]; ++k)
        jobs[slos.class_slo[k]] += by_class[static_cast<i64>(c) * stride];
  });
}

template <class S>
HD_CALL void set_budgets(const Model& m, const Cell& cell, Scratch<S>& scratch) {
  i64* budget = scratch.center.tally.budget;
  S::each(m.classes.n, [&](i32 c) { scratch.counted[c] = 0; });
  count_arrivals<S>(m, cell.replication, m.windows.warm_up, m.windows.count_end, scratch.block,
                    scratch.counted);
  add_up_scopes<S>(m.slos, m.classes.n, scratch.counted, 1, budget);
  S::each(m.slos.n,
          [&](i32 s) { budget[s] = budget[s] * (1000000 - m.slos.share_ppm[s]) / 1000000; });
  scratch.budgeted = true;
}

// late[s]: violations of level s, and counted jobs that wait and are late for it already.
template <class S>
HD_CALL void count_late(const Center<S>& center, i64* late) {
  const Slos& slos = center.model->slos;
  const Queue<S>& queue = center.queue;
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
}

// Finds a level that is lost for good; the first time that one might be, sets the budgets.
template <class S>
HD_CALL void look_for_lost_level(const Model& m, const Cell& cell, Scratch<S>& scratch) {
  Tally<S>& tally = scratch.center.tally;
  count_late(scratch.center, scratch.late);
  if (!scratch.budgeted) {
    add_up_scopes<S>(m.slos, m.classes.n, tally.out.counts + kSubmittedCount, kCounts,
                     scratch.submitted);
    const i32 doubtful = S::prefix_until(0, m.slos.n, [&](i32 s) {
      return scratch.late[s] * 1000000 > scratch.submitted[s] * (1000000 - m.slos.share_ppm[s]);
    });
    if (doubtful == m.slos.n) return;
    set_budgets(m, cell, scratch);
  }
  const i32 lost =
      S::prefix_until(0, m.slos.n, [&](i32 s) { return scratch.late[s] > tally.budget[s]; });
  if (lost < m.slos.n) tally.broken = lost;
}

template <class S>
HD bool decided(const Model& m, const Cell& cell, Scratch<S>& scratch, bool look) {
  const Tally<S>& tally = scratch.center.tally;
  if (look && tally.broken < 0) look_for_lost_level(m, cell, scratch);
  return tally.broken >= 0 || (scratch.center.now >= m.windows.count_end && tally.undecided == 0);
}

}  // namespace gpusim

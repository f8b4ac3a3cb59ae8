// Closures: GPUs of a pool that are taken away in known intervals (S36): reservations in the calendar, drains, upkeep.
//
// What is closed of a pool is a step function of time, known from the beginning: from tick[k] on gpus[k], the sum of the
// closures that are open then; never more than the pool has. Ends stand there too, and every step is an event that
// causes a pass, even if it changes nothing. Closed GPUs are not free (Center::free), and no job starts that would
// still run by its limit when they are closed: the steps to come are carved out of the pool's profile (outlook.h).
// Cost: an event a step; in each pass those steps that come before the end of a job that is looked at.
#pragma once
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

template <class S>
struct Closures {
  const ClosureSteps* steps;  // of the model
  const i32* capacity;        // (P,) of the cell
  i32 pools;
  Tick next;    // the next step of any pool, or kNever
  i32* passed;  // (P,) number of the pool's next step
  i32* closed;  // (P,) GPUs closed now
  i32* carved;  // (P,) in a pass: the first step that has not been taken out of the pool's profile

  HD void clear() {
    next = kNever;
    if (steps->n == 0) return;
    S::each(pools, [&](i32 p) {
      passed[p] = steps->offset[p];
      closed[p] = 0;
    });
    find_next();
  }

  // GPUs closed from step k of a pool on.
  HD i32 at(i32 p, i32 k) const {
    return static_cast<i32>(least<i64>(steps->gpus[k], capacity[p]));
  }
  HD i32 before(i32 p, i32 k) const { return k == passed[p] ? closed[p] : at(p, k - 1); }
  HD i32 closed_now(i32 p) const { return steps->n > 0 ? closed[p] : 0; }

  // Steps of a pool that are still to come: numbers first .. end(p).
  HD i32 first(i32 p) const { return passed[p]; }
  HD i32 end(i32 p) const { return steps->offset[p + 1]; }
  HD bool ahead(i32 p) const { return steps->n > 0 && first(p) < end(p); }

  // Whether a profile that has to be right before a tick needs step k of a pool, and all before it.
  HD bool matters(i32 p, i32 k, Tick until) const {
    return k < end(p) && (steps->tick[k] < until || before(p, k) > 0);
  }
  HD void carve_anew(i32 p) const {
    S::once([&] { carved[p] = passed[p]; });
  }

  // The first tick from the next step on at which a closure of the pool begins; kNever: none does any more.
  HD Tick next_start(i32 p) const { return ahead(p) ? steps->start[first(p)] : kNever; }

  // Applies the steps of tick `next`: f(pool, GPUs that are closed more than before).
  template <class F>
  HD void step(F f) {
    ROLLED
    for (i32 p = 0; p < pools; ++p) {
      const i32 k = passed[p];
      if (k == end(p) || steps->tick[k] != next) continue;
      const i32 now = at(p, k), more = now - closed[p];
      S::once([&] {
        passed[p] = k + 1;
        closed[p] = now;
      });
      f(p, more);
    }
    find_next();
  }

 private:
  HD void find_next() {
    next = kNever;
    ROLLED
    for (i32 p = 0; p < pools; ++p)
      if (passed[p] < end(p)) next = least(next, steps->tick[passed[p]]);
  }
};

}  // namespace gpusim

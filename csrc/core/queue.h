// Waiting jobs, in the order in which a pass considers them (R10): tier by tier, inside a tier by
// (eligible, job index).
//
// Each tier is a strip of `slots` entries. Jobs become eligible in job-index order, so a newcomer
// is always appended; a job that leaves from the middle becomes a hole (gpus = kHole, which fits
// nowhere) and the strip is closed up when its end reaches the last slot. A strip more than three
// quarters full of live jobs counts as full, which keeps the closing-up O(1) a job. Order needs no
// keys and no sorting.
#pragma once
#include "jobs.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kHole = 0x7fffffff;  // gpus of an entry whose job has left

template <class S>
struct Queue {
  i32 tiers;       // strips
  i32 slots;       // entries per strip
  i64 waiting;     // live jobs of all tiers
  i32* head;       // (tiers,) first live entry, or == tail
  i32* tail;       // (tiers,) one past the last entry
  i32* live;       // (tiers,) live entries
  i32* fresh;      // (tiers,) entries appended in this tick: the last ones of the strip
  i32* visited;    // (tiers,) of these, how many have been looked at for refusal
  i32* gpus;       // (tiers, slots) gang size, or kHole
  Tick* limit;     // (tiers, slots) request
  Tick* submit;    // (tiers, slots)
  Tick* service;   // (tiers, slots)
  Tick* expiry;    // (tiers, slots) submit + patience; kNever for holes and for the patient
  i32* job_class;  // (tiers, slots)
  i64* index;      // (tiers, slots) job index

  HD void clear() {
    waiting = 0;
    S::each(tiers, [&](i32 t) { head[t] = tail[t] = live[t] = fresh[t] = 0; });
  }
  HD void forget_newcomers() {
    S::each(tiers, [&](i32 t) { fresh[t] = 0; });
  }
  HD i64 at(i32 tier, i32 position) const { return static_cast<i64>(tier) * slots + position; }

  HD bool push(i32 tier, const Job& job, Tick leaves, i64 job_index) {
    if (tail[tier] == slots && !close_up(tier)) return false;
    const i64 k = at(tier, tail[tier]);
    S::once([&] {
      gpus[k] = job.gpus;
      limit[k] = job.limit;
      submit[k] = job.submit;
      service[k] = job.service;
      expiry[k] = leaves;
      job_class[k] = job.job_class;
      index[k] = job_index;
      ++tail[tier];
      ++live[tier];
      ++fresh[tier];
    });
    ++waiting;
    return true;
  }

  HD void remove(i32 tier, i32 position) {
    const i64 k = at(tier, position);
    S::once([&] {
      gpus[k] = kHole;
      expiry[k] = kNever;
      --live[tier];
    });
    --waiting;
    if (position == head[tier]) {
      const i32 next = first_that(tier, position + 1, [](i32 g, Tick) { return g != kHole; });
      S::once([&] { head[tier] = next; });
    }
  }

  // First entry from `from` on whose (gpus, limit) satisfies p, or tail[tier]. Holes never fit:
  // gpus = kHole.
  template <class P>
  HD i32 first_that(i32 tier, i32 from, P p) const {
    const i32* g = gpus + at(tier, 0);
    const Tick* l = limit + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return p(g[i], l[i]); });
  }

  HD i32 first_expired(i32 tier, i32 from, Tick now) const {
    const Tick* e = expiry + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return e[i] <= now; });
  }

  HD i32 smallest() const {  // gang size of the smallest waiting job
    i32 g = kHole;
    ROLLED
    for (i32 t = 0; t < tiers; ++t)
      g = least(g, S::min(gpus + at(t, head[t]), tail[t] - head[t], kHole));
    return g;
  }

  HD Tick next_expiry() const {
    Tick soonest = kNever;
    ROLLED
    for (i32 t = 0; t < tiers; ++t)
      soonest = least(soonest, S::min(expiry + at(t, head[t]), tail[t] - head[t], kNever));
    return soonest;
  }

 private:
  HD_CALL bool close_up(i32 tier) {
    if (live[tier] > slots - slots / 4) return false;
    S::once([&] {
      i32 to = 0;
      for (i32 from = head[tier]; from < tail[tier]; ++from) {
        const i64 a = at(tier, from), b = at(tier, to);
        if (gpus[a] == kHole) continue;
        gpus[b] = gpus[a];
        limit[b] = limit[a];
        submit[b] = submit[a];
        service[b] = service[a];
        expiry[b] = expiry[a];
        job_class[b] = job_class[a];
        index[b] = index[a];
        ++to;
      }
      head[tier] = 0;
      tail[tier] = to;
    });
    return true;
  }
};

}  // namespace gpusim

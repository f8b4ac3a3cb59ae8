// The release list of a pool: when running jobs are expected to give their GPUs back. It is all that
// reservations may know about the future (R8).
//
// Nobody needs the jobs sorted: a reservation asks at which tick enough GPUs are back. So time is cut
// into buckets of 2^shift ticks. A ring of them, from bucket number `origin` on, keeps for each bucket
// the sum of its GPUs and the jobs themselves as a linked list; every kGroup buckets have a sum too. A
// question adds up groups, then buckets, then looks at the ticks of one bucket.
// Two more lists take what the ring does not: jobs expected beyond its end (`far`), and jobs that run
// beyond their request (`overdue`). When many are far, or twice as many jobs run, the width is chosen
// anew. The widths and lists are a matter of speed alone: every answer is exact.
// Cost: O(1) to insert or remove, O(kGroup + buckets / kGroup + jobs in a bucket * shift) a question.
#pragma once
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kGroup = 64;  // buckets with one sum
constexpr i32 kFewFar = 4;  // far jobs that are always few, as is an eighth of all
constexpr i32 kTickBits = 44;
constexpr i32 kShort = 16;  // jobs of a list that is looked at in one go

HD_BOTH i32 release_buckets(i64 slots) {  // a power of two, like slots
  return static_cast<i32>(least<i64>(greatest<i64>(2 * slots, 4 * kGroup), 4096));
}

struct ReleaseNode {  // one running job, by its slot
  Tick tick;          // expected end
  i32 gpus;
  i32 bucket;  // the list it stands in
  i32 next;    // in that list, or -1
  i32 prev;
};

// One per pool, in shared memory: its scalars are written inside once() like every array.
template <class S>
struct Release {
  i32 buckets;        // of the ring; list `buckets` holds the far jobs, the next the overdue ones
  i32 n;              // jobs
  i32 far_jobs;       // of these
  i32 shift;          // a bucket has 2^shift ticks
  i32 fitted;         // jobs when the width was chosen
  i64 origin;         // number of the ring's first bucket: no job of the ring ends before it
  i64 in_ring;        // GPUs
  i64 overdue;        // GPUs
  Tick first_far;     // no far job ends before this tick
  i32* sum;           // (buckets,) GPUs
  i32* group;         // (buckets / kGroup,) GPUs
  i32* head;          // (buckets + 2,) first job of a list, or -1
  ReleaseNode* node;  // (slots,) shared by all pools: a job runs in one

  HD void clear() {
    S::once([&] {
      n = shift = 0;
      fitted = 2 * kFewFar;
      empty(0);
    });
  }

  HD_CALL void insert(i32 slot, Tick tick, i32 g, Tick now) {
    if ((tick >> shift) - origin >= buckets) advance(now);
    S::once([&] {
      node[slot].tick = tick;
      node[slot].gpus = g;
      ++n;
      link(slot);
    });
    if (misfits()) fit(now);
  }

  HD void remove(i32 slot) {
    S::once([&] {
      --n;
      unlink(slot);
    });
  }

  // Earliest tick after `now` at which at least `wanted` GPUs are back, and how many are back then.
  // Requires the jobs to have that many.
  HD_CALL Tick when_back(i64 wanted, Tick now, i64* given) {
    advance(now);
    const Tick soon = now + 1;
    const i64 next = soon >> shift;  // origin or the bucket after it
    i64 before = overdue + (next == origin ? 0 : sum[at(origin)]);
    *given = before + given_until(at(next), soon);
    if (*given >= wanted) return soon;
    const i32 bucket = reach(at(next), wanted, &before);
    const Tick back = crossing(bucket, wanted - before);
    *given = before + given_until(bucket, back);
    return back;
  }

  // f(expected end, GPUs) of every job, bucket by bucket in the order of time, in any order inside one.
  template <class F>
  HD void each(Tick now, F f) {
    advance(now);
    each_of(buckets + 1, f);
    const i32 first = at(origin);
    ROLLED
    for (i32 k = 0; k < buckets;) {
      const i32 b = (first + k) & (buckets - 1);
      if (b % kGroup == 0 && group[b / kGroup] == 0) {
        k += kGroup;  // of the first group only what lies before the origin can be left: nothing
        continue;
      }
      if (sum[b] > 0) each_of(b, f);
      ++k;
    }
    each_of(buckets, f);
  }

 private:
  HD i32 at(i64 number) const { return static_cast<i32>(number) & (buckets - 1); }

  template <class F>
  HD void each_of(i32 list, F f) const {
    ROLLED
    for (i32 s = head[list]; s >= 0; s = node[s].next) f(node[s].tick, node[s].gpus);
  }

  HD i64 given_until(i32 list, Tick tick) const {  // GPUs of a list that are back at a tick
    i64 g = 0;
    ROLLED
    for (i32 s = head[list]; s >= 0; s = node[s].next) g += node[s].tick <= tick ? node[s].gpus : 0;
    return g;
  }

  // First tick at which a list has given back `wanted`, which it has. A short list is copied and each of its
  // ticks tried; in a long one the tick is bisected.
  HD_CALL Tick crossing(i32 list, i64 wanted) const {
    Tick tick[kShort];
    i32 gpus[kShort];
    i32 m = 0, s = head[list];
    ROLLED
    for (; s >= 0 && m < kShort; s = node[s].next, ++m) {
      tick[m] = node[s].tick;
      gpus[m] = node[s].gpus;
    }
    if (s >= 0) return bisected(list, wanted);
    Tick first = kNever;
    ROLLED
    for (i32 i = 0; i < m; ++i) {
      i64 given = 0;
      ROLLED
      for (i32 k = 0; k < m; ++k) given += tick[k] <= tick[i] ? gpus[k] : 0;
      if (given >= wanted) first = least(first, tick[i]);
    }
    return first;
  }
  HD_CALL Tick bisected(i32 list, i64 wanted) const {
    const bool far = list == buckets;
    const i64 number = far ? origin + buckets : origin + at(list - origin);
    Tick last = (number << shift) - 1;  // at this tick, too few are back
    ROLLED
    for (i32 bit = far ? kTickBits : shift; bit-- > 0;) {
      const Tick middle = last + (1LL << bit);
      if (given_until(list, middle) < wanted) last = middle;
    }
    return last + 1;
  }

  // The bucket in which the GPUs given back reach `wanted`, from bucket `from` on: before it `before`
  // are back. `buckets` if the ring has too few.
  HD i32 reach(i32 from, i64 wanted, i64* before) const {
    if (overdue + in_ring < wanted) {
      *before = overdue + in_ring;
      return buckets;
    }
    const i32 own = from / kGroup, groups = buckets / kGroup;
    i32 b = reach_in(sum, from, (own + 1) * kGroup, wanted, before);
    if (b < (own + 1) * kGroup) return b;
    i32 g = reach_in(group, own + 1, groups, wanted, before);
    if (g == groups) g = reach_in(group, 0, own, wanted, before);
    return reach_in(sum, g * kGroup, (g + 1) * kGroup, wanted, before);
  }
  HD static i32 reach_in(const i32* w, i32 from, i32 end, i64 wanted, i64* before) {
    i64 given = 0;
    const i32 i = from + S::prefix_sum_until(w + from, end - from, wanted - *before, &given);
    *before += given - (i < end ? w[i] : 0);
    return i;
  }

  // The ring begins at the bucket of `now`: who should have ended before is overdue, and who was far
  // may be in the ring now.
  HD void advance(Tick now) {
    const i64 goal = now >> shift;
    if (origin == goal) return;
    ROLLED
    while (origin < goal) {
      const i32 b = at(origin);
      i64 next = origin + 1;
      if (in_ring == 0)
        next = goal;
      else if (b % kGroup == 0 && group[b / kGroup] == 0)
        next = least(goal, origin + kGroup);
      else if (sum[b] > 0)
        move_all(b, buckets + 1);
      S::once([&] { origin = next; });
    }
    if (far_jobs > 0 && (first_far >> shift) - origin < buckets) sort_far();
  }

  HD_CALL void sort_far() {
    S::once([&] {
      i32 s = head[buckets];
      first_far = kNever;
      while (s >= 0) {
        const i32 next = node[s].next;
        unlink(s);
        link(s);
        s = next;
      }
    });
  }
  HD_CALL void move_all(i32 from, i32 to) {
    S::once([&] {
      while (head[from] >= 0) {
        const i32 s = head[from];
        unlink(s);
        join(s, to);
      }
    });
  }

  HD bool misfits() const { return far_jobs > greatest(2 * kFewFar, n / 4) || n >= 2 * fitted; }

  // Chooses the width anew: the narrowest with which few jobs are far.
  HD_CALL void fit(Tick now) {
    S::once([&] {
      i32 all = -1;  // a chain of all jobs
      for (i32 list = 0; list < buckets + 2; ++list)
        for (i32 s = head[list]; s >= 0; s = node[s].next) {
          node[s].prev = all;
          all = s;
        }
      i32 far = n;
      for (shift = -1; far > greatest(kFewFar, n / 8);) {
        ++shift;
        far = 0;
        for (i32 s = all; s >= 0; s = node[s].prev)
          far += (node[s].tick >> shift) - (now >> shift) >= buckets ? 1 : 0;
      }
      shift = greatest(shift, 0);
      fitted = greatest(n, 2 * kFewFar);
      empty(now >> shift);
      while (all >= 0) {
        const i32 s = all;
        all = node[s].prev;
        link(s);
      }
    });
  }

  // What follows runs inside once().

  HD void empty(i64 first) {
    for (i32 b = 0; b < buckets; ++b) sum[b] = 0;
    for (i32 g = 0; g < buckets / kGroup; ++g) group[g] = 0;
    for (i32 l = 0; l < buckets + 2; ++l) head[l] = -1;
    origin = first;
    far_jobs = 0;
    in_ring = overdue = 0;
    first_far = kNever;
  }

  // The job of a slot joins the list in which it belongs.
  HD void link(i32 slot) {
    const i64 number = node[slot].tick >> shift;
    join(slot, number < origin ? buckets + 1 : number - origin >= buckets ? buckets : at(number));
  }
  HD void join(i32 slot, i32 list) {
    ReleaseNode& one = node[slot];
    const i32 first = head[list];
    one.bucket = list;
    one.next = first;
    one.prev = -1;
    if (first >= 0) node[first].prev = slot;
    head[list] = slot;
    if (list == buckets) {
      ++far_jobs;
      first_far = least(first_far, one.tick);
    }
    count(list, one.gpus);
  }
  HD void unlink(i32 slot) {
    const ReleaseNode one = node[slot];
    if (one.prev >= 0)
      node[one.prev].next = one.next;
    else
      head[one.bucket] = one.next;
    if (one.next >= 0) node[one.next].prev = one.prev;
    far_jobs -= one.bucket == buckets ? 1 : 0;
    count(one.bucket, -one.gpus);
  }
  HD void count(i32 list, i32 g) {
    if (list < buckets) {
      sum[list] += g;
      group[list / kGroup] += g;
      in_ring += g;
    } else if (list > buckets) {
      overdue += g;
    }
  }
};

}  // namespace gpusim

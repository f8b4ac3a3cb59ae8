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

constexpr i32 kGroup = 32;          // buckets with one sum
constexpr i32 kLeastBuckets = 256;  // of a ring
constexpr i32 kFewFar = 4;          // far jobs that are always few, as is an eighth of all
constexpr i32 kTickBits = 44;
constexpr i32 kShort = 16;  // jobs of a list that is looked at in one go

HD_BOTH i32 release_buckets(i64 slots) {  // a power of two, like slots
  return static_cast<i32>(least<i64>(greatest<i64>(2 * slots, kLeastBuckets), 4096));
}

struct ReleaseNode {  // one running job, by its slot
  Tick tick;          // expected end
  i32 gpus;
  i32 bucket;  // the list it stands in
  i32 next;    // in that list, or -1
  i32 prev;    // or -1
};

// One per pool, in shared memory: its scalars are written inside once() like every array.
template <class S>
struct Release {
  i32 buckets;        // of the ring; list `buckets` holds the far jobs, the next the overdue ones
  i32 n;              // jobs
  i32 far_jobs;       // of these
  i32 shift;          // a bucket has 2^shift ticks
  i32 crowd;          // with so many jobs the width is chosen anew
  i64 origin;         // number of the ring's first bucket: no job of the ring ends before it
  i64 in_ring;        // GPUs
  i64 overdue;        // GPUs
  Tick first_far;     // no far job ends before this tick
  i32* sum;           // (buckets,) GPUs
  i32* group;         // (buckets / kGroup,) GPUs
  i32* head;          // (buckets + 2,) first job of a list, or -1
  ReleaseNode* node;  // (slots,) shared by all pools; node[-1] takes what is written to nobody

  HD void clear() {
    S::once([&] {
      n = shift = 0;
      crowd = 4 * kFewFar;
      empty(0);
    });
  }

  // Requires tick > now.
  HD_JOB void insert(i32 slot, Tick tick, i32 g, Tick now) {
    const i64 number = tick >> shift;
    if (number - origin >= buckets) advance(now);
    const i32 list = number - origin < buckets ? at(number) : buckets;
    S::once([&] {
      node[slot].tick = tick;
      node[slot].gpus = g;
      ++n;
      join(slot, list);
    });
    if (n >= crowd || (list == buckets && many_far())) fit(now);
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
    i64 before = overdue;
    Tick back = now;
    if (before < wanted) {
      const i32 bucket = reach(at(origin), wanted, &before);
      back = crossing(bucket, wanted, &before);
    }
    *given = before;
    return back > now ? back : given_soon(now + 1, given);
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

  // The next tick, when enough are back already: who should have ended gives back then, too.
  HD_CALL Tick given_soon(Tick soon, i64* given) const {
    const i64 next = soon >> shift;  // origin or the bucket after it
    *given = overdue + (next == origin ? 0 : sum[at(origin)]) + given_until(at(next), soon);
    return soon;
  }

  // First tick at which `wanted` GPUs are back, which a list reaches; before it, *given are back, and then all
  // that are at that tick. A short list is copied in order; in a long one the tick is bisected.
  HD_CALL Tick crossing(i32 list, i64 wanted, i64* given) const {
    Tick tick[kShort];
    i32 gpus[kShort];
    i32 m = 0, s = head[list];
    ROLLED
    for (; s >= 0 && m < kShort; s = node[s].next, ++m) {
      const Tick t = node[s].tick;
      i32 i = m;
      ROLLED
      for (; i > 0 && tick[i - 1] > t; --i) {
        tick[i] = tick[i - 1];
        gpus[i] = gpus[i - 1];
      }
      tick[i] = t;
      gpus[i] = node[s].gpus;
    }
    if (s >= 0) {
      const Tick back = bisected(list, wanted - *given);
      *given += given_until(list, back);
      return back;
    }
    Tick back = 0;
    ROLLED
    for (i32 i = 0; i < m && (*given < wanted || tick[i] == back); ++i) {
      back = tick[i];
      *given += gpus[i];
    }
    return back;
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
    if (origin != now >> shift) move_on(now >> shift);
  }
  HD_CALL void move_on(i64 goal) {
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

  HD bool many_far() const { return far_jobs > greatest(2 * kFewFar, n / 4); }

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
      crowd = 2 * greatest(n, 2 * kFewFar);
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
    node[first].prev = slot;
    head[list] = slot;
    count(list, one.gpus, 1);
    if (list == buckets) first_far = least(first_far, one.tick);
  }
  // Without a branch on where in its list the job stands, which nobody could guess.
  HD_JOB void unlink(i32 slot) {
    const ReleaseNode& one = node[slot];
    i32* const from[] = {&head[one.bucket], &node[one.prev].next};
    *from[one.prev >= 0 ? 1 : 0] = one.next;
    node[one.next].prev = one.prev;
    count(one.bucket, -one.gpus, -1);
  }
  HD void count(i32 list, i32 g, i32 jobs) {
    if (list < buckets) {
      sum[list] += g;
      group[static_cast<u32>(list) / kGroup] += g;
      in_ring += g;
    } else if (list > buckets) {
      overdue += g;
    } else {
      far_jobs += jobs;
    }
  }
};

}  // namespace gpusim

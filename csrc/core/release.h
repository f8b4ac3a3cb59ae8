// The release list of a pool: when running jobs are expected to give their GPUs back. It is all that
// reservations may know about the future (R8).
//
// Nobody needs the jobs sorted: a reservation asks at which tick enough GPUs are back. The last answer is
// kept: the mark, and the GPUs back before it and at it, in which jobs that come and go are counted. When a job ends
// that was expected earlier, as many GPUs fewer are asked for and are to come; so most questions have the
// answer of the one before.
// For the others time is cut into buckets of 2^shift ticks. A ring of them, from bucket number `origin` on, keeps
// the jobs of each as a linked list; kGroup buckets have a sum. A question adds up groups, then the
// buckets of one, then looks at the ticks of one bucket.
// Two more lists take what the ring does not: jobs expected beyond its end (`far`), and jobs that run
// beyond their request (`overdue`). When many are far, or twice as many jobs run, the width is chosen
// anew. The widths and lists are a matter of speed alone: every answer is exact.
// Cost: O(1) to insert or remove, and for the answer that is kept; else O(groups + jobs in a group + jobs in a
// bucket * shift).
#pragma once
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kGroup = 32;          // buckets with one sum
constexpr i32 kLeastBuckets = 256;  // of a ring
constexpr i32 kFewFar = 4;          // far jobs that are always few, as is an eighth of all
constexpr i32 kTickBits = 44;
constexpr i32 kRounds = 8;  // ticks of a list that are looked at one by one

HD_BOTH i32 release_buckets(i64 slots) {  // a power of two, like slots
  return static_cast<i32>(least<i64>(greatest<i64>(2 * slots, kLeastBuckets), 4096));
}

struct ReleaseNode {  // one running job, by its slot: half a cache line
  Tick tick;          // expected end
  i32* link;          // what leads to it: the head of its list, or the `next` of another job
  i32 next;           // in that list, or -1
  i32 gpus;
  i32 group;  // whose sum counts it
};

// One per pool, in shared memory: its scalars are written inside once() like every array. Sums of GPUs
// fit an i32, as the GPUs of a pool do.
template <class S>
struct Release {
  i32 buckets;   // of the ring; list `buckets` holds the far jobs, the next the overdue ones
  i32 n;         // jobs
  i32 far_jobs;  // at least as many as are far: nobody counts who has left
  i32 shift;     // a bucket has 2^shift ticks
  i32 crowd;     // with so many jobs the width is chosen anew
  i32 sooner;    // GPUs back before the mark
  i32 back;      // GPUs back at the mark
  Tick mark;     // the last answer
  i64 origin;  // number of the ring's first bucket, the first of a group: no job of the ring ends before it
  Tick end;        // first tick beyond the ring
  Tick first_far;  // no far job ends before this tick
  i32* group;  // (buckets / kGroup + 2,) GPUs of each group, of the far jobs, of the overdue ones
  i32* head;   // (buckets + 2,) first job of a list, or -1
  ReleaseNode* node;  // (slots,) shared by all pools; node[-1] takes what is written to nobody

  HD void clear() {
    S::once([&] {
      n = shift = sooner = back = 0;
      mark = 0;
      crowd = 4 * kFewFar;
      empty(0);
    });
  }

  // Requires tick > now.
  HD_JOB void insert(i32 slot, Tick tick, i32 g, Tick now) {
    if (tick >= end) advance(now);
    const bool far = tick >= end;
    S::once([&]() AT_ONCE {
      node[slot].tick = tick;
      node[slot].gpus = g;
      ++n;
      count(tick, g);
      if (far)
        join_far(slot);
      else
        join_ring(slot);
    });
    if (n >= crowd || (far && many_far())) fit(now);
  }

  HD_JOB void remove(i32 slot) {
    S::once([&] {
      --n;
      count(node[slot].tick, -node[slot].gpus);
      unlink(slot);
    });
  }

  // Earliest tick after `now` at which at least `wanted` GPUs are back, and how many are back then.
  // Requires the jobs to have that many.
  HD_JOB Tick when_back(i64 wanted, Tick now, i64* given) {
    if (mark <= now || wanted <= sooner || wanted > back) search(wanted, now);
    *given = back;
    return mark;
  }

  // f(expected end, GPUs) of every job, bucket by bucket in the order of time, in any order inside one.
  template <class F>
  HD void each(Tick now, F f) {
    advance(now);
    each_of(buckets + 1, f);
    const i32 first = at(origin);
    ROLLED
    for (i32 k = 0; k < buckets; k += kGroup) {
      const i32 from = (first + k) & (buckets - 1);
      if (group[from / kGroup] == 0) continue;
      ROLLED
      for (i32 b = from; b < from + kGroup; ++b) each_of(b, f);
    }
    each_of(buckets, f);
  }

  // The same piece by piece, in the order of time. First f() of those who are overdue; returns a tick before which nobody
  // else is expected.
  template <class F>
  HD Tick first_each(Tick now, F f) {
    advance(now);
    each_of(buckets + 1, f);
    return origin << shift;
  }
  // Then, again and again, f() of the next who are expected at `from` or later; returns the tick before which all are known.
  // Between these calls time stands still and nobody leaves. Jobs may start, and are met if they end at `from` or later.
  template <class F>
  HD Tick next_each(Tick from, F f) const {
    ROLLED
    while (from < end) {
      const i64 first = (from >> shift) & ~static_cast<i64>(kGroup - 1);
      const Tick next = (first + kGroup) << shift;
      const i32 b = at(first);
      if (group[b / kGroup] > 0) {
        ROLLED
        for (i32 k = b; k < b + kGroup; ++k) each_from(k, from, f);
        return next;
      }
      from = next;
    }
    each_from(buckets, from, f);
    return kNever;
  }

 private:
  HD i32 at(i64 number) const { return static_cast<i32>(number) & (buckets - 1); }
  HD i32 groups() const { return buckets / kGroup; }
  HD i32 overdue() const { return group[groups() + 1]; }

  template <class F>
  HD void each_of(i32 list, F f) const {
    ROLLED
    for (i32 s = head[list]; s >= 0; s = node[s].next) f(node[s].tick, node[s].gpus);
  }

  template <class F>
  HD void each_from(i32 list, Tick from, F f) const {
    each_of(list, [=](Tick t, i32 g) {
      if (t >= from) f(t, g);
    });
  }

  // Keeps an answer: the GPUs that are back before a tick, and those that are back at it.
  HD void keep(Tick tick, i32 before, i32 then) {
    S::once([&] {
      mark = tick;
      sooner = before;
      back = then;
    });
  }

  HD_CALL void search(i64 wanted, Tick now) {
    advance(now);
    i32 given = overdue();
    if (given < wanted) {
      const i32 list = reach(wanted, &given);
      cross(list, wanted, given);
      if (mark > now) return;
    }
    // Enough are back already; who should have ended gives back at the next tick, too.
    const Tick soon = now + 1;
    i32 before = overdue(), then = before;
    ROLLED
    for (i64 number = origin; number <= soon >> shift; ++number)
      each_of(at(number), [&](Tick t, i32 g) {
        before += t < soon ? g : 0;
        then += t <= soon ? g : 0;
      });
    keep(soon, before, then);
  }

  // The list in which the GPUs that are back reach `wanted`; before it `given` are back.
  HD i32 reach(i64 wanted, i32* given) const {
    const i32 first = at(origin) / kGroup;
    i32 g = reach_in(first, groups(), wanted, given);
    if (g == groups()) {
      g = reach_in(0, first, wanted, given);
      if (g == first) return buckets;
    }
    ROLLED
    for (i32 b = g * kGroup;; ++b) {
      i32 own = 0;
      each_of(b, [&](Tick, i32 gpus) { own += gpus; });
      if (*given + own >= wanted) return b;
      *given += own;
    }
  }
  HD i32 reach_in(i32 from, i32 to, i64 wanted, i32* given) const {
    i64 sum = 0;
    const i32 g = from + S::prefix_sum_until(group + from, to - from, wanted - *given, &sum);
    *given += static_cast<i32>(sum) - (g < to ? group[g] : 0);
    return g;
  }

  // Keeps the tick at which a list reaches `wanted`, when `given` are back before the list. Its first ticks
  // are looked at one by one, then it is bisected.
  HD void cross(i32 list, i64 wanted, i32 given) {
    const i32 outside = given;
    Tick last = 0;
    ROLLED
    for (i32 k = 0; k < kRounds; ++k) {
      Tick next = kNever;
      i32 then = 0;
      each_of(list, [&](Tick t, i32 g) {
        if (t <= last || t > next) return;
        then = t < next ? g : then + g;
        next = t;
      });
      if (given + then >= wanted) return keep(next, given, given + then);
      given += then;
      last = next;
    }
    bisect(list, wanted, outside, last);
  }
  // `outside` GPUs are back before the list; at tick `last`, which is not before the list, too few are.
  HD_CALL void bisect(i32 list, i64 wanted, i32 outside, Tick last) {
    ROLLED
    for (i32 bit = list == buckets ? kTickBits : shift; bit-- > 0;) {
      const Tick middle = last + (1LL << bit);
      if (outside + given_until(list, middle) < wanted) last = middle;
    }
    keep(last + 1, outside + given_until(list, last), outside + given_until(list, last + 1));
  }
  HD i32 given_until(i32 list, Tick tick) const {  // GPUs of a list that are back at a tick
    i32 g = 0;
    each_of(list, [&](Tick t, i32 gpus) { g += t <= tick ? gpus : 0; });
    return g;
  }

  // The ring begins at the group of `now`: who should have ended before is overdue, and who was far may be
  // in the ring now.
  HD void advance(Tick now) {
    const i64 goal = first_of(now);
    if (origin < goal) move_on(goal);
  }
  HD i64 first_of(Tick now) const { return (now >> shift) & ~static_cast<i64>(kGroup - 1); }
  HD_CALL void move_on(i64 goal) {
    const i64 first = origin, last = least(goal, first + buckets);
    S::once([&] { begin(goal); });
    ROLLED
    for (i64 number = first; number < last; number += kGroup) {
      const i32 from = at(number);
      if (group[from / kGroup] == 0) continue;
      S::once([&] {
        for (i32 b = from; b < from + kGroup; ++b) move_all(b);
      });
    }
    if (first_far >= end) return;
    S::once([&] { move_all(buckets); });
  }

  HD_CALL bool many_far() {
    const i32 few = greatest(2 * kFewFar, n / 4);
    if (far_jobs <= few) return false;
    i32 are = 0;
    each_of(buckets, [&](Tick, i32) { ++are; });
    S::once([&] { far_jobs = are; });
    return are > few;
  }

  // Chooses the width anew: the narrowest with which few jobs are far.
  HD_CALL void fit(Tick now) {
    S::once([&] {
      i32 all = -1;  // a chain of all jobs
      for (i32 list = 0; list < buckets + 2; ++list)
        for (i32 s = head[list]; s >= 0; s = node[s].next) {
          node[s].group = all;
          all = s;
        }
      i32 far = n;
      for (shift = -1; far > greatest(kFewFar, n / 8);) {
        ++shift;
        far = 0;
        for (i32 s = all; s >= 0; s = node[s].group)
          far += (node[s].tick >> shift) - first_of(now) >= buckets ? 1 : 0;
      }
      shift = greatest(shift, 0);
      crowd = 2 * greatest(n, 2 * kFewFar);
      empty(first_of(now));
      while (all >= 0) {
        const i32 s = all;
        all = node[s].group;
        place(s);
      }
    });
  }

  // What follows runs inside once().

  HD void empty(i64 first) {
    for (i32 g = 0; g < groups() + 2; ++g) group[g] = 0;
    for (i32 l = 0; l < buckets + 2; ++l) head[l] = -1;
    begin(first);
    far_jobs = 0;
    first_far = kNever;
  }
  HD void begin(i64 first) {
    origin = first;
    end = (first + buckets) << shift;
  }

  // Counts GPUs that come, or go, at the mark.
  HD void count(Tick tick, i32 g) {
    const i32 at_least = tick <= mark ? g : 0;
    sooner += tick < mark ? g : 0;
    back += at_least;
  }

  // All jobs of a list go where they belong now.
  HD void move_all(i32 list) {
    i32 s = head[list];
    if (list == buckets) {
      far_jobs = 0;
      first_far = kNever;
    }
    while (s >= 0) {
      const i32 next = node[s].next;
      unlink(s);
      place(s);
      s = next;
    }
  }
  // The job of a slot joins the list in which it belongs.
  HD void place(i32 slot) {
    const Tick tick = node[slot].tick;
    if (tick >= end)
      join_far(slot);
    else if (tick >> shift >= origin)
      join_ring(slot);
    else
      join(slot, buckets + 1, groups() + 1);
  }
  HD void join_far(i32 slot) {
    join(slot, buckets, groups());
    ++far_jobs;
    first_far = least(first_far, node[slot].tick);
  }
  HD void join_ring(i32 slot) {
    const i32 b = at(node[slot].tick >> shift);
    join(slot, b, static_cast<u32>(b) / kGroup);
  }
  HD void join(i32 slot, i32 list, i32 sum) {
    ReleaseNode& one = node[slot];
    const i32 first = head[list];
    one.link = &head[list];
    one.next = first;
    one.group = sum;
    group[sum] += one.gpus;
    node[first].link = &one.next;
    head[list] = slot;
  }
  HD void unlink(i32 slot) {
    const ReleaseNode& one = node[slot];
    i32* const link = one.link;
    const i32 next = one.next;
    group[one.group] -= one.gpus;
    *link = next;
    node[next].link = link;
  }
};

}  // namespace gpusim

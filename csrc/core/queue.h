// Waiting jobs, in the order in which a pass considers them (R10): tier by tier, inside a tier by
// (eligible, job index), or by (limit, eligible, job index) under shortest-job-first.
//
// Each tier is a strip of `slots` entries that hold what a pass looks at: gang size and limit, and
// where the job itself lies. A newcomer is appended (under sjf, and beside another newcomer of its
// tick, it is inserted where it belongs); a job that leaves from the middle becomes a hole
// (gpus = kHole, which fits nowhere), and the strip is closed up when its end reaches the last slot.
// A strip more than three quarters full of live jobs counts as full, which keeps the closing-up O(1)
// a job.
// Every kChunk entries have a summary, a lower bound of their gang sizes and limits, so that a search
// passes over a chunk in one look. Summaries may be too low after jobs have left; a search that finds
// nothing where the summary promised something tightens it.
#pragma once
#include "job.h"
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kHole = 0x7fffffff;  // gpus of an entry whose job has left
constexpr i32 kChunk = 64;         // entries with one summary

template <class S>
struct Queue {
  i32 tiers;          // strips
  i32 slots;          // entries per strip, a multiple of kChunk
  i32 order;          // Order
  i64 waiting;        // live jobs of all tiers
  i32 free_places;    // how many stand in free_place
  i32 newcomers;      // jobs that joined in this tick
  i64 last_index;     // largest job index of these
  i32* head;          // (tiers,) first live entry, or == tail
  i32* tail;          // (tiers,) one past the last entry
  i32* live;          // (tiers,) live entries
  i32* gpus;          // (tiers, slots) gang size, or kHole
  Tick* limit;        // (tiers, slots) request
  Tick* expiry;       // (tiers, slots) eligible + patience; kNever for holes and for the patient
  i32* place;         // (tiers, slots) where the job lies
  i32* least_gpus;    // (tiers, slots / kChunk) summaries
  Tick* least_limit;  //
  Job* job;           // (tiers * slots,)
  u8* here;           // (tiers * slots,) 1: waiting
  i32* free_place;    // (tiers * slots,) stack of empty places
  i32* newcomer;      // (tiers * slots,) places of this tick's newcomers, by ascending job index

  HD void clear() {
    waiting = 0;
    newcomers = 0;
    free_places = tiers * slots;
    const i32 last = free_places - 1;
    S::each(tiers, [&](i32 t) { head[t] = tail[t] = live[t] = 0; });
    S::each(free_places, [&](i32 i) { free_place[i] = last - i; });
  }
  HD void forget_newcomers() { newcomers = 0; }
  HD static i32 chunk_of(i32 position) {
    return static_cast<i32>(static_cast<u32>(position) / kChunk);
  }
  HD i64 at(i32 tier, i32 position) const { return static_cast<i64>(tier) * slots + position; }
  HD const Job& job_at(i32 tier, i32 position) const { return job[place[at(tier, position)]]; }

  HD bool push(i32 tier, const Job& one, Tick leaves) {
    if (tail[tier] == slots && !close_up(tier)) return false;
    const i32 p = free_place[--free_places];
    S::once([&] {
      job[p] = one;
      here[p] = 1;
    });
    const bool sorted = order == kFifo && (newcomers == 0 || one.index > last_index);
    if (sorted)
      set_entry(tier, tail[tier], one, leaves, p);
    else
      insert_entry(tier, one, leaves, p);
    S::once([&] {
      ++tail[tier];
      ++live[tier];
    });
    ++waiting;
    note_newcomer(p, one.index);
    return true;
  }

  HD void remove(i32 tier, i32 position) {
    const i64 k = at(tier, position);
    const i32 p = place[k], top = free_places++;
    S::once([&] {
      gpus[k] = kHole;
      limit[k] = kNever;
      expiry[k] = kNever;
      here[p] = 0;
      free_place[top] = p;
      --live[tier];
    });
    --waiting;
    if (live[tier] == 0) {
      S::once([&] { head[tier] = tail[tier] = 0; });
    } else if (position == head[tier]) {
      const i32 next = next_live(tier, position + 1);
      S::once([&] { head[tier] = next; });
    }
  }

  // First entry from `from` on whose (gpus, limit) satisfies p, or tail[tier]. p must not turn false
  // when either gets smaller; holes never fit: gpus = kHole.
  template <class P>
  HD i32 first_that(i32 tier, i32 from, P p) {
    const i64 start = at(tier, 0), first_chunk = start / kChunk;
    const i32 *g = gpus + start, *lg = least_gpus + first_chunk;
    const Tick *l = limit + start, *ll = least_limit + first_chunk;
    const i32 end = tail[tier], chunks = chunk_of(end + kChunk - 1);
    i32 chunk = chunk_of(from);
    ROLLED
    for (;;) {
      chunk = S::prefix_until(chunk, chunks, [=](i32 b) { return p(lg[b], ll[b]); });
      if (chunk >= chunks) return end;
      const i32 first = greatest(from, chunk * kChunk), last = least(end, (chunk + 1) * kChunk);
      const i32 i = S::prefix_until(first, last, [=](i32 e) { return p(g[e], l[e]); });
      if (i < last) return i;
      if (first == chunk * kChunk) summarize(tier, chunk);
      ++chunk;
    }
  }

  HD i32 next_live(i32 tier, i32 from) const {  // first waiting job from there on, or tail[tier]
    const i32* g = gpus + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return g[i] != kHole; });
  }

  HD i32 first_expired(i32 tier, i32 from, Tick now) const {
    const Tick* e = expiry + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return e[i] <= now; });
  }

  HD i32 smallest() const {  // no waiting job is smaller
    i32 g = kHole;
    ROLLED
    for (i32 t = 0; t < tiers; ++t) {
      if (live[t] == 0) continue;
      const i32 first = head[t] / kChunk, n = (tail[t] + kChunk - 1) / kChunk - first;
      g = least(g, S::min(least_gpus + at(t, 0) / kChunk + first, n, kHole));
    }
    return g;
  }

  HD Tick next_expiry() const {
    Tick soonest = kNever;
    ROLLED
    for (i32 t = 0; t < tiers; ++t)
      soonest = least(soonest, S::min(expiry + at(t, head[t]), tail[t] - head[t], kNever));
    return soonest;
  }

  HD i32 position_of(i32 tier, i32 p) const {  // of a waiting job, by its place
    const i32* w = place + at(tier, 0);
    const i32* g = gpus + at(tier, 0);
    return S::prefix_until(head[tier], tail[tier],
                           [=](i32 i) { return w[i] == p && g[i] != kHole; });
  }

 private:
  HD void set_entry(i32 tier, i32 position, const Job& one, Tick leaves, i32 p) {
    const i64 k = at(tier, position), chunk = k / kChunk;
    const bool opens = position % kChunk == 0;
    S::once([&] {
      gpus[k] = one.gpus;
      limit[k] = one.limit;
      expiry[k] = leaves;
      place[k] = p;
      least_gpus[chunk] = opens ? one.gpus : least(least_gpus[chunk], one.gpus);
      least_limit[chunk] = opens ? one.limit : least(least_limit[chunk], one.limit);
    });
  }

  // Whether the waiting job `a` comes after `b` in this tier.
  HD bool after(const Job& a, const Job& b) const {
    if (order == kSjf && a.limit != b.limit) return a.limit > b.limit;
    if (a.eligible != b.eligible) return a.eligible > b.eligible;
    return a.index > b.index;
  }

  // Opens the strip before the first job that comes after `one`.
  HD_CALL void insert_entry(i32 tier, const Job& one, Tick leaves, i32 p) {
    const i32 end = tail[tier];
    i32 to = end;
    ROLLED
    for (i32 i = end - 1; i >= head[tier]; --i) {
      const i64 k = at(tier, i);
      if (gpus[k] == kHole) continue;
      if (!after(job[place[k]], one)) break;
      to = i;
    }
    if (to < end) {
      S::shift_insert(gpus + at(tier, 0), end, to, one.gpus);
      S::shift_insert(limit + at(tier, 0), end, to, one.limit);
      S::shift_insert(expiry + at(tier, 0), end, to, leaves);
      S::shift_insert(place + at(tier, 0), end, to, p);
      S::once([&] { ++tail[tier]; });
      ROLLED
      for (i32 c = to / kChunk; c <= end / kChunk; ++c) summarize(tier, c);
      S::once([&] { --tail[tier]; });
    }
    if (to == end) set_entry(tier, to, one, leaves, p);
  }

  HD void note_newcomer(i32 p, i64 index) {
    i32 to = newcomers;
    ROLLED
    while (to > 0 && job[newcomer[to - 1]].index > index) --to;
    S::shift_insert(newcomer, newcomers, to, p);
    last_index = newcomers == 0 ? index : greatest(last_index, index);
    ++newcomers;
  }

  HD void summarize(i32 tier, i32 chunk) {
    const i32 first = chunk * kChunk, n = least(tail[tier] - first, kChunk);
    const i64 k = at(tier, first);
    const i32 g = S::min(gpus + k, n, kHole);
    const Tick l = S::min(limit + k, n, kNever);
    S::once([&] {
      least_gpus[k / kChunk] = g;
      least_limit[k / kChunk] = l;
    });
  }

  HD_CALL bool close_up(i32 tier) {
    if (live[tier] > slots - slots / 4) return false;
    S::once([&] {
      i32 to = 0;
      for (i32 from = head[tier]; from < tail[tier]; ++from) {
        const i64 a = at(tier, from), b = at(tier, to);
        if (gpus[a] == kHole) continue;
        gpus[b] = gpus[a];
        limit[b] = limit[a];
        expiry[b] = expiry[a];
        place[b] = place[a];
        ++to;
      }
      head[tier] = 0;
      tail[tier] = to;
    });
    ROLLED
    for (i32 c = 0; c * kChunk < tail[tier]; ++c) summarize(tier, c);
    return true;
  }
};

}  // namespace gpusim

// Waiting jobs, in the order in which a pass considers them (R10): tier by tier, inside a tier by
// (eligible, job index), or by (limit, eligible, job index) under shortest-job-first.
// Under multifactor each job has a key of its own, which comes first; fairness.h makes it.
//
// Each tier is a strip of `slots` entries: gang size and limit, which the index (index.h) searches, when patience
// ends, and where the job itself lies. A newcomer is appended (under sjf, and beside another newcomer of its
// tick, it is inserted where it belongs); a job that leaves from the middle becomes a hole
// (gpus = kHole, which fits nowhere). The strip is closed up when its end reaches the last slot, on the host
// also when it is mostly holes: one lane closes up, so on a device it is the dearer of the two.
// A strip more than three quarters full of live jobs counts as full, which keeps the closing-up O(1)
// a job.
#pragma once
#include "index.h"
#include "job.h"
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

// What a job has behind it that waits, or waits again, where tenants share a center.
struct Past {
  Tick remaining;  // work left
  Tick queued;     // orders the queue: when it became eligible, or was sent to the tail (S26)
  Tick since;      // it has waited since
  i32 evictions;
  u32 pass;  // the last pass that looked at it
};

constexpr i32 kChunk = 64;    // slots of a strip are a multiple of it
constexpr i32 kFewHoles = 8;  // for which no strip is closed up
static_assert(kChunk % kLeaf == 0, "the index looks at whole leaves");

template <class S>
struct Queue {
  i32 tiers;        // strips
  i32 slots;        // entries per strip, a multiple of kChunk
  i32 order;        // Order
  i64 waiting;      // live jobs of all tiers
  i32 free_places;  // how many stand in free_place
  i32 newcomers;    // jobs that joined in this tick
  i64 last_index;   // largest job index of these
  Index<S> index;   // gang sizes and limits
  i32* head;        // (tiers,) first live entry, or == tail
  i32* tail;        // (tiers,) one past the last entry
  i32* live;        // (tiers,) live entries
  Tick* expiry;     // (tiers, slots) eligible + patience; kNever for holes and for the patient
  i32* place;       // (tiers, slots) where the job lies
  Job* job;         // (tiers * slots,)
  Past* past;       // (tiers * slots,) or null: nobody is evicted
  i64* key;         // (tiers * slots,) multifactor: smaller first
  u8* here;         // (tiers * slots,) 1: waiting
  i32* free_place;  // (tiers * slots,) stack of empty places
  i32* newcomer;    // (tiers * slots,) places of this tick's newcomers, by ascending job index

  HD void clear() {
    waiting = 0;
    newcomers = 0;
    free_places = tiers * slots;
    index.clear(tiers);
    const i32 last = free_places - 1;
    S::each(tiers, [&](i32 t) { head[t] = tail[t] = live[t] = 0; });
    S::each(free_places, [&](i32 i) { free_place[i] = last - i; });
  }
  HD void forget_newcomers() { newcomers = 0; }
  HD i64 at(i32 tier, i32 position) const { return static_cast<i64>(tier) * slots + position; }
  HD const Job& job_at(i32 tier, i32 position) const { return job[place[at(tier, position)]]; }
  HD Past& past_at(i32 tier, i32 position) const { return past[place[at(tier, position)]]; }
  // The tick that orders a waiting job, by its place; and since when a job at a position has waited.
  HD Tick queued(i32 p) const { return past ? past[p].queued : job[p].eligible; }
  HD Tick since(i32 tier, i32 position) const {
    return past ? past_at(tier, position).since : job_at(tier, position).eligible;
  }

  // key_of(): the job's own key, where tenants share the center.
  template <class K>
  HD bool push(i32 tier, const Job& one, Tick leaves, K key_of) {
    if (crowded(tier) && !close_up(tier)) return false;
    const i32 p = take_place(one);
    if (past) {
      S::once([&] { past[p] = Past{one.service, one.eligible, one.eligible, 0, 0}; });
      set_key(p, key_of());
    }
    const bool sorted = order == kFifo && (newcomers == 0 || one.index > last_index) && !past;
    if (sorted)
      set_entry(tier, tail[tier], one, leaves, p);
    else
      insert_entry(tier, one, leaves, p);
    ++waiting;
    note_newcomer(p, one.index);
    return true;
  }

  // A job that was evicted waits again: no newcomer, and patient.
  HD_CALL bool put_back(i32 tier, const Job& one, const Past& behind, i64 own_key) {
    if (crowded(tier) && !close_up(tier)) return false;
    const i32 p = take_place(one);
    S::once([&] { past[p] = behind; });
    set_key(p, own_key);
    insert_entry(tier, one, kNever, p);
    ++waiting;
    return true;
  }

  HD void remove(i32 tier, i32 position) {
    const i64 k = at(tier, position);
    const i32 p = place[k], top = free_places++;
    index.remove(tier, position, tail[tier]);
    S::once([&] {
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

  // Whether the job that waits in place `a` comes after that of `b` in this tier.
  HD bool after(i32 a, i32 b) const {
    if (order == kSjf && job[a].limit != job[b].limit) return job[a].limit > job[b].limit;
    if (order == kMultifactor && key[a] != key[b]) return key[a] > key[b];
    const Tick of_a = queued(a), of_b = queued(b);
    if (of_a != of_b) return of_a > of_b;
    return job[a].index > job[b].index;
  }

  // Multifactor: gives every job of a tier the key key_of(job, past), and puts them in order again.
  template <class K>
  HD void order_again(i32 tier, K key_of) {
    if (live[tier] < tail[tier] - head[tier]) squeeze(tier);
    const i32 first = head[tier], end = tail[tier];
    const i32* w = place + at(tier, 0);
    S::each(end - first,
            [&](i32 i) { key[w[first + i]] = key_of(job[w[first + i]], past[w[first + i]]); });
    const auto misplaced = [=](i32 from) {
      return S::prefix_until(from, end, [=](i32 i) { return after(w[i - 1], w[i]); });
    };
    i32 lowest = end;
    ROLLED
    for (i32 i = misplaced(first + 1); i < end; i = misplaced(i + 1)) {
      i32 to = i - 1;
      ROLLED
      while (to > first && after(w[to - 1], w[i])) --to;
      const i64 k = at(tier, i);
      const i32 gpus = index.gpus[k], brief = index.brief[k], p = place[k];
      const Tick leaves = expiry[k];
      S::shift_insert(index.gpus + at(tier, 0), i, to, gpus);
      S::shift_insert(index.brief + at(tier, 0), i, to, brief);
      S::shift_insert(expiry + at(tier, 0), i, to, leaves);
      S::shift_insert(place + at(tier, 0), i, to, p);
      lowest = least(lowest, to);
    }
    if (lowest < end) index.rebuild(tier, lowest, end);
  }

  // First entry in [from, tail[tier]) that has room, or the tail.
  HD i32 first_that(i32 tier, i32 from, const Room& room) {
    const i32* w = place;
    const Job* jobs = job;
    return index.first(tier, from, tail[tier], room, [=](i64 k) { return jobs[w[k]].limit; });
  }

  HD i32 next_live(i32 tier, i32 from) const {  // first waiting job from there on, or tail[tier]
    const i32* g = index.gpus + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return g[i] != kHole; });
  }

  HD i32 first_expired(i32 tier, i32 from, Tick now) const {
    const Tick* e = expiry + at(tier, 0);
    return S::prefix_until(from, tail[tier], [=](i32 i) { return e[i] <= now; });
  }

  HD i32 smallest() const {  // no waiting job is smaller
    i32 g = kHole;
    ROLLED
    for (i32 t = 0; t < tiers; ++t) g = least(g, index.smallest(t, tail[t]));
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
    const i32* g = index.gpus + at(tier, 0);
    return S::prefix_until(head[tier], tail[tier],
                           [=](i32 i) { return w[i] == p && g[i] != kHole; });
  }

 private:
  HD i32 take_place(const Job& one) {
    const i32 p = free_place[--free_places];
    S::once([&] {
      job[p] = one;
      here[p] = 1;
    });
    return p;
  }

  HD void set_key(i32 p, i64 own_key) {
    if (order == kMultifactor) S::once([&] { key[p] = own_key; });
  }

  HD void set_entry(i32 tier, i32 position, const Job& one, Tick leaves, i32 p) {
    const i64 k = at(tier, position);
    S::once([&] {
      index.gpus[k] = one.gpus;
      index.brief[k] = index.shorten(one.limit);
      expiry[k] = leaves;
      place[k] = p;
    });
    index.append(tier, position);
    S::once([&] {
      ++tail[tier];
      ++live[tier];
    });
  }

  // Opens the strip before the first job that comes after `one`.
  HD_CALL void insert_entry(i32 tier, const Job& one, Tick leaves, i32 p) {
    const i32 end = tail[tier];
    i32 to = end;
    ROLLED
    for (i32 i = end - 1; i >= head[tier]; --i) {
      const i64 k = at(tier, i);
      if (index.gpus[k] == kHole) continue;
      if (!after(place[k], p)) break;
      to = i;
    }
    if (to < end) {
      S::shift_insert(index.gpus + at(tier, 0), end, to, one.gpus);
      S::shift_insert(index.brief + at(tier, 0), end, to, index.shorten(one.limit));
      S::shift_insert(expiry + at(tier, 0), end, to, leaves);
      S::shift_insert(place + at(tier, 0), end, to, p);
      index.rebuild(tier, to, end + 1);
    }
    if (to == end) return set_entry(tier, to, one, leaves, p);
    S::once([&] {
      ++tail[tier];
      ++live[tier];
      head[tier] = least(head[tier], to);
    });
  }

  HD void note_newcomer(i32 p, i64 number) {
    i32 to = newcomers;
    ROLLED
    while (to > 0 && job[newcomer[to - 1]].index > number) --to;
    S::shift_insert(newcomer, newcomers, to, p);
    last_index = newcomers == 0 ? number : greatest(last_index, number);
    ++newcomers;
  }

  HD bool crowded(i32 tier) const {
    if (tail[tier] == slots) return true;
    return !S::wide && tail[tier] > 2 * live[tier] + kFewHoles;
  }
  HD_CALL bool close_up(i32 tier) {
    if (tail[tier] == slots && live[tier] > slots - slots / 4) return false;
    squeeze(tier);
    return true;
  }
  HD_CALL void squeeze(i32 tier) {
    S::once([&] {
      i32 to = 0;
      for (i32 from = head[tier]; from < tail[tier]; ++from) {
        const i64 a = at(tier, from), b = at(tier, to);
        if (index.gpus[a] == kHole) continue;
        index.gpus[b] = index.gpus[a];
        index.brief[b] = index.brief[a];
        expiry[b] = expiry[a];
        place[b] = place[a];
        ++to;
      }
      for (i32 i = to; i < tail[tier]; ++i) index.gpus[at(tier, i)] = kHole;
      head[tier] = 0;
      tail[tier] = to;
    });
    index.rebuild(tier, 0, tail[tier]);
  }
};

}  // namespace gpusim

// The sources of generated jobs: when jobs are submitted and what they ask for (ARCHITECTURE.md 3).
//
// A source makes its jobs in blocks, each a pure function of (seed, replication, source, index):
//   plain      a renewal process of single jobs: a block is the next kBlock of them
//   batch      a renewal process of batches: a block is (a part of) one batch
//   chain      a renewal or scheduled process of chains: a block is (a part of) one chain
//   scheduled  jobs of a calendar's events: a block is one event
// Renewal processes run in operational time; a week profile maps it to the clock.
#pragma once
#include "job.h"
#include "model.h"
#include "rng.h"
#include "sampler.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kBlock = 64;        // jobs a source makes at once
constexpr i32 kProfileShift = 8;  // cumulative profiles count in 2^-8 ticks
constexpr i32 kEventBits = 10;    // job j of event e has word index e * 2^10 + j
constexpr i64 kMillion = 1000000;
constexpr i64 kGolden = 618034;  // golden ratio in millionths: spreads the rounding of events

struct SourceBlocks {  // working memory; shapes (K,) and (K, kBlock)
  u64* head;           // (K,) key (submit, source) of the source's next job, or kNoKey
  Tick* clock;         // (K,) operational time of the last arrival made
  Tick* reached;       // (K,) submit of the last job made
  i64* arrival;        // (K,) next arrival; scheduled: next event
  i64* made;           // (K,) jobs made before the block
  i32* member;         // (K,) scheduled chains: next of the event's chains
  i32* part;           // (K,) jobs of the current batch or chain made before the block
  i32* whole;          // (K,) jobs of the current batch or chain; 0: single jobs
  i32* size;           // (K,) jobs in the block
  i32* position;       // (K,) next job inside the block
  i32* chain;          // (K,) number of the current chain
  Tick* submit;        // (K, kBlock)
  Tick* service;
  Tick* limit;
  i32* gpus;
  Tick* offset;  // (kBlock,)
};

// What all sources of one run share.
struct Demand {
  const Generator* g;
  u32 replication;
  const i32* rows;  // (K,) of the draw
  i64 gap_scale;    // of the replication, in 1/65536
  i64 ppm;          // of the cell
  Tick week_phase;
  Tick horizon;
};

// Scale of a replication's gaps in 1/65536: 65536 without demand uncertainty.
HD i64 demand_scale(const Generator& g, u32 replication) {
  if (!g.demand_nodes) return 65536;
  return table_value(g.demand_nodes, philox(0, kDemandStream, replication, 0, g.seed).w[0]);
}

HD const i64* gap_table(const Generator& g, i32 row) {
  return g.gap_nodes + static_cast<i64>(row) * 2 * kTableNodes;
}

// x * 10^6 / ppm without leaving 64 bits.
HD i64 per_demand(i64 x, i64 ppm) {
  if (ppm == kMillion) return x;
  return x / ppm * kMillion + x % ppm * kMillion / ppm;
}

HD Tick gap(const Demand& d, i32 row, u32 word) {
  return per_demand((table_value(gap_table(*d.g, row), word) * d.gap_scale) >> 16, d.ppm);
}

// Clock time at operational time x of a renewal source.
HD Tick clock_time(const Demand& d, i32 row, Tick x) {
  const Generator& g = *d.g;
  const i32 profile = g.profile[row];
  if (profile < 0) return g.from[row] + (x >> g.gap_shift[row]);
  const i64* cum = g.profile_cum + g.profile_offset[profile];
  const i32 bins = g.profile_offset[profile + 1] - g.profile_offset[profile] - 1;
  const i64 p = (x >> (g.gap_shift[row] - kProfileShift)) + g.profile_start[row];
  const i64 weeks = p / cum[bins], r = p - weeks * cum[bins];
  i32 low = 0, high = bins;  // the last bin with cum[bin] <= r
  while (high - low > 1) {
    const i32 mid = (low + high) >> 1;
    if (cum[mid] <= r)
      low = mid;
    else
      high = mid;
  }
  const Tick bin = g.week / bins;
  return weeks * g.week + low * bin + (r - cum[low]) * bin / (cum[low + 1] - cum[low]) -
         d.week_phase;
}

HD Tick service_ticks(const Generator& g, i32 row, u32 word) {
  return table_ticks(g.service_nodes + static_cast<i64>(row) * 2 * kTableNodes,
                     g.service_shift[row], g.service_cap[row], g.service_cap_from[row], word);
}

HD i32 pick_gpus(const Generator& g, i32 row, u32 word) {
  const i32 a = g.atom_offset[row], n = g.atom_offset[row + 1] - a;
  return alias_pick(g.atom_gpus + a, g.atom_threshold + a, g.atom_alias + a, n, word);
}

HD Tick pick_limit(const Generator& g, i32 row, Tick service, u32 word) {
  const i32 mode = g.limit_mode[row];
  if (mode == kExact) return service;
  if (mode == kFixed) return g.limit_a[row];
  const i32 c = g.choice_offset[row], n = g.choice_offset[row + 1] - c;
  if (mode == kPick)
    return alias_pick(g.choices + c, g.choice_threshold + c, g.choice_alias + c, n, word);
  const Tick limit = factor_limit(service, g.limit_a[row], g.limit_b[row], word);
  if (n == 0) return limit;
  for (i32 i = 0; i < n; ++i)
    if (g.choices[c + i] >= limit) return g.choices[c + i];
  return greatest(g.choices[c + n - 1], service);
}

// Jobs (or chains) of event e of a row at this demand: never fewer at a larger one.
HD i32 event_jobs(const Demand& d, i32 row, i64 e) {
  const i64 count = d.g->events[3 * (d.g->event_offset[row] + e) + 2];
  return static_cast<i32>((count * d.ppm + e * kGolden % kMillion) / kMillion);
}

// How many of an event's `n` offsets come before the one of job j.
HD i32 offset_rank(const Tick* offset, i32 n, i32 j) {
  i32 rank = 0;
  for (i32 k = 0; k < n; ++k)
    rank += offset[k] < offset[j] || (offset[k] == offset[j] && k < j) ? 1 : 0;
  return rank;
}

template <class S>
struct Sources {
  SourceBlocks b;
  Demand d;

  HD Words job_words(i32 row, i64 index) const {
    return philox(static_cast<u32>(index), kJobStream, d.replication, d.g->key[row], d.g->seed);
  }
  HD Words arrival_words(i32 row, i64 index) const {
    return philox(static_cast<u32>(index), kArrivalStream, d.replication, d.g->key[row], d.g->seed);
  }

  HD void open(i32 k) {
    const i32 row = d.rows[k];
    S::once([&] {
      b.clock[k] = b.reached[k] = 0;
      b.arrival[k] = b.made[k] = 0;
      b.member[k] = b.part[k] = b.whole[k] = b.size[k] = b.position[k] = 0;
      b.chain[k] = -1;
      b.head[k] = kNoKey;
    });
    if (d.g->active[row]) refill(k);
  }

  // Makes job `at` of the block the source's next.
  HD void point(i32 k, i32 at) {
    const Tick submit = b.submit[k * kBlock + at];
    const Tick until = b.whole[k] ? d.horizon : least(d.horizon, d.g->until[d.rows[k]]);
    const u64 key = submit < until ? make_key(submit, k) : kNoKey;
    S::once([&] {
      b.position[k] = at;
      b.head[k] = key;
    });
  }

  HD_CALL void refill(i32 k) {
    const i32 row = d.rows[k];
    const Generator& g = *d.g;
    const i32 last = b.size[k];
    S::once([&] { b.made[k] += last; });
    const bool scheduled = g.event_offset[row + 1] > g.event_offset[row];
    bool more = true;
    if (g.segment[row] > 0)
      more = chain_block(k, row, scheduled);
    else if (scheduled)
      more = event_block(k, row);
    else if (g.batch_offset[row + 1] > g.batch_offset[row])
      more = batch_block(k, row);
    else
      plain_block(k, row);
    if (more)
      point(k, 0);
    else
      S::once([&] { b.head[k] = kNoKey; });
  }

 private:
  HD_CALL void plain_block(i32 k, i32 row) {
    const Generator& g = *d.g;
    const i64 first = b.arrival[k];
    Tick *submit = b.submit + k * kBlock, *service = b.service + k * kBlock;
    Tick* limit = b.limit + k * kBlock;
    i32* gpus = b.gpus + k * kBlock;
    S::each(kBlock, [&](i32 i) {
      const Words w = job_words(row, first + i);
      submit[i] = gap(d, row, w.w[0]);
      service[i] = service_ticks(g, row, w.w[1]);
      gpus[i] = pick_gpus(g, row, w.w[2]);
      limit[i] = pick_limit(g, row, service[i], w.w[3]);
    });
    S::prefix_sums(submit, kBlock, b.clock[k]);
    const Tick clock = submit[kBlock - 1];
    S::once([&] {
      b.clock[k] = clock;
      b.arrival[k] = first + kBlock;
      b.size[k] = kBlock;
    });
    S::each(kBlock, [&](i32 i) { submit[i] = clock_time(d, row, submit[i]); });
  }

  // The next renewal arrival: its submit tick, or kNever from `until` on.
  HD Tick advance(i32 k, i32 row, u32 word) {
    const Tick clock = b.clock[k] + gap(d, row, word);
    S::once([&] { b.clock[k] = clock; });
    const Tick submit = clock_time(d, row, clock);
    return submit < least(d.horizon, d.g->until[row]) ? submit : kNever;
  }

  HD_CALL bool batch_block(i32 k, i32 row) {
    const Generator& g = *d.g;
    const i64 arrival = b.arrival[k];
    const Words a = arrival_words(row, arrival);
    const Tick base = b.part[k] == 0 ? advance(k, row, a.w[0]) : clock_time(d, row, b.clock[k]);
    if (base == kNever) return false;
    const i32 o = g.batch_offset[row], sizes = g.batch_offset[row + 1] - o;
    const i32 whole =
        alias_pick(g.batch_sizes + o, g.batch_threshold + o, g.batch_alias + o, sizes, a.w[1]);
    const i32 part = b.part[k], n = least(kBlock, whole - part);
    const i32 gang = pick_gpus(g, row, a.w[2]);
    const i64 first = b.made[k];
    const Tick reached = b.reached[k], spread = g.spread[row];
    Tick *submit = b.submit + k * kBlock, *service = b.service + k * kBlock;
    Tick* limit = b.limit + k * kBlock;
    i32* gpus = b.gpus + k * kBlock;
    S::each(n, [&](i32 i) {
      const Words w = job_words(row, first + i);
      submit[i] = greatest(reached, base + spread * (part + i) / whole);
      service[i] = service_ticks(g, row, mixed_word(a.w[3], w.w[1], g.common[row]));
      gpus[i] = gang;
      limit[i] = pick_limit(g, row, service[i], w.w[3]);
    });
    const bool done = part + n == whole;
    S::once([&] {
      b.reached[k] = submit[n - 1];
      b.whole[k] = whole;
      b.size[k] = n;
      b.part[k] = done ? 0 : part + n;
      if (done) b.arrival[k] = arrival + 1;
    });
    return true;
  }

  // Offsets of the jobs of event e, to b.offset.
  HD void draw_offsets(i32 row, i64 e, i32 n) {
    const Tick within = d.g->events[3 * (d.g->event_offset[row] + e) + 1];
    Tick* offset = b.offset;
    S::each(n, [&](i32 j) {
      offset[j] = static_cast<Tick>((static_cast<u64>(job_words(row, (e << kEventBits) + j).w[0]) *
                                     static_cast<u64>(within)) >>
                                    32);
    });
  }

  // Moves to the next event that has jobs; false at the end of the calendar.
  HD bool next_event(i32 k, i32 row, i32* n) {
    const i64 events = d.g->event_offset[row + 1] - d.g->event_offset[row];
    ROLLED
    for (i64 e = b.arrival[k]; e < events; ++e) {
      *n = event_jobs(d, row, e);
      if (*n == 0 || b.member[k] >= *n) {
        S::once([&] {
          b.arrival[k] = e + 1;
          b.member[k] = 0;
        });
        continue;
      }
      return true;
    }
    return false;
  }

  HD_CALL bool event_block(i32 k, i32 row) {
    const Generator& g = *d.g;
    i32 n = 0;
    if (!next_event(k, row, &n)) return false;
    const i64 e = b.arrival[k];
    const Tick tick = g.events[3 * (g.event_offset[row] + e)];
    draw_offsets(row, e, n);
    const Tick* offset = b.offset;
    Tick *submit = b.submit + k * kBlock, *service = b.service + k * kBlock;
    Tick* limit = b.limit + k * kBlock;
    i32* gpus = b.gpus + k * kBlock;
    S::each(n, [&](i32 j) {  // ranks are a permutation: every element is stored once
      const Words w = job_words(row, (e << kEventBits) + j);
      const i32 i = offset_rank(offset, n, j);
      submit[i] = tick + offset[j];
      service[i] = service_ticks(g, row, w.w[1]);
      gpus[i] = pick_gpus(g, row, w.w[2]);
      limit[i] = pick_limit(g, row, service[i], w.w[3]);
    });
    S::once([&] {
      b.arrival[k] = e + 1;
      b.size[k] = n;
    });
    return true;
  }

  HD_CALL bool chain_block(i32 k, i32 row, bool scheduled) {
    const Generator& g = *d.g;
    const bool first_part = b.part[k] == 0;
    i64 index = b.arrival[k];
    Tick start = b.reached[k];
    if (scheduled) {
      i32 n = 0;
      if (!next_event(k, row, &n)) return false;
      const i64 e = b.arrival[k];
      draw_offsets(row, e, n);
      const Tick* offset = b.offset;
      const i32 member = b.member[k];
      const i32 j =
          S::prefix_until(0, n, [=](i32 i) { return offset_rank(offset, n, i) == member; });
      index = (e << kEventBits) + j;
      start = g.events[3 * (g.event_offset[row] + e)] + offset[j];
    }
    const Words a = arrival_words(row, index);
    if (!scheduled && first_part) start = advance(k, row, a.w[0]);
    if (start >= least(d.horizon, g.until[row])) return false;
    const Tick total = service_ticks(g, row, a.w[3]), segment = g.segment[row];
    const i32 whole = static_cast<i32>((total + segment - 1) / segment);
    const i32 part = b.part[k], n = least(kBlock, whole - part);
    const i32 gang = pick_gpus(g, row, a.w[2]);
    const i64 first = b.made[k];
    Tick *submit = b.submit + k * kBlock, *service = b.service + k * kBlock;
    Tick* limit = b.limit + k * kBlock;
    i32* gpus = b.gpus + k * kBlock;
    S::each(n, [&](i32 i) {
      submit[i] = start;
      service[i] = least(segment, total - segment * (part + i));
      gpus[i] = gang;
      limit[i] = pick_limit(g, row, service[i], job_words(row, first + i).w[3]);
    });
    const bool done = part + n == whole;
    S::once([&] {
      b.reached[k] = start;
      b.whole[k] = whole;
      b.size[k] = n;
      b.part[k] = done ? 0 : part + n;
      if (!done) return;
      if (scheduled)
        ++b.member[k];
      else
        b.arrival[k] = index + 1;
    });
    return true;
  }
};

}  // namespace gpusim

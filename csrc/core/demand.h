// What the random words of a source mean: gaps, clock times, run times, gang sizes and limits, and the
// jobs of a calendar's events (ARCHITECTURE.md 3). Renewal processes run in operational time; a week
// profile maps it to the clock.
#pragma once
#include "model.h"
#include "rng.h"
#include "sampler.h"
#include "types.h"

namespace gpusim {

constexpr i32 kProfileShift = 8;  // cumulative profiles count in 2^-8 ticks
constexpr i64 kMillion = 1000000;
constexpr i64 kScaleOne = 65536;  // scale of gaps without demand uncertainty
constexpr i64 kGolden = 618034;   // golden ratio in millionths: spreads the rounding of events

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

// Scale of a replication's gaps in 1/65536.
HD i64 demand_scale(const Generator& g, u32 replication) {
  if (!g.demand_nodes) return kScaleOne;
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

// A gap of the table at this demand.
HD Tick scaled_gap(const Demand& d, i64 value) {
  return per_demand((value * d.gap_scale) >> 16, d.ppm);
}
HD Tick gap(const Demand& d, i32 row, u32 word) {
  return scaled_gap(d, table_value(gap_table(*d.g, row), word));
}

// The clock of a renewal source with a week profile.
struct WeekClock {
  const i64* cum;  // (bins + 1,)
  i32 bins, shift;
  Tick bin, week, phase;
  i64 start;  // operational time at the source's first tick

  HD i64 place(Tick x) const { return (x >> shift) + start; }  // in 2^-8 ticks, from a Monday

  // The last bin in [low, low + n) with cum[bin] <= r; one with cum[low] <= r.
  HD i32 bin_of(i64 r, i32 low, i32 n) const {
    ROLLED
    while (n > 1) {  // halving without a branch on the data
      const i32 half = n >> 1;
      low += half & -static_cast<i32>(cum[low + half] <= r);
      n -= half;
    }
    return low;
  }

  // Clock time at r inside a week, when its bin is one of the n from `low` on.
  HD Tick time(i64 weeks, i64 r, i32 low, i32 n) const {
    const i32 at = bin_of(r, low, n);
    return weeks * week + at * bin + (r - cum[at]) * bin / (cum[at + 1] - cum[at]) - phase;
  }
};

HD WeekClock week_clock(const Demand& d, i32 row) {
  const Generator& g = *d.g;
  const i32 a = g.profile_offset[g.profile[row]];
  const i32 bins = g.profile_offset[g.profile[row] + 1] - a - 1;
  return WeekClock{g.profile_cum + a,   bins,   g.gap_shift[row] - kProfileShift,
                   g.week / bins,       g.week, d.week_phase,
                   g.profile_start[row]};
}

// Operational times x of a renewal source, ascending, become clock times.
template <class S>
HD void to_clock(const Demand& d, i32 row, Tick* x, i32 n) {
  const Generator& g = *d.g;
  if (g.profile[row] < 0) {
    const Tick from = g.from[row];
    const i32 shift = g.gap_shift[row];
    S::each(n, [=](i32 i) {  // unsigned, as vectors of the oldest hosts can shift it
      x[i] = from + static_cast<Tick>(static_cast<u64>(x[i]) >> shift);
    });
    return;
  }
  const WeekClock clock = week_clock(d, row);
  const i32 bins = clock.bins;
  const i64 whole = clock.cum[bins], first = clock.place(x[0]), last = clock.place(x[n - 1]);
  const i64 weeks = first / whole, before = weeks * whole;
  if (last - before >= whole) {  // they are not of one week
    S::each(n, [=](i32 i) {
      const i64 p = clock.place(x[i]), w = p / whole;
      x[i] = clock.time(w, p - w * whole, 0, bins);
    });
    return;
  }
  const i32 low = clock.bin_of(first - before, 0, bins);
  const i32 most = clock.bin_of(last - before, low, bins - low) - low + 1;
  S::each(n, [=](i32 i) { x[i] = clock.time(weeks, clock.place(x[i]) - before, low, most); });
}

HD RunTimes run_times(const Generator& g, i32 row) {
  return RunTimes{g.service_nodes + static_cast<i64>(row) * 2 * kTableNodes, g.service_shift[row],
                  g.service_cap[row], g.service_cap_from[row]};
}

// Whether jobs of a row may be held at first (S35).
HD bool holds_jobs(const Generator& g, i32 row) {
  return g.call_period[row] > 0 || g.hold[row] >= 0;
}

// Ticks from a submit to the next call, which may be at once.
HD Tick until_call(const Generator& g, i32 row, Tick submit) {
  const Tick period = g.call_period[row];
  if (period == 0) return 0;
  const Tick since =
      (submit - g.call_phase[row]) % period;  // after a call, or negative: before one
  return since > 0 ? period - since : -since;
}

// What the decision takes after that.
HD Tick time_to_decide(const Generator& g, i32 row, u32 word) {
  const i32 t = g.hold[row];
  if (t < 0) return 0;
  return table_ticks(g.hold_nodes + static_cast<i64>(t) * 2 * kTableNodes, g.hold_shift[t],
                     g.hold_cap[t], g.hold_cap_from[t], word);
}

HD i32 pick_gpus(const Generator& g, i32 row, u32 word) {
  const i32 a = g.atom_offset[row], n = g.atom_offset[row + 1] - a;
  return alias_pick(g.atom_gpus + a, g.atom_threshold + a, g.atom_alias + a, n, word);
}

HD i32 pick_batch(const Generator& g, i32 row, u32 word) {
  const i32 o = g.batch_offset[row], n = g.batch_offset[row + 1] - o;
  return alias_pick(g.batch_sizes + o, g.batch_threshold + o, g.batch_alias + o, n, word);
}

// Jobs (or chains) of event e of a row at this demand: never fewer at a larger one.
HD i32 event_jobs(const Demand& d, i32 row, i64 e) {
  const i64 count = d.g->events[3 * (d.g->event_offset[row] + e) + 2];
  return static_cast<i32>((count * d.ppm + e * kGolden % kMillion) / kMillion);
}

// Submits of the members of a batch: member m of n comes floor(spread * m / n) ticks after its first.
// A small batch has a reciprocal: with m < n <= 2^16, rounding it up adds less than 2^-16 <= 1/n to the
// quotient, which then keeps its floor. With no spread any small step gives 0.
struct Spacing {
  Tick spread;
  i32 n;
  u64 step;  // ceil(spread * 2^32 / n), or 0 where the division is done each time

  HD Tick of(i32 m) const {
    if (step == 0) return spread * m / n;
    return static_cast<Tick>((static_cast<u64>(m) * step) >> 32);
  }
};

HD Spacing spacing(Tick spread, i32 n) {
  const bool small = n <= 1 << 16 && spread < 1LL << 31;
  const u64 whole = static_cast<u64>(n), scaled = static_cast<u64>(spread) << 32;
  if (spread == 0) return Spacing{0, n, n <= 1 << 16 ? 1ULL : 0};
  return Spacing{spread, n, small ? (scaled + whole - 1) / whole : 0};
}

// How many of an event's `n` offsets come before the one of job j.
HD i32 offset_rank(const Tick* offset, i32 n, i32 j) {
  i32 rank = 0;
  for (i32 k = 0; k < n; ++k)
    rank += offset[k] < offset[j] || (offset[k] == offset[j] && k < j) ? 1 : 0;
  return rank;
}

}  // namespace gpusim

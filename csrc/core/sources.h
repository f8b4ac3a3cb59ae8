// The sources of generated jobs: when jobs are submitted and what they ask for (ARCHITECTURE.md 3).
//
// A source makes its jobs in blocks, each a pure function of (seed, replication, source, index):
//   plain      a renewal process of single jobs: a block is the next kBlock of them
//   batch      a renewal process of batches, made kArrivals at a time: a block is the next kBlock jobs
//   chain      a renewal or scheduled process of chains: a block is (a part of) one chain
//   scheduled  jobs of a calendar's events: a block is one event
// A block is made in passes over arrays, each a loop without branches on the data: the random words,
// then what they mean (demand.h), column by column.
#pragma once
#include "blocks.h"
#include "demand.h"
#include "model.h"
#include "rng.h"
#include "rng_avx2.h"
#include "sampler_avx2.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kEventBits = 10;  // job j of event e has word index e * 2^10 + j

template <class S>
struct Sources {
  SourceBlocks b;
  Demand d;

  // Makes the first block of a source; returns the key of its first job.
  HD u64 open(i32 k) {
    const i32 row = d.rows[k];
    const Generator& g = *d.g;
    S::once([&] {
      b.marks[k] = static_cast<u8>((g.segment[row] > 0 ? kInChains : 0) |
                                   (holds_jobs(g, row) || g.users[row] > 1 ? kDecided : 0));
      b.clock[k] = b.reached[k] = 0;
      b.arrival[k] = b.made[k] = 0;
      b.member[k] = b.part[k] = b.whole[k] = b.size[k] = b.position[k] = 0;
      b.chain[k] = -1;
    });
    if (!g.active[row]) return kNoKey;
    const Asked same{0, 0, g.atom_gpus[g.atom_offset[row]], g.job_class[row]};
    Asked* asked = b.asked + k * kBlock;
    S::each(kBlock, [=](i32 i) { asked[i] = same; });
    return refill(k);
  }

  // The key of the source's job after job `at` of its block, which becomes its next.
  HD u64 after(i32 k, i32 at) {
    if (at + 1 == b.size[k]) return refill(k);
    S::once([&] { b.position[k] = at + 1; });
    return b.key[k * kBlock + at + 1];
  }

 private:
  HD_CALL u64 refill(i32 k) {
    const i32 row = d.rows[k], last = b.size[k];
    const Generator& g = *d.g;
    S::once([&] {
      b.made[k] += last;
      b.position[k] = 0;
    });
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
    return more ? b.key[k * kBlock] : kNoKey;
  }

  // ---- passes over the arrays of a block ---------------------------------------------------------

  HD Words words_of(u32 stream, i32 row, i64 index) const {
    return philox(static_cast<u32>(index), stream, d.replication, d.g->key[row], d.g->seed);
  }

  // Words of the n indices from `first` on; the even ones only where they are wanted.
  template <i32 n, bool even>
  HD_CALL void draw_words(u32 stream, i32 row, i64 first) {
    const u32 index = static_cast<u32>(first), replication = d.replication, key = d.g->key[row];
    const u64 seed = d.g->seed;
    u32* word = b.word;
    if (!S::wide && has_avx2()) {
      philox_columns<even>(word, kBlock, n, index, stream, replication, key, seed);
      return;
    }
    S::each(n, [=](i32 i) {
      const Words w = philox(index + static_cast<u32>(i), stream, replication, key, seed);
      if (even) word[i] = w.w[0];
      word[kBlock + i] = w.w[1];
      if (even) word[2 * kBlock + i] = w.w[2];
      word[3 * kBlock + i] = w.w[3];
    });
  }

  // Clock times of the next n arrivals of a renewal process, whose gaps are word 0 of each.
  HD_CALL void draw_times(i32 k, i32 row, Tick* time, i32 n) {
    const u32* word = b.word;
    if (!S::wide && n % 8 == 0 && has_avx2()) {
      table_column(time, n, gap_table(*d.g, row), word);
      if (d.gap_scale != kScaleOne || d.ppm != kMillion)
        S::each(n, [&](i32 i) { time[i] = scaled_gap(d, time[i]); });
    } else {
      S::each(n, [&](i32 i) { time[i] = gap(d, row, word[i]); });
    }
    S::prefix_sums(time, n, b.clock[k]);
    const Tick last = time[n - 1];
    S::once([&] { b.clock[k] = last; });
    to_clock<S>(d, row, time, n);
  }

  // Run times and limits.
  HD void draw_lengths(i32 k, i32 row, i32 n) {
    const bool exact = d.g->limit_mode[row] == kExact;
    const RunTimes law = run_times(*d.g, row);
    const u32* word = b.word + kBlock;
    Asked* asked = b.asked + k * kBlock;
    if (!S::wide && has_avx2()) {
      if (exact)
        run_times_column<true>(asked, n, law, word);
      else
        run_times_column<false>(asked, n, law, word);
    } else {
      S::each(n, [=](i32 i) { asked[i].service = law.of(word[i]); });
      if (exact) S::each(n, [=](i32 i) { asked[i].limit = asked[i].service; });
    }
    if (!exact) draw_limits(k, row, n);
    if (d.g->claw_threshold[row] > 0) claw_back(k, row, n);
  }

  // Some leases end before their term; limits are known already.
  HD_CALL void claw_back(i32 k, i32 row, i32 n) {
    const i64 threshold = d.g->claw_threshold[row];
    const Tick after = d.g->claw_after[row];
    const u32* word = b.word + 3 * kBlock;
    Asked* asked = b.asked + k * kBlock;
    S::each(n, [=](i32 i) {
      if (static_cast<i64>(word[i]) < threshold) asked[i].service = least(asked[i].service, after);
    });
  }

  HD bool decided(i32 k) const { return (b.marks[k] & kDecided) != 0; }
  HD Words decision_words(i32 row, i64 index) const {
    const bool needed = d.g->hold[row] >= 0 || d.g->users[row] > 1;
    return needed ? words_of(kHoldStream, row, index) : Words{{0, 0, 0, 0}};
  }
  // The time from a submit on that a decision takes, call included, and who asks.
  HD Tick delay_of(i32 row, const Words& w, Tick submit) const {
    return until_call(*d.g, row, submit) + time_to_decide(*d.g, row, w.w[0]);
  }
  HD i32 user_of(i32 row, const Words& w) const {
    return static_cast<i32>(static_cast<u64>(w.w[1]) * static_cast<u64>(d.g->users[row]) >> 32);
  }

  HD void draw_gangs(i32 k, i32 row, i32 n) {
    const Generator& g = *d.g;
    const u32* word = b.word + 2 * kBlock;
    Asked* asked = b.asked + k * kBlock;
    if (g.atom_offset[row + 1] == g.atom_offset[row] + 1) return;  // one size, from open() on
    S::each(n, [&](i32 i) { asked[i].gpus = pick_gpus(g, row, word[i]); });
  }

  // Limits of jobs whose run times are known.
  HD_CALL void draw_limits(i32 k, i32 row, i32 n) {
    const Generator& g = *d.g;
    const i32 mode = g.limit_mode[row], c = g.choice_offset[row];
    const i32 choices = g.choice_offset[row + 1] - c;
    const i64 low = g.limit_a[row], high = g.limit_b[row];
    const u32* word = b.word + 3 * kBlock;
    Asked* asked = b.asked + k * kBlock;
    i32* brief = b.brief;
    if (mode == kExact)
      S::each(n, [=](i32 i) { asked[i].limit = asked[i].service; });
    else if (mode == kFixed)
      S::each(n, [=](i32 i) { asked[i].limit = low; });
    else if (mode == kPick)
      S::each(n, [&](i32 i) {
        asked[i].limit =
            alias_pick(g.choices + c, g.choice_threshold + c, g.choice_alias + c, choices, word[i]);
      });
    else
      S::each(n, [=](i32 i) {
        const Tick limit = factor_limit(asked[i].service, low, high, word[i]);
        asked[i].limit = limit;
        brief[i] = static_cast<i32>(least(limit, kBrief));
      });
    if (mode == kFactor && choices > 0) round_up(k, g.choices + c, choices, n);
  }

  // Rounds limits up to the next choice; above the last one it is that, or the run time.
  HD void round_up(i32 k, const i64* choices, i32 of, i32 n) {
    Asked* asked = b.asked + k * kBlock;
    const i32* brief = b.brief;
    i32* rank = b.rank;
    const i32 last = of - 1;  // what lies above all others goes there
    if (last > 0 && choices[last - 1] >= kBrief) {
      S::each(n, [=](i32 i) { rank[i] = choices_below(choices, last, asked[i].limit); });
    } else {
      S::each(n, [=](i32 i) { rank[i] = 0; });
      ROLLED
      for (i32 from = 0; from < last; from += Choices::most) {
        const Choices some = some_choices(choices + from, last - from);
        S::each(n, [=](i32 i) { rank[i] += some.below(brief[i]); });
      }
    }
    S::each(n, [=](i32 i) {
      const Tick limit = asked[i].limit, choice = choices[rank[i]];
      asked[i].limit = limit <= choice ? choice : greatest(choice, asked[i].service);
    });
  }

  // Keys of a block whose submits are known; they ascend.
  HD void finish(i32 k, i32 n, Tick until) {
    const Tick* submit = b.submit;
    u64* key = b.key + k * kBlock;
    S::each(n, [=](i32 i) { key[i] = make_key(submit[i], k); });
    if (submit[n - 1] >= until)
      S::each(n, [=](i32 i) { key[i] = submit[i] < until ? key[i] : kNoKey; });
    S::once([&] { b.size[k] = n; });
  }

  // One decision for jobs [from, from + n) of a block, those of a batch or a chain, each from its own submit.
  HD_CALL void decide_together(i32 k, i32 row, i64 arrival, i32 from, i32 n) {
    const Words w = decision_words(row, arrival);
    const Tick* submit = b.submit + from;
    Tick* delay = b.delay + k * kBlock + from;
    i32* user = b.user + k * kBlock + from;
    S::each(n, [&](i32 i) {
      delay[i] = delay_of(row, w, submit[i]);
      user[i] = user_of(row, w);
    });
  }

  // ---- kinds of sources --------------------------------------------------------------------------

  HD_CALL void decide_each(i32 k, i32 row, i64 first) {
    const Tick* submit = b.submit;
    Tick* delay = b.delay + k * kBlock;
    i32* user = b.user + k * kBlock;
    S::each(kBlock, [&](i32 i) {
      const Words w = decision_words(row, first + i);
      delay[i] = delay_of(row, w, submit[i]);
      user[i] = user_of(row, w);
    });
  }

  HD_CALL void plain_block(i32 k, i32 row) {
    const i64 first = b.arrival[k];
    draw_words<kBlock, true>(kJobStream, row, first);
    draw_times(k, row, b.submit, kBlock);
    draw_lengths(k, row, kBlock);
    draw_gangs(k, row, kBlock);
    if (decided(k)) decide_each(k, row, first);
    S::once([&] { b.arrival[k] = first + kBlock; });
    finish(k, kBlock, least(d.horizon, d.g->until[row]));
  }

  HD_CALL void draw_batches(i32 k, i32 row) {
    const Generator& g = *d.g;
    const Tick until = least(d.horizon, g.until[row]);
    const u32* word = b.word;
    Tick* submit = b.batch_submit + k * kArrivals;
    i32 *size = b.batch_size + k * kArrivals, *gpus = b.batch_gpus + k * kArrivals;
    u32* common = b.batch_word + k * kArrivals;
    draw_words<kArrivals, true>(kArrivalStream, row, b.arrival[k]);
    draw_times(k, row, submit, kArrivals);
    S::each(kArrivals, [&](i32 i) {
      submit[i] = submit[i] < until ? submit[i] : kNever;
      size[i] = pick_batch(g, row, word[kBlock + i]);
      gpus[i] = pick_gpus(g, row, word[2 * kBlock + i]);
      common[i] = word[3 * kBlock + i];
    });
  }

  // Members of the batches that have been made, from place n of the block on, until it is full;
  // returns how many places are taken then.
  HD_CALL i32 draw_members(i32 k, i32 row, i32 n) {
    const Tick spread = d.g->spread[row];
    Tick *submit = b.submit, reached = b.reached[k];
    Asked* asked = b.asked + k * kBlock;
    u32* common = b.common;
    i64 arrival = b.arrival[k];
    i32 part = b.part[k];
    i32 of = k * kArrivals + static_cast<i32>(arrival % kArrivals);
    ROLLED
    while (b.batch_submit[of] != kNever) {
      const Tick base = b.batch_submit[of];
      const i32 size = b.batch_size[of], gang = b.batch_gpus[of];
      const u32 word = b.batch_word[of];
      const i32 members = least(kBlock - n, size - part);
      const Spacing space = spacing(spread, size);
      S::each(members, [=](i32 i) {  // a batch never overtakes the one before
        submit[n + i] = greatest(reached, base + space.of(part + i));
        asked[n + i].gpus = gang;
        common[n + i] = word;
      });
      if (decided(k)) decide_together(k, row, arrival, n, members);
      n += members;
      part += members;
      reached = submit[n - 1];
      if (part < size) break;
      part = 0;
      ++arrival;
      if (n == kBlock || arrival % kArrivals == 0) break;
      ++of;
    }
    S::once([&] {
      b.reached[k] = reached;
      b.arrival[k] = arrival;
      b.part[k] = part;
    });
    return n;
  }

  // Run times share the common word of their batch.
  HD void mix_words(i32 row, i32 n) {
    const i64 weight = d.g->common[row];
    const u32* common = b.common;
    u32* word = b.word + kBlock;
    if (weight == 0) return;
    if (weight == 32768)
      S::each(n, [=](i32 i) { word[i] = evenly_mixed_word(common[i], word[i]); });
    else
      S::each(n, [=](i32 i) { word[i] = mixed_word(common[i], word[i], weight); });
  }

  HD_CALL bool batch_block(i32 k, i32 row) {
    i32 n = 0;
    ROLLED
    for (i32 before = -1; n > before && n < kBlock;) {
      if (b.part[k] == 0 && b.arrival[k] % kArrivals == 0) draw_batches(k, row);
      before = n;
      n = draw_members(k, row, n);
    }
    if (n == 0) return false;
    draw_words<kBlock, false>(kJobStream, row, b.made[k]);
    mix_words(row, n);
    draw_lengths(k, row, n);
    finish(k, n, d.horizon);
    return true;
  }

  // Offsets of the jobs of event e, to b.offset; their words are in b.word.
  HD void draw_offsets(i32 row, i64 e, i32 n) {
    const Tick within = d.g->events[3 * (d.g->event_offset[row] + e) + 1];
    const u32* word = b.word;
    Tick* offset = b.offset;
    draw_words<kBlock, true>(kJobStream, row, e << kEventBits);
    S::each(n, [=](i32 j) {
      offset[j] = static_cast<Tick>((static_cast<u64>(word[j]) * static_cast<u64>(within)) >> 32);
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

  HD_CALL void decide_event(i32 k, i32 row, i64 e, i32 n) {
    const Tick *offset = b.offset, *submit = b.submit;
    Tick* delay = b.delay + k * kBlock;
    i32* user = b.user + k * kBlock;
    S::each(n, [&](i32 j) {
      const Words w = decision_words(row, (e << kEventBits) + j);
      const i32 i = offset_rank(offset, n, j);
      delay[i] = delay_of(row, w, submit[i]);
      user[i] = user_of(row, w);
    });
  }

  HD_CALL bool event_block(i32 k, i32 row) {
    const Generator& g = *d.g;
    i32 n = 0;
    if (!next_event(k, row, &n)) return false;
    const i64 e = b.arrival[k];
    const Tick tick = g.events[3 * (g.event_offset[row] + e)];
    draw_offsets(row, e, n);
    const Tick* offset = b.offset;
    Tick* submit = b.submit;
    u32* word = b.word;
    S::each(n, [&](i32 j) {  // ranks are a permutation: every element is stored once
      const Words w = words_of(kJobStream, row, (e << kEventBits) + j);
      const i32 i = offset_rank(offset, n, j);
      submit[i] = tick + offset[j];
      word[kBlock + i] = w.w[1];
      word[2 * kBlock + i] = w.w[2];
      word[3 * kBlock + i] = w.w[3];
    });
    draw_lengths(k, row, n);
    draw_gangs(k, row, n);
    if (decided(k)) decide_event(k, row, e, n);
    S::once([&] { b.arrival[k] = e + 1; });
    finish(k, n, least(d.horizon, g.until[row]));
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
    const Words a = words_of(kArrivalStream, row, index);
    if (!scheduled && first_part) {
      Tick* time = b.submit;
      const Tick clock = b.clock[k] + gap(d, row, a.w[0]);
      S::once([&] { time[0] = b.clock[k] = clock; });
      to_clock<S>(d, row, time, 1);
      start = time[0];
    }
    if (start >= least(d.horizon, g.until[row])) return false;
    const Tick total = run_times(g, row).of(a.w[3]), segment = g.segment[row];
    const i32 whole = static_cast<i32>((total + segment - 1) / segment);
    const i32 part = b.part[k], n = least(kBlock, whole - part);
    const i32 gang = pick_gpus(g, row, a.w[2]);
    Tick* submit = b.submit;
    Asked* asked = b.asked + k * kBlock;
    S::each(n, [=](i32 i) {
      submit[i] = start;
      asked[i].service = least(segment, total - segment * (part + i));
      asked[i].gpus = gang;
    });
    if (decided(k)) decide_together(k, row, index, 0, n);
    draw_words<kBlock, false>(kJobStream, row, b.made[k]);
    draw_limits(k, row, n);
    if (g.claw_threshold[row] > 0) claw_back(k, row, n);
    finish(k, n, d.horizon);
    const bool done = part + n == whole;
    S::once([&] {
      b.reached[k] = start;
      b.whole[k] = whole;
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

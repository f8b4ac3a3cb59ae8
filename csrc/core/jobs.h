// The next job: stored or generated, behind one interface.
//
// Jobs leave the stream in job-index order: (submit, source, index inside the source). A stored
// workload is one source, already sorted. Generated jobs come from one source per class, each a
// renewal process with its own random stream; a source makes its jobs in blocks of kBlock, and the
// stream merges the sources by the key (submit, source).
// Cost of take(): one argmin over the sources, and 1/kBlock of a block.
#pragma once
#include "model.h"
#include "rng.h"
#include "sampler.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kBlock = 64;  // jobs a source makes at once

struct Job {
  Tick submit;
  Tick service;
  Tick limit;
  i32 gpus;
  i32 job_class;
};

struct SourceBlocks {  // working memory of generated jobs; shapes (C,) and (C, kBlock)
  u64* head;           // (C,) key (submit, source) of the source's next job, or kNoKey
  Tick* clock;         // (C,) arrival clock after the block, in the gap table's unit
  i64* next;           // (C,) index inside the source of the block's first successor
  i32* position;       // (C,) next job inside the block
  Tick* submit;        // (C, kBlock)
  Tick* service;
  Tick* limit;
  i32* gpus;
};

// Whether the caller asked to stop.
template <class S>
HD bool stop_requested(const Model& m) {
  return m.stop && S::agree(read_flag(m.stop)) != 0;
}

// Scale of a replication's inter-arrival gaps in 1/65536: 65536 without demand uncertainty.
HD i64 demand_scale(const Generator& g, i64 replication) {
  if (!g.demand_nodes) return 65536;
  return table_value(g.demand_nodes,
                     philox(0, kDemandStream, static_cast<u32>(replication), 0, g.seed).w[0]);
}

HD Tick pick_limit(const Generator& g, i32 c, Tick service, u32 word) {
  if (g.limit_mode[c] == kExact) return service;
  if (g.limit_mode[c] == kFixed) return g.limit_a[c];
  return factor_limit(service, g.limit_a[c], g.limit_b[c], word);
}

// Arrival clocks of jobs [first, first + kBlock) of source c, written to `clock` from the clock
// before the block.
template <class S>
HD void arrival_clocks(const Generator& g, i64 replication, i32 c, i64 first, i64 scale,
                       Tick before, Tick* clock) {
  const i64* nodes = g.gap_nodes + static_cast<i64>(c) * 2 * kTableNodes;
  S::each(kBlock, [&](i32 i) {
    const Words r = philox(static_cast<u32>(first + i), kJobStream, static_cast<u32>(replication),
                           g.key[c], g.seed);
    clock[i] = (table_value(nodes, r.w[0]) * scale) >> 16;
  });
  S::prefix_sums(clock, kBlock, before);
}

template <class S>
struct JobStream {
  const Model* model;
  SourceBlocks blocks;
  i64 replication;
  i64 scale;     // demand scale of the replication
  i64 position;  // stored: next job; generated: jobs taken
  i64 end;       // stored: one past the workload's last job
  u64 head;      // key of the next job, or kNoKey

  HD bool stored() const { return model->stored.submit != nullptr; }
  HD Tick next_submit() const { return head == kNoKey ? kNever : key_tick(head); }

  HD void open(const Model& m, const SourceBlocks& memory, i64 r) {
    model = &m;
    blocks = memory;
    replication = r;
    if (stored()) {
      position = m.stored.offset[r];
      end = m.stored.offset[r + 1];
      head = stored_head();
      return;
    }
    position = end = 0;
    scale = demand_scale(m.generator, r);
    const i32 n = m.classes.n;
    ROLLED
    for (i32 c = 0; c < n; ++c) {
      const i32 source = c;
      S::once([&] {
        blocks.clock[source] = 0;
        blocks.next[source] = 0;
        blocks.head[source] = kNoKey;
      });
      if (m.generator.active[c]) refill(c);
    }
    head = S::min(blocks.head, n, kNoKey);
  }

  HD Job take() {  // requires head != kNoKey
    if (stored()) {
      const StoredJobs& s = model->stored;
      const Job job{s.submit[position], s.service[position], s.limit[position], s.gpus[position],
                    static_cast<i32>(s.job_class[position])};
      ++position;
      head = stored_head();
      return job;
    }
    const i32 c = key_slot(head);
    const i32 at = blocks.position[c], k = c * kBlock + at;
    const Job job{blocks.submit[k], blocks.service[k], blocks.limit[k], blocks.gpus[k], c};
    ++position;
    if (at + 1 < kBlock)
      point(c, at + 1);
    else
      refill(c);
    head = S::min(blocks.head, model->classes.n, kNoKey);
    return job;
  }

 private:
  HD u64 stored_head() const {
    return position < end && model->stored.submit[position] < model->windows.horizon
               ? make_key(model->stored.submit[position], 0)
               : kNoKey;
  }

  HD void point(i32 c, i32 at) {  // makes job `at` of the block the source's next
    const Tick submit = blocks.submit[c * kBlock + at];
    const u64 key = submit < model->windows.horizon ? make_key(submit, c) : kNoKey;
    S::once([&] {
      blocks.position[c] = at;
      blocks.head[c] = key;
    });
  }

  HD_CALL void refill(i32 c) {
    const Generator& g = model->generator;
    const i64 first = blocks.next[c];
    Tick* submit = blocks.submit + c * kBlock;
    Tick* service = blocks.service + c * kBlock;
    Tick* limit = blocks.limit + c * kBlock;
    i32* gpus = blocks.gpus + c * kBlock;
    const i64* service_nodes = g.service_nodes + static_cast<i64>(c) * 2 * kTableNodes;
    const i32 atom = g.atom_offset[c], atoms = g.atom_offset[c + 1] - atom;
    arrival_clocks<S>(g, replication, c, first, scale, blocks.clock[c], submit);
    const Tick clock = submit[kBlock - 1];
    S::once([&] {
      blocks.clock[c] = clock;
      blocks.next[c] = first + kBlock;
    });
    S::each(kBlock, [&](i32 i) {
      const Words r = philox(static_cast<u32>(first + i), kJobStream, static_cast<u32>(replication),
                             g.key[c], g.seed);
      const Tick run = table_ticks(service_nodes, g.service_shift[c], r.w[1]);
      submit[i] >>= g.gap_shift[c];
      service[i] = run;
      gpus[i] = alias_pick(g.atom_gpus + atom, g.atom_threshold + atom, g.atom_alias + atom, atoms,
                           r.w[2]);
      limit[i] = pick_limit(g, c, run, r.w[3]);
    });
    point(c, 0);
  }
};

// Adds to counted[c] the jobs of class c submitted in [from, to): what an early run needs to know
// what can still happen.
template <class S>
HD_CALL void count_arrivals(const Model& m, i64 replication, Tick from, Tick to, Tick* block,
                            i64* counted) {
  if (m.stored.submit) {
    S::once([&] {
      for (i64 j = m.stored.offset[replication]; j < m.stored.offset[replication + 1]; ++j)
        if (m.stored.submit[j] >= from && m.stored.submit[j] < to) ++counted[m.stored.job_class[j]];
    });
    return;
  }
  const Generator& g = m.generator;
  const i64 scale = demand_scale(g, replication);
  ROLLED
  for (i32 c = 0; c < m.classes.n; ++c) {
    if (!g.active[c]) continue;
    const Tick low = from << g.gap_shift[c], high = to << g.gap_shift[c];
    Tick clock = 0;
    i64 n = 0;
    ROLLED
    for (i64 first = 0; clock < high && !stop_requested<S>(m); first += kBlock) {
      arrival_clocks<S>(g, replication, c, first, scale, clock, block);
      clock = block[kBlock - 1];
      n += S::prefix_until(0, kBlock, [&](i32 i) { return block[i] >= high; }) -
           S::prefix_until(0, kBlock, [&](i32 i) { return block[i] >= low; });
    }
    S::once([&] { counted[c] += n; });
  }
}

}  // namespace gpusim

// What the tests share: both kinds of strips, random integers, and a model with the arrays it
// points to.
#pragma once
#include <initializer_list>
#include <random>
#include <vector>

#include "../core/simulate.h"

namespace gpusim::test {

typedef WarpStrips<EmulatedLanes> Lanes;

struct Random {  // the same numbers on every platform, unlike the distributions of <random>
  std::mt19937_64 engine;
  explicit Random(u64 seed) : engine(seed) {}
  i64 between(i64 low, i64 high) {  // both included
    return low + static_cast<i64>(engine() % static_cast<u64>(high - low + 1));
  }
  i32 small(i32 low, i32 high) { return static_cast<i32>(between(low, high)); }
};

// Working memory of one run. Room for the alignment of the first array is part of the block.
template <class S>
struct Memory {
  std::vector<char> block;
  Scratch<S> scratch;
  Memory(const Model& model, const Sizes& sizes) {
    block.resize(static_cast<size_t>(carve_scratch<S>(model, sizes, nullptr, &scratch)) + 64);
    char* aligned = block.data() + (64 - reinterpret_cast<size_t>(block.data()) % 64);
    carve_scratch<S>(model, sizes, aligned, &scratch);
  }
};

// Node k of a quantile table stands at this distance from the end of its side, in 2^-32
// (ARCHITECTURE.md 3).
inline i64 node_place(i32 k) {
  return k < 32 ? k : static_cast<i64>(32 + (k - 32) % 32) << ((k - 32) / 32);
}

// Appends the table of the uniform distribution on [low, high].
inline void add_uniform_table(std::vector<i64>* nodes, i64 low, i64 high) {
  for (i32 side = 0; side < 2; ++side)
    for (i32 k = 0; k < kTableNodes; ++k) {
      const u64 range = static_cast<u64>(high - low), place = static_cast<u64>(node_place(k));
      const i64 way =
          static_cast<i64>((range >> 32) * place + ((range & 0xffffffffu) * place >> 32));
      nodes->push_back(side ? high - way : low + way);
    }
}

struct StoredJob {
  Tick submit;
  i32 gpus;
  Tick service;
  Tick limit;
};

// A model and everything it points to. Starts as one class, one tenant, no service level, no jobs.
struct World {
  std::vector<i32> tier_rank{0}, tenant{0}, slo_offset{0, 0}, slo_list;
  std::vector<Tick> patience{-1}, slo_limit;
  std::vector<i64> slo_share, tenant_bound{-1};
  Policy policy{kNone, 0, -1, nullptr, 0};
  Windows windows{0, 1LL << 40, 1LL << 40};
  i32 early = 0;
  // stored
  std::vector<Tick> submit, service, limit;
  std::vector<i32> gpus;
  std::vector<u16> job_class;
  std::vector<i64> offset;
  // generated
  std::vector<u32> key;
  std::vector<u8> active;
  std::vector<i64> gap_nodes, service_nodes, limit_a, limit_b;
  std::vector<i32> gap_shift, service_shift, atom_offset, atom_gpus, atom_alias, limit_mode;
  std::vector<u64> atom_threshold;

  void store(std::initializer_list<StoredJob> jobs) {
    for (const StoredJob& job : jobs) {
      submit.push_back(job.submit);
      gpus.push_back(job.gpus);
      service.push_back(job.service);
      limit.push_back(job.limit);
      job_class.push_back(0);
    }
    offset = {0, static_cast<i64>(submit.size())};
  }

  Model model() const {
    Model m{};
    const i32 classes = static_cast<i32>(tier_rank.size());
    i32 tiers = 1;
    for (i32 rank : tier_rank) tiers = greatest(tiers, rank + 1);
    m.classes = Classes{classes,          tiers,         static_cast<i32>(tenant_bound.size()),
                        tier_rank.data(), tenant.data(), patience.data()};
    m.policy = policy;
    m.policy.tenant_max_waiting = tenant_bound.data();
    m.windows = windows;
    m.slos = Slos{static_cast<i32>(slo_limit.size()), slo_limit.data(), slo_share.data(),
                  slo_offset.data(), slo_list.data()};
    m.early = early;
    if (!submit.empty())
      m.stored = StoredJobs{submit.data(), service.data(),   limit.data(),
                            gpus.data(),   job_class.data(), static_cast<i64>(submit.size()),
                            offset.data()};
    m.generator = Generator{20260,
                            key.data(),
                            active.data(),
                            gap_nodes.data(),
                            gap_shift.data(),
                            service_nodes.data(),
                            service_shift.data(),
                            atom_offset.data(),
                            atom_gpus.data(),
                            atom_threshold.data(),
                            atom_alias.data(),
                            limit_mode.data(),
                            limit_a.data(),
                            limit_b.data(),
                            nullptr};
    return m;
  }
};

// Two tenants in two tiers, with patience, bounds and service levels: on 24 GPUs every outcome
// occurs.
inline World busy_world(Tick horizon) {
  World w;
  w.tier_rank = {0, 1, 1};
  w.tenant = {0, 1, 1};
  w.patience = {-1, 4000, -1};
  w.tenant_bound = {-1, 12};
  w.slo_limit = {60, 3600};
  w.slo_share = {900000, 990000};
  w.slo_offset = {0, 1, 2, 4};
  w.slo_list = {0, 1, 0, 1};
  w.policy.kill_at_limit = 1;
  w.policy.max_waiting = 20;
  w.windows = Windows{horizon / 8, horizon - 2000, horizon};
  for (u32 c = 0; c < 3; ++c) {
    w.key.push_back(0x9e3779b9u * (c + 1));
    w.active.push_back(1);
    add_uniform_table(&w.gap_nodes, 0, 1500LL << 8);
    w.gap_shift.push_back(8);
    add_uniform_table(&w.service_nodes, 16, 4000LL << 4);
    w.service_shift.push_back(4);
    w.limit_mode.push_back(static_cast<i32>(c));
    w.limit_a.push_back(c == 1 ? 3000 : 65536);
    w.limit_b.push_back(c == 1 ? 3000 : 3 * 65536);
    w.atom_offset.push_back(static_cast<i32>(w.atom_gpus.size()));
    for (i32 g : {1, 2, 8, 25}) w.atom_gpus.push_back(g);
    for (i32 a : {0, 0, 1, 0}) w.atom_alias.push_back(a);
    for (u64 t : {1ULL << 32, 1ULL << 31, 1ULL << 31, 1ULL << 28}) w.atom_threshold.push_back(t);
  }
  w.atom_offset.push_back(static_cast<i32>(w.atom_gpus.size()));
  return w;
}

// Results of one or more runs, in the layout of ensemble.h.
struct Rows {
  i64 n, classes, slos;
  std::vector<i32> status, first_violated;
  std::vector<i64> counts, sums, slo, integrals, extremes, jobs, histogram;
  std::vector<u8> passed;
  Rows(const Model& m, i64 runs) : n(runs), classes(m.classes.n), slos(m.slos.n) {
    const auto size = [](i64 length) { return static_cast<size_t>(length); };
    status.resize(size(n));
    first_violated.resize(size(n));
    counts.resize(size(n * classes * kCounts));
    sums.resize(size(n * classes * kSums));
    slo.resize(size(n * slos * kSloCounts));
    integrals.resize(size(n * kIntegrals));
    extremes.resize(size(n * kExtremes));
    jobs.resize(size(n));
    histogram.resize(size(n * classes * kBins));
    passed.resize(size(n));
  }
  bool operator==(const Rows& o) const {
    return status == o.status && first_violated == o.first_violated && counts == o.counts &&
           sums == o.sums && slo == o.slo && integrals == o.integrals && extremes == o.extremes &&
           jobs == o.jobs && histogram == o.histogram && passed == o.passed;
  }
};

}  // namespace gpusim::test

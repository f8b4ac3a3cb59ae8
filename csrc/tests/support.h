// What the tests share: both kinds of strips, random integers, and a model with the arrays it
// points to.
#pragma once
#include <initializer_list>
#include <random>
#include <vector>

#include "../core/simulate.h"
#include "../cpu/requests.h"

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
  i32 chain = -1;
  i32 part = 0;
  Tick delay = 0;
};

// One source of generated jobs, with what most tests leave as it is.
struct Origin {
  u32 key = 0x9e3779b9u;
  i32 job_class = 0;
  i64 gap_low = 0, gap_high = 1500LL << 8;  // uniform, in 2^-gap_shift ticks
  i32 gap_shift = 8;
  Tick from = 0, until = 1LL << 42;
  i32 profile = -1;
  i64 profile_start = 0;
  std::vector<i64> events;  // tick, within, count of each
  std::vector<i32> batch;   // sizes, all as likely
  Tick spread = 0;
  i64 common = 0;
  i64 service_low = 16, service_high = 4000LL << 4;  // uniform, in 2^-4 ticks
  i64 cap = (1LL << 44) - 1, cap_from = 1LL << 32;
  std::vector<i32> gpus{1};  // all as likely
  i32 limit_mode = kExact;
  i64 limit_a = 0, limit_b = 0;
  std::vector<i64> choices;
  Tick segment = 0, delay = 0;
  i64 claw_threshold = 0;
  Tick claw_after = 0, call_period = 0, call_phase = 0;
  i64 hold_most = -1;  // uniform from 0 on, in 2^-4 ticks; -1: no hold
  i32 users = 1;
};

constexpr i64 kSure = 1LL << 32;  // threshold of an alias table: always its own outcome

// A model and everything it points to. Starts as one class, one tenant, one pool, no service level, no jobs.
struct World {
  std::vector<i32> tier_rank{0}, tenant{0}, pool_offset{0, 1}, pool_list{0};
  std::vector<u8> killed_ok{0};
  std::vector<Tick> patience{-1};
  i32 pools = 1;
  // levels, and their pairs with classes
  std::vector<i32> metric, gpus_low, gpus_high, days, slo_offset{0, 0}, slo_list;
  std::vector<i64> share, slo_limit, tenant_bound{-1};
  std::vector<Tick> bound, hours_from, hours_to;
  Policy policy{kFifo, kNone, 0, -1, -1, 1, -1, nullptr, 0, 0};
  Windows windows{0, 1LL << 40, 1LL << 40, 86400, 0};
  i32 early = 0;
  // stored
  std::vector<Tick> submit, service, limit, stored_delay;
  std::vector<i32> gpus, chain;
  std::vector<u16> job_class;
  std::vector<u8> part;
  std::vector<i64> offset;
  // generated
  std::vector<u32> key;
  std::vector<u8> active;
  std::vector<i32> rows, source_class, gap_shift, profile, event_offset{0}, batch_offset{0},
      batch_sizes;
  std::vector<i32> batch_alias, service_shift, atom_offset{0}, atom_gpus, atom_alias, limit_mode;
  std::vector<i32> choice_offset{0}, choice_alias, profile_offset{0};
  std::vector<i64> gap_nodes, profile_start, events, common, service_nodes, service_cap,
      service_cap_from;
  std::vector<i64> limit_a, limit_b, choices, profile_cum;
  std::vector<Tick> from, until, spread, segment, delay;
  std::vector<i64> claw_threshold, hold_nodes, hold_cap, hold_cap_from;
  std::vector<Tick> claw_after, call_period, call_phase;
  std::vector<i32> hold, hold_shift, users;
  std::vector<u64> batch_threshold, atom_threshold, choice_threshold;
  Tick week = 0, week_phase = 0;

  void store(std::initializer_list<StoredJob> jobs) {
    for (const StoredJob& job : jobs) {
      submit.push_back(job.submit);
      gpus.push_back(job.gpus);
      service.push_back(job.service);
      limit.push_back(job.limit);
      job_class.push_back(0);
      chain.push_back(job.chain);
      part.push_back(static_cast<u8>(job.part));
      stored_delay.push_back(job.delay);
    }
    offset = {0, static_cast<i64>(submit.size())};
  }

  void generate(const Origin& o) {
    rows.push_back(static_cast<i32>(rows.size()));
    key.push_back(o.key);
    source_class.push_back(o.job_class);
    active.push_back(1);
    add_uniform_table(&gap_nodes, o.gap_low, o.gap_high);
    gap_shift.push_back(o.gap_shift);
    from.push_back(o.from);
    until.push_back(o.until);
    profile.push_back(o.profile);
    profile_start.push_back(o.profile_start);
    events.insert(events.end(), o.events.begin(), o.events.end());
    event_offset.push_back(static_cast<i32>(events.size() / 3));
    add_atoms(o.batch, &batch_sizes, &batch_threshold, &batch_alias, &batch_offset);
    spread.push_back(o.spread);
    common.push_back(o.common);
    add_uniform_table(&service_nodes, o.service_low, o.service_high);
    service_shift.push_back(4);
    service_cap.push_back(o.cap);
    service_cap_from.push_back(o.cap_from);
    add_atoms(o.gpus, &atom_gpus, &atom_threshold, &atom_alias, &atom_offset);
    limit_mode.push_back(o.limit_mode);
    limit_a.push_back(o.limit_a);
    limit_b.push_back(o.limit_b);
    add_atoms(o.choices, &choices, &choice_threshold, &choice_alias, &choice_offset);
    segment.push_back(o.segment);
    delay.push_back(o.delay);
    claw_threshold.push_back(o.claw_threshold);
    claw_after.push_back(o.claw_after);
    call_period.push_back(o.call_period);
    call_phase.push_back(o.call_phase);
    users.push_back(o.users);
    hold.push_back(o.hold_most < 0 ? -1 : size(hold_shift));
    if (o.hold_most < 0) return;
    add_uniform_table(&hold_nodes, 0, o.hold_most);
    hold_shift.push_back(4);
    hold_cap.push_back((1LL << 44) - 1);
    hold_cap_from.push_back(1LL << 32);
  }

  // A level on all classes; its pairs are made by model_of_levels().
  void judge(i32 by, i64 least_share, i64 the_limit) {
    metric.push_back(by);
    share.push_back(least_share);
    bound.push_back(1);
    gpus_low.push_back(1);
    gpus_high.push_back(kHole - 1);
    hours_from.push_back(0);
    hours_to.push_back(0);
    days.push_back(127);
    const std::vector<i64> before = slo_limit;
    const size_t levels = metric.size(), classes = tier_rank.size();
    slo_list.clear();
    slo_limit.clear();
    slo_offset.assign(1, 0);
    for (size_t c = 0; c < classes; ++c) {
      for (size_t s = 0; s < levels; ++s) {
        slo_list.push_back(static_cast<i32>(s));
        slo_limit.push_back(s + 1 < levels ? before[s] : the_limit);
      }
      slo_offset.push_back(static_cast<i32>(slo_list.size()));
    }
  }

  Model model() const {
    Model m{};
    i32 tiers = 1;
    for (i32 rank : tier_rank) tiers = greatest(tiers, rank + 1);
    m.classes = Classes{size(tier_rank),
                        tiers,
                        tiers,
                        size(tenant_bound),
                        pools,
                        tier_rank.data(),
                        tier_rank.data(),
                        tenant.data(),
                        patience.data(),
                        killed_ok.data(),
                        pool_offset.data(),
                        pool_list.data()};
    m.policy = policy;
    m.policy.tenant_max_waiting = tenant_bound.data();
    m.windows = windows;
    m.slos = Slos{size(metric),    metric.data(),     share.data(),      bound.data(),
                  gpus_low.data(), gpus_high.data(),  hours_from.data(), hours_to.data(),
                  days.data(),     slo_offset.data(), slo_list.data(),   slo_limit.data()};
    m.early = early;
    if (!submit.empty())
      m.stored = StoredJobs{submit.data(), service.data(),   limit.data(),
                            gpus.data(),   job_class.data(), stored_delay.data(),
                            chain.data(),  part.data(),      static_cast<i64>(submit.size()),
                            offset.data(), nullptr};
    Generator& g = m.generator;
    g.seed = 20260;
    g.sources = g.tables = size(key);
    g.draws = 1;
    g.profiles = size(profile_offset) - 1;
    g.rows = rows.data();
    g.key = key.data();
    g.job_class = source_class.data();
    g.active = active.data();
    g.gap_nodes = gap_nodes.data();
    g.gap_shift = gap_shift.data();
    g.from = from.data();
    g.until = until.data();
    g.profile = profile.data();
    g.profile_start = profile_start.data();
    g.event_offset = event_offset.data();
    g.events = events.data();
    g.batch_offset = batch_offset.data();
    g.batch_sizes = batch_sizes.data();
    g.batch_threshold = batch_threshold.data();
    g.batch_alias = batch_alias.data();
    g.spread = spread.data();
    g.common = common.data();
    g.service_nodes = service_nodes.data();
    g.service_shift = service_shift.data();
    g.service_cap = service_cap.data();
    g.service_cap_from = service_cap_from.data();
    g.atom_offset = atom_offset.data();
    g.atom_gpus = atom_gpus.data();
    g.atom_threshold = atom_threshold.data();
    g.atom_alias = atom_alias.data();
    g.limit_mode = limit_mode.data();
    g.limit_a = limit_a.data();
    g.limit_b = limit_b.data();
    g.choice_offset = choice_offset.data();
    g.choices = choices.data();
    g.choice_threshold = choice_threshold.data();
    g.choice_alias = choice_alias.data();
    g.segment = segment.data();
    g.delay = delay.data();
    g.claw_threshold = claw_threshold.data();
    g.claw_after = claw_after.data();
    g.call_period = call_period.data();
    g.call_phase = call_phase.data();
    g.hold = hold.data();
    g.holds = size(hold_shift);
    g.hold_nodes = hold_nodes.data();
    g.hold_shift = hold_shift.data();
    g.hold_cap = hold_cap.data();
    g.hold_cap_from = hold_cap_from.data();
    g.users = users.data();
    for (size_t r = 0; r < hold.size(); ++r)
      g.decides |= holds_jobs(g, static_cast<i32>(r)) || users[r] > 1 ? 1 : 0;
    g.profile_offset = profile_offset.data();
    g.profile_cum = profile_cum.data();
    g.week = week;
    g.week_phase = week_phase;
    describe_requests(&m);
    return m;
  }

 private:
  template <class T>
  static i32 size(const std::vector<T>& v) {
    return static_cast<i32>(v.size());
  }
  template <class T>
  static void add_atoms(const std::vector<T>& from_these, std::vector<T>* value,
                        std::vector<u64>* threshold, std::vector<i32>* alias,
                        std::vector<i32>* ends) {
    value->insert(value->end(), from_these.begin(), from_these.end());
    threshold->resize(value->size(), kSure);
    alias->resize(value->size(), 0);
    ends->push_back(size(*value));
  }
};

// Two tenants in two tiers and three classes, with patience, bounds, chains, batches, events and levels of
// every metric: on 24 GPUs every outcome occurs. With two pools the classes have them in several orders.
inline World busy_world(Tick horizon, i32 pools = 1) {
  World w;
  w.tier_rank = {0, 1, 1};
  w.tenant = {0, 1, 1};
  w.patience = {-1, 4000, -1};
  w.killed_ok = {0, 1, 0};
  w.tenant_bound = {-1, 12};
  w.pools = pools;
  w.pool_offset = pools == 1 ? std::vector<i32>{0, 1, 2, 3} : std::vector<i32>{0, 2, 4, 5};
  w.pool_list = pools == 1 ? std::vector<i32>{0, 0, 0} : std::vector<i32>{0, 1, 1, 0, 1};
  w.policy.kill_at_limit = 1;
  w.policy.max_waiting = 20;
  w.windows = Windows{horizon / 8, horizon - 2000, horizon, 5000, 1234};
  w.judge(kWaitMetric, 900000, 60);
  w.judge(kWaitMetric, 990000, 3600);
  w.judge(kTurnaroundMetric, 500000, 5000);
  w.judge(kSlowdownMetric, 800000, 3000);
  w.judge(kTurnedAwayMetric, 950000, 0);
  w.hours_from[1] = 4000;
  w.hours_to[1] = 1000;
  w.days[3] = 31;
  Origin plain;
  plain.gpus = {1, 2, 8, 25};
  plain.gap_high = 4000LL << 8;
  Origin fixed = plain;
  fixed.key += 1;
  fixed.job_class = 1;
  fixed.limit_mode = kFixed;
  fixed.limit_a = 3000;
  Origin rounded = plain;
  rounded.key += 2;
  rounded.job_class = 2;
  rounded.limit_mode = kFactor;
  rounded.limit_a = 65536;
  rounded.limit_b = 3 * 65536;
  rounded.choices = {600, 2400, 9000};
  Origin batch = plain;
  batch.key += 3;
  batch.gap_high = 12000LL << 8;
  batch.batch = {1, 3, 70};
  batch.spread = 500;
  batch.common = 40000;
  batch.job_class = 1;
  batch.service_high = 200LL << 4;
  Origin chain = rounded;
  chain.key += 4;
  chain.gap_high = 8000LL << 8;
  chain.segment = 900;
  chain.delay = 40;
  Origin event = fixed;
  event.key += 5;
  for (Tick t = 3000; t < horizon && t < 1000000; t += 9000)
    event.events.insert(event.events.end(), {t, t % 3 * 50, 6});
  for (const Origin& o : {plain, fixed, rounded, batch, chain, event}) w.generate(o);
  return w;
}

// Results of one or more runs, in the layout of ensemble.h.
struct Rows {
  i64 n, classes, slos;
  std::vector<i32> status, first_violated;
  std::vector<i64> counts, sums, slo, pool_gpu_ticks, integrals, extremes, jobs, histogram;
  std::vector<u8> passed;
  Rows(const Model& m, i64 runs) : n(runs), classes(m.classes.n), slos(m.slos.n) {
    const auto size = [](i64 length) { return static_cast<size_t>(length); };
    status.resize(size(n));
    first_violated.resize(size(n));
    counts.resize(size(n * classes * kCounts));
    sums.resize(size(n * classes * kSums));
    slo.resize(size(n * slos * kSloCounts));
    pool_gpu_ticks.resize(size(n * m.classes.pools));
    integrals.resize(size(n * kIntegrals));
    extremes.resize(size(n * kExtremes));
    jobs.resize(size(n));
    histogram.resize(size(n * classes * kBins));
    passed.resize(size(n));
  }
  bool operator==(const Rows& o) const {
    return status == o.status && first_violated == o.first_violated && counts == o.counts &&
           sums == o.sums && slo == o.slo && pool_gpu_ticks == o.pool_gpu_ticks &&
           integrals == o.integrals && extremes == o.extremes && jobs == o.jobs &&
           histogram == o.histogram && passed == o.passed;
  }
};

}  // namespace gpusim::test

// gpusim_instructions CASE JOBS: one run whose instructions are counted from outside
// (benchmarks/instructions.py). Prints the jobs submitted, the share of GPU-time used, and the mean
// wait in mean run times, so that the caller can see that the run was the right one.
//
//   mm100_fifo    M/M/100, FIFO, load .95
//   center_easy   10,000 GPUs, EASY, load .85: eleven classes of 1, 2, 4, .. 1024 GPUs, lognormal run
//                 times (sigma 1.6) with means from 2 h to 10 h, arrivals in proportion to
//                 1 / sqrt(GPUs), requests rounded up to 1, 2, 4, .. 128 h; a tick is a second
//   center_100    the same at load .95 with 100 reservations a pass
//   center_shared 10,000 GPUs, load .85, 16 tenants of equal quotas and three priorities each, which borrow, reclaim
//                 and evict; gangs in proportion to 1 / sqrt(GPUs), lognormal run times of 6 h
//
// The work of setting up is the same for any number of jobs, so it cancels in a difference of two.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../cpu/run_cell.h"
#include "../tests/runs.h"
#include "../tests/shared_world.h"
#include "laws.h"

namespace gpusim::bench {

constexpr i32 kGapShift = 8, kServiceShift = 4;   // as in test::Origin and test::World
constexpr Sizes kRoom{1024, 8192, 4096, 64, 64};  // more than any of the runs needs

struct Case {
  test::World world;
  i32 gpus;
  double gap;      // [tick] between any two jobs
  double service;  // [tick] mean run time
};

Case mm100_fifo() {
  Case c{test::World{}, 100, 100000 / 95.0, 100000};
  c.world.generate(test::Origin{});
  set_exponential(&c.world.gap_nodes, 0, std::ldexp(c.gap, kGapShift));
  set_exponential(&c.world.service_nodes, 0, std::ldexp(c.service, kServiceShift));
  return c;
}

Case center(i32 backfill, double load) {
  constexpr size_t classes = 11;
  constexpr double sigma = 1.6, hour = 3600;
  Case c{test::World{}, 10000, 0, 0};
  test::World& w = c.world;
  double share[classes], mean[classes], all = 0, work = 0;
  for (size_t k = 0; k < classes; ++k) {
    share[k] = 1 / std::sqrt(std::ldexp(1.0, static_cast<int>(k)));
    mean[k] = hour * (2 + 0.8 * static_cast<double>(k));
    all += share[k];
  }
  for (size_t k = 0; k < classes; ++k) {
    share[k] /= all;
    work += share[k] * mean[k] * std::ldexp(1.0, static_cast<int>(k));
    c.service += share[k] * mean[k];
  }
  c.gap = work / (load * c.gpus);
  w.tier_rank.assign(classes, 0);
  w.tenant.assign(classes, 0);
  w.killed_ok.assign(classes, 0);
  w.patience.assign(classes, -1);
  w.pool_list.assign(classes, 0);
  w.slo_offset.assign(classes + 1, 0);
  w.pool_offset.resize(1);
  for (size_t k = 0; k < classes; ++k) {
    test::Origin o;
    o.key += static_cast<u32>(k);
    o.job_class = static_cast<i32>(k);
    o.gpus = {1 << k};
    o.limit_mode = kFactor;
    o.limit_a = o.limit_b = 65536;
    o.choices.clear();
    for (int h = 1; h <= 128; h *= 2) o.choices.push_back(3600 * h);
    w.generate(o);
    w.pool_offset.push_back(static_cast<i32>(k + 1));
    set_exponential(&w.gap_nodes, k, std::ldexp(c.gap / share[k], kGapShift));
    set_lognormal(&w.service_nodes, k, std::ldexp(mean[k], kServiceShift), sigma);
  }
  w.policy.backfill = backfill;
  return c;
}

struct SharedCase {
  test::SharedWorld shared;
  double gap, service;
};

SharedCase center_shared(i32 tenants) {
  constexpr i32 priorities = 3;
  constexpr double load = 0.85, sigma = 1.6, hour = 3600, gpus = 10000, shares[] = {0.2, 0.3, 0.5};
  SharedCase c{test::SharedWorld(tenants, priorities), 0, 6 * hour};
  test::Origin o;
  o.gpus.clear();
  double mean_gang = 0;
  for (i32 k = 0; k < 11; ++k)
    for (int n = 0; n < static_cast<int>(32 / std::sqrt(std::ldexp(1.0, k)) + 0.5); ++n) {
      o.gpus.push_back(1 << k);
      mean_gang += 1 << k;
    }
  mean_gang /= static_cast<double>(o.gpus.size());
  c.gap = mean_gang * c.service / (load * gpus);
  o.limit_mode = kFactor;
  o.limit_a = o.limit_b = 65536;
  o.choices.clear();
  for (int h = 1; h <= 128; h *= 2) o.choices.push_back(3600 * h);
  test::World& w = c.shared.world;
  const u32 first = o.key;
  for (i32 k = 0; k < tenants * priorities; ++k) {
    o.key = first + static_cast<u32>(k);
    o.job_class = k;
    w.generate(o);
    const size_t source = static_cast<size_t>(k);
    set_exponential(&w.gap_nodes, source,
                    std::ldexp(c.gap * tenants / shares[k % priorities], kGapShift));
    set_lognormal(&w.service_nodes, source, std::ldexp(c.service, kServiceShift), sigma);
  }
  for (Tick& every : c.shared.checkpoint) every = 1800;
  w.policy.backfill = kSkip;
  return c;
}

int run(const Model& model, const i32* gpus, double service);

int run_shared(i32 tenants, double jobs) {
  SharedCase c = center_shared(tenants);
  const Tick horizon = static_cast<Tick>(c.gap * jobs);
  c.shared.world.windows = Windows{0, horizon, horizon, 86400, 0};
  for (Tick& until : c.shared.world.until) until = horizon;
  const i32 gpus = 10000;
  return run(c.shared.model(), &gpus, c.service);
}

int run(Case c, double jobs) {
  const Tick horizon = static_cast<Tick>(c.gap * jobs);
  c.world.windows = Windows{0, horizon, horizon, 86400, 0};
  for (Tick& until : c.world.until) until = horizon;
  return run(c.world.model(), &c.gpus, c.service);
}

int run(const Model& model, const i32* gpus, double service) {
  const Tick horizon = model.windows.horizon;
  test::Memory<OneLane> memory(model, kRoom);
  test::Rows rows(model, 1);
  RunResult result = test::result_of(&rows, Records{});
  result.histogram = nullptr;
  std::vector<i64> evictions(static_cast<size_t>(rows.classes * kEvictionSums) + 1);
  if (model.sharing.on) {
    result.evictions = evictions.data();
    result.cascade = &evictions.back();
  }
  const Status status = run_cell(model, Cell{0, 0, 1000000, gpus}, memory.scratch, result);
  double started = 0, wait = 0;
  for (i64 k = 0; k < rows.classes; ++k) {
    started += static_cast<double>(rows.counts[static_cast<size_t>(k * kCounts + kStartedCount)]);
    wait += static_cast<double>(rows.sums[static_cast<size_t>(k * kSums + kWaitSum)]);
  }
  const double capacity = static_cast<double>(horizon) * *gpus;
  std::printf("%d %lld %.6f %.6f\n", static_cast<int>(status), static_cast<long long>(rows.jobs[0]),
              static_cast<double>(rows.integrals[kAllocated]) / capacity, wait / started / service);
  return status == kOk ? 0 : 1;
}

}  // namespace gpusim::bench

int main(int argc, char** argv) {
  using namespace gpusim::bench;
  if (argc == 3 && std::strcmp(argv[1], "mm100_fifo") == 0)
    return run(mm100_fifo(), std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "center_easy") == 0)
    return run(center(1, 0.85), std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "center_100") == 0)
    return run(center(100, 0.95), std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "center_shared") == 0)
    return run_shared(16, std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "center_shared_64") == 0)
    return run_shared(64, std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "center_shared_4") == 0)
    return run_shared(4, std::atof(argv[2]));
  std::fprintf(
      stderr,
      "usage: gpusim_instructions mm100_fifo|center_easy|center_100|center_shared[_4|_64] JOBS\n");
  return 2;
}

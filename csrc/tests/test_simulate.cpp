// Whole runs: a published anomaly by hand, and one run through both kinds of strips.
#include "../core/simulate.h"

#include "check.h"
#include "runs.h"
#include "support.h"

namespace gpusim::test {

constexpr Sizes kRoomy{256, 256, 512, 256, 4096};

template <class S>
static std::vector<Tick> waits_of(const World& world, i32 gpus) {
  const Recorded out = record<S>(world, {gpus});
  CHECK_EQUAL(out.status, static_cast<i32>(kOk));
  std::vector<Tick> waits;
  for (size_t j = 0; j < out.start.size(); ++j) waits.push_back(out.start[j] - out.eligible[j]);
  return waits;
}

template <class S>
static Rows run_on(const Model& m, u32 replication, const std::vector<i32>& pools,
                   const Sizes& sizes = kRoomy) {
  return run<S>(m, Cell{replication, 0, 1000000, pools.data()}, sizes);
}

// EASY backfilling is not monotone: a fifth GPU makes C wait 100 ticks instead of 10, because D now
// fits before it.
TEST(easy_anomaly_by_hand) {
  World world;
  world.store({{0, 3, 10, 10}, {1, 3, 1, 1}, {1, 4, 1, 1}, {1, 2, 100, 100}});
  for (i32 general : {0, 1}) {
    world.policy.backfill = 1;
    world.policy.always_profile = general;
    CHECK(waits_of<OneLane>(world, 4) == (std::vector<Tick>{0, 9, 10, 11}));
    CHECK(waits_of<OneLane>(world, 5) == (std::vector<Tick>{0, 9, 100, 0}));
    CHECK(waits_of<Lanes>(world, 4) == (std::vector<Tick>{0, 9, 10, 11}));
    CHECK(waits_of<Lanes>(world, 5) == (std::vector<Tick>{0, 9, 100, 0}));
  }
}

// Two pools of 2 GPUs. The first job prefers pool 1, the second finds it full and takes pool 0; the third
// waits for the first pool that has room for it, which is pool 0 again, at tick 5.
TEST(pools_by_hand) {
  World world;
  world.pools = 2;
  world.pool_offset = {0, 2};
  world.pool_list = {1, 0};
  world.store({{0, 2, 9, 9}, {0, 2, 5, 5}, {0, 1, 1, 1}});
  for (i32 backfill :
       {static_cast<i32>(kNone), 1, 2, static_cast<i32>(kSkip), static_cast<i32>(kAll)}) {
    world.policy.backfill = backfill;
    const Recorded out = record<Lanes>(world, {2, 2});
    CHECK(out.pool == (std::vector<i32>{1, 0, 0}));
    CHECK(out.start == (std::vector<Tick>{0, 0, 5}));
    CHECK(out.rows.pool_gpu_ticks == (std::vector<i64>{2 * 5 + 1, 2 * 9}));
  }
}

// One GPU, passes at multiples of 4 only. The short job comes first under sjf though it came last.
TEST(period_and_sjf_by_hand) {
  World world;
  world.policy.order = kSjf;
  world.policy.period = 4;
  world.store({{0, 1, 5, 5}, {1, 1, 3, 9}, {2, 1, 2, 2}});
  const Recorded out = record<Lanes>(world, {1});
  CHECK(out.start == (std::vector<Tick>{0, 12, 8}));
}

TEST(lanes_give_the_integers_of_one_lane) {
  std::vector<i64> seen(kCounts, 0);
  i64 reserved = 0;
  for (i32 pools : {1, 2}) {
    World world = busy_world(60000, pools);
    for (i32 backfill :
         {static_cast<i32>(kNone), 1, 3, static_cast<i32>(kSkip), static_cast<i32>(kAll)})
      for (i32 gpus : {8, 16, 24})
        for (i32 variant : {0, 1, 2, 3}) {
          world.policy.backfill = backfill;
          world.early = variant == 1;
          world.policy.order = variant == 2 ? kSjf : kFifo;
          world.policy.period = variant == 3 ? 30 : 1;
          world.policy.window = variant == 3 ? 2000 : -1;
          world.policy.max_tests = variant == 3 ? 10 : -1;
          const std::vector<i32> on(static_cast<size_t>(pools), gpus);
          const Model m = world.model();
          const Rows one = run_on<OneLane>(m, 1, on);
          CHECK_EQUAL(one.status[0], static_cast<i32>(kOk));
          CHECK(one == run_on<Lanes>(m, 1, on));
          reserved += backfill > 0;
          if (world.early) continue;
          for (size_t i = 0; i < one.counts.size(); ++i) seen[i % kCounts] += one.counts[i];
          i64 waits = 0, started = 0;  // the histogram holds each counted start once
          for (i64 n : one.histogram) waits += n;
          for (size_t i = kStartedCount; i < one.counts.size(); i += kCounts)
            started += one.counts[i];
          CHECK_EQUAL(waits, started);
        }
  }
  CHECK(reserved > 0);
  for (i64 n : seen) CHECK(n > 0);  // every outcome occurs
}

// EASY, and passes that stop behind the last job that may start, against the pass that asks for everybody.
TEST(general_pass_gives_the_integers_of_the_fast_ones) {
  for (i32 pools : {1, 2}) {
    World world = busy_world(60000, pools);
    for (i32 backfill : {1, 2, 5, 100, static_cast<i32>(kAll)})
      for (i32 gpus = 8; gpus < 30; gpus += 3)
        for (i32 variant : {0, 1, 2, 3}) {
          const std::vector<i32> on(static_cast<size_t>(pools), gpus);
          world.policy.backfill = backfill;
          world.policy.order = variant == 1 ? kSjf : kFifo;
          world.policy.max_tests = variant == 2 ? 6 : -1;
          world.policy.kill_at_limit = variant == 3 ? 0 : 1;  // some are overdue
          world.policy.max_waiting = variant == 3 ? -1 : 20;
          world.policy.always_profile = 0;
          const Rows fast = run_on<OneLane>(world.model(), 2, on);
          CHECK_EQUAL(fast.status[0], static_cast<i32>(kOk));
          world.policy.always_profile = 1;
          CHECK(fast == run_on<OneLane>(world.model(), 2, on));
        }
  }
}

TEST(an_early_run_has_the_verdict_of_the_whole_run) {
  for (i32 pools : {1, 2})
    for (i32 gpus = 6; gpus < 120; gpus += 9) {
      World world = busy_world(60000, pools);
      world.policy.backfill = 1;
      const std::vector<i32> on(static_cast<size_t>(pools), gpus);
      const Rows whole = run_on<OneLane>(world.model(), 3, on);
      world.early = 1;
      const Rows early = run_on<Lanes>(world.model(), 3, on);
      CHECK_EQUAL(static_cast<i32>(early.passed[0]), static_cast<i32>(whole.passed[0]));
      CHECK_EQUAL(early.first_violated[0] < 0, early.passed[0] == 1);
    }
}

// What levels will judge is counted over all jobs of the run, which may be millions: a slice ends amidst them, too.
TEST(counting_ahead_is_cut_into_slices) {
  constexpr i64 slice = 10;
  World world = busy_world(60000);
  world.policy.backfill = 1;
  world.early = 1;
  const Model m = world.model();
  const i32 gpus = 6;
  const Cell cell{3, 0, 1000000, &gpus};
  Memory<Lanes> memory(m, kRoomy);
  Scratch<Lanes>& scratch = memory.scratch;
  Rows rows(m, 1);
  const RunResult result = result_of(&rows, Records{});
  Simulation<Lanes> run;
  begin(m, cell, scratch, result, &run);
  i64 counting = 0;
  do {
    const i64 before = scratch.counting ? scratch.ahead.position : 0;
    run.budget = slice;
    resume(m, cell, scratch, result, &run);
    rows.status[0] = go_on(scratch, &run);
    if (!scratch.counting) continue;
    CHECK(scratch.ahead.position - before <= slice);
    ++counting;
  } while (rows.status[0] == kPaused);
  CHECK(counting > 20);
  CHECK(rows == run_on<OneLane>(m, 3, {gpus}));
}

TEST(too_little_room_is_a_status) {
  World world = busy_world(60000);
  world.policy.backfill = kAll;
  world.policy.max_waiting = -1;
  world.tenant_bound = {-1, -1};
  world.patience = {-1, -1, -1};
  const Model m = world.model();
  CHECK_EQUAL(run_on<Lanes>(m, 0, {8}, Sizes{32, 64, 512, 256, 256}).status[0],
              static_cast<i32>(kQueueFull));
  CHECK_EQUAL(run_on<Lanes>(m, 0, {8}, Sizes{32, 8192, 4, 256, 256}).status[0],
              static_cast<i32>(kProfileFull));
  World wide;
  for (i32 j = 0; j < 40; ++j) wide.store({{j, 1, 1000, 1000}});
  CHECK_EQUAL(run_on<Lanes>(wide.model(), 0, {64}, Sizes{32, 64, 4, 32, 0}).status[0],
              static_cast<i32>(kRunningFull));
}

TEST(a_raised_flag_stops_the_run) {
  const World world = busy_world(60000);
  Model m = world.model();
  const i32 raised = 1;
  m.stop = &raised;
  CHECK_EQUAL(run_on<OneLane>(m, 0, {16}).status[0], static_cast<i32>(kCancelled));
  CHECK_EQUAL(run_on<Lanes>(m, 0, {16}).status[0], static_cast<i32>(kCancelled));
}

TEST(histogram_bins_are_ordered_and_narrow) {
  i32 bin = 0;
  Tick first = 0;  // of the bin
  const auto visit = [&](Tick wait) {
    const i32 b = wait_bin(wait);
    if (b == bin) return;
    CHECK_EQUAL(b, bin + 1);
    CHECK((wait - first) * 128 <= greatest<Tick>(first, 128));  // width of the bin that ends here
    bin = b;
    first = wait;
  };
  for (Tick wait = 0; wait < 1 << 16; ++wait) visit(wait);
  for (i32 s = 9; s < 33; ++s)  // then the ends of every bin
    for (Tick m = 128; m < 256; ++m) {
      visit((m << s) - 1);
      visit(m << s);
    }
  CHECK_EQUAL(wait_bin((1LL << 40) - 1), kBins - 1);
  CHECK_EQUAL(wait_bin(1LL << 40), kBins - 1);
  CHECK_EQUAL(wait_bin((1LL << 43) - 1), kBins - 1);
}

}  // namespace gpusim::test

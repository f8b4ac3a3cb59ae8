// Whole runs: a published anomaly by hand, and one run through both kinds of strips.
#include "../core/simulate.h"

#include "check.h"
#include "support.h"

namespace gpusim::test {

template <class S>
static Rows run(const Model& m, const Cell& cell, const Sizes& sizes,
                std::vector<Tick>* waits = nullptr) {
  Memory<S> memory(m, sizes);
  Rows rows(m, 1);
  std::vector<Tick> submit(64, -1), start(64, -1), end(64, -1);
  std::vector<i32> gpus(64), job_class(64);
  std::vector<u8> outcome(64);
  Records records{};
  if (waits)
    records = Records{submit.data(), start.data(),     end.data(),
                      gpus.data(),   job_class.data(), outcome.data()};
  const RunResult result{
      rows.counts.data(),    rows.sums.data(), rows.slo.data(),    rows.integrals.data(),
      rows.extremes.data(),  rows.jobs.data(), rows.passed.data(), rows.first_violated.data(),
      rows.histogram.data(), records};
  rows.status[0] = simulate<S>(m, cell, memory.scratch, result);
  for (size_t j = 0; waits && j < static_cast<size_t>(rows.jobs[0]); ++j)
    waits->push_back(start[j] - submit[j]);
  return rows;
}

constexpr Sizes kRoomy{256, 256, 512};

template <class S>
static std::vector<Tick> waits_of(const World& world, i32 gpus) {
  std::vector<Tick> waits;
  CHECK_EQUAL(run<S>(world.model(), Cell{0, gpus}, kRoomy, &waits).status[0],
              static_cast<i32>(kOk));
  return waits;
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

TEST(lanes_give_the_integers_of_one_lane) {
  World world = busy_world(200000);
  std::vector<i64> seen(kCounts, 0);
  for (i32 backfill :
       {static_cast<i32>(kNone), 1, 3, static_cast<i32>(kSkip), static_cast<i32>(kAll)})
    for (i32 gpus : {8, 16, 24})
      for (i32 early : {0, 1}) {
        world.policy.backfill = backfill;
        world.early = early;
        const Rows one = run<OneLane>(world.model(), Cell{1, gpus}, kRoomy);
        CHECK_EQUAL(one.status[0], static_cast<i32>(kOk));
        CHECK(one == run<Lanes>(world.model(), Cell{1, gpus}, kRoomy));
        if (early) continue;
        for (size_t i = 0; i < one.counts.size(); ++i) seen[i % kCounts] += one.counts[i];
        i64 waits = 0, started = 0;  // the histogram holds each counted start once
        for (i64 n : one.histogram) waits += n;
        for (size_t i = kStartedCount; i < one.counts.size(); i += kCounts)
          started += one.counts[i];
        CHECK_EQUAL(waits, started);
      }
  for (i64 n : seen) CHECK(n > 0);  // every outcome occurs
}

TEST(general_profile_gives_the_integers_of_easy) {
  World world = busy_world(60000);
  world.policy.backfill = 1;
  for (i32 gpus = 8; gpus < 24; gpus += 3) {
    world.policy.always_profile = 0;
    const Rows easy = run<OneLane>(world.model(), Cell{2, gpus}, kRoomy);
    world.policy.always_profile = 1;
    CHECK(easy == run<OneLane>(world.model(), Cell{2, gpus}, kRoomy));
  }
}

TEST(too_little_room_is_a_status) {
  World world = busy_world(60000);
  world.policy.backfill = kAll;
  const Model m = world.model();
  CHECK_EQUAL(run<Lanes>(m, Cell{0, 400}, Sizes{32, 8, 512}).status[0], static_cast<i32>(kOk));
  CHECK_EQUAL(run<Lanes>(m, Cell{0, 8}, Sizes{32, 4, 512}).status[0], static_cast<i32>(kQueueFull));
  CHECK_EQUAL(run<Lanes>(m, Cell{0, 8}, Sizes{32, 256, 4}).status[0],
              static_cast<i32>(kProfileFull));
  World wide;
  for (i32 j = 0; j < 40; ++j) wide.store({{j, 1, 1000, 1000}});
  CHECK_EQUAL(run<Lanes>(wide.model(), Cell{0, 64}, Sizes{32, 64, 4}).status[0],
              static_cast<i32>(kRunningFull));
}

TEST(a_raised_flag_stops_the_run) {
  const World world = busy_world(60000);
  Model m = world.model();
  const i32 raised = 1;
  m.stop = &raised;
  CHECK_EQUAL(run<OneLane>(m, Cell{0, 16}, kRoomy).status[0], static_cast<i32>(kCancelled));
  CHECK_EQUAL(run<Lanes>(m, Cell{0, 16}, kRoomy).status[0], static_cast<i32>(kCancelled));
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

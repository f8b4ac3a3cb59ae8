// Threads: the same integers for any number of them, cancelling, errors, and none left behind. Run
// under the thread sanitizer too.
#include "../cpu/ensemble.h"

#include <dirent.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "../core/status.h"
#include "check.h"
#include "support.h"

namespace gpusim::test {

struct Batch {  // replications 0 .. 3 of a world at several capacities
  std::vector<i64> replication, demand_ppm;
  std::vector<i32> gpus, draw;
  Model model;
  Rows rows;
  i64 reruns = 0;

  Batch(const World& world, i64 n) : model(world.model()), rows(model, n) {
    for (i64 i = 0; i < n; ++i) {
      replication.push_back(i % 4);
      draw.push_back(0);
      demand_ppm.push_back(1000000 + i * 10000);
      for (i32 p = 0; p < world.pools; ++p) gpus.push_back(static_cast<i32>(6 + i / 4 + 9 * p));
    }
  }

  EnsembleReport run(i32 threads, i32 lanes, const Sizes& sizes,
                     const std::function<bool(i64, i64)>& poll) {
    Ensemble e{};
    e.model = model;
    e.n = rows.n;
    e.replication = replication.data();
    e.gpus = gpus.data();
    e.draw = draw.data();
    e.demand_ppm = demand_ppm.data();
    e.out = Outputs{rows.status.data(),
                    rows.counts.data(),
                    rows.sums.data(),
                    rows.slo.data(),
                    rows.pool_gpu_ticks.data(),
                    rows.integrals.data(),
                    rows.extremes.data(),
                    rows.jobs.data(),
                    rows.passed.data(),
                    rows.first_violated.data(),
                    rows.histogram.data(),
                    nullptr,
                    nullptr,
                    nullptr,
                    nullptr,
                    Records{}};
    e.sizes = sizes;
    e.lanes = lanes;
    e.threads = threads;
    return run_ensemble(e, poll);
  }
};

constexpr Sizes kRoomy{256, 256, 512, 256, 1024}, kTiny{32, 64, 4, 32, 1};

static bool go_on(i64, i64) { return true; }

static World short_world() {
  World world = busy_world(40000, 2);
  world.policy.backfill = 2;
  world.policy.max_waiting = -1;
  world.tenant_bound = {-1, -1};
  return world;
}

// A world whose runs take far longer than any test may: only cancelling ends them.
static World endless_world() {
  World world = busy_world(1LL << 42);
  world.policy.backfill = 1;
  return world;
}

static int threads_of_this_process() {
  int n = 0;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* entry = tasks ? readdir(tasks) : nullptr) n += entry->d_name[0] != '.';
  if (tasks) closedir(tasks);
  return n;
}

// The kernel takes a moment to forget a thread that has been joined.
static bool back_to(int threads) {
  for (int i = 0; i < 500 && threads_of_this_process() > threads; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return threads_of_this_process() <= threads;
}

TEST(results_do_not_depend_on_threads) {
  const World world = short_world();
  Batch one(world, 24), three(world, 24);
  CHECK_EQUAL(one.run(1, 1, kRoomy, go_on).done, 24);
  CHECK_EQUAL(three.run(3, 1, kRoomy, go_on).done, 24);
  CHECK(one.rows == three.rows);
}

TEST(forced_overflow_gives_the_integers_of_a_roomy_run) {
  const World world = short_world();
  Batch roomy(world, 12), tight(world, 12), lanes(world, 12);
  CHECK_EQUAL(roomy.run(2, 1, kRoomy, go_on).reruns, 0);
  CHECK(tight.run(2, 1, kTiny, go_on).reruns >= 3);
  CHECK(lanes.run(2, kLanes, kTiny, go_on).reruns >= 3);
  CHECK(roomy.rows == tight.rows);
  CHECK(roomy.rows == lanes.rows);
}

TEST(more_threads_than_cells_and_no_cells_at_all) {
  const World world = short_world();
  Batch one(world, 1), none(world, 0);
  CHECK_EQUAL(one.run(8, 1, kRoomy, go_on).done, 1);
  CHECK_EQUAL(none.run(8, 1, kRoomy, go_on).done, 0);
}

TEST(a_refusing_poll_cancels) {
  const int before = threads_of_this_process();
  const World world = endless_world();
  Batch batch(world, 8);
  int calls = 0;
  const auto begin = std::chrono::steady_clock::now();
  const EnsembleReport report = batch.run(3, 1, kRoomy, [&](i64 done, i64 n) {
    CHECK_EQUAL(done, 0);
    CHECK_EQUAL(n, 8);
    return ++calls < 3;
  });
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  CHECK(calls >= 3);
  CHECK_EQUAL(report.done, 0);
  for (size_t i = 0; i < 8; ++i)
    CHECK_EQUAL(batch.rows.status[i], static_cast<i32>(i < 3 ? kCancelled : kNotRun));
  CHECK(back_to(before));
}

TEST(an_exception_of_the_poll_arrives) {
  const int before = threads_of_this_process();
  const World world = endless_world();
  Batch batch(world, 8);
  std::string caught;
  try {
    batch.run(3, kLanes, kRoomy, [](i64, i64) -> bool { throw std::runtime_error("from poll"); });
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  CHECK(caught == "from poll");
  CHECK(back_to(before));
}

TEST(there_is_at_least_one_usable_core) {
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores("/nowhere") >= 1);
}

}  // namespace gpusim::test

// Offered load by hand, the same for any number of threads, and given up when the caller says so.
#include "../cpu/offered.h"

#include <vector>

#include "check.h"
#include "support.h"

namespace gpusim::test {

struct Load {
  std::vector<i64> held, asked;
  i64 completed;
};

static Load offered(const World& world, i64 n, i64 instants, i32 shift, i32 threads, bool go_on) {
  std::vector<i64> replication, demand(static_cast<size_t>(n), 1000000);
  std::vector<i32> draw(static_cast<size_t>(n), 0), gpus(static_cast<size_t>(n * world.pools), 0);
  for (i64 i = 0; i < n; ++i) replication.push_back(world.submit.empty() ? i : 0);
  Ensemble e{};
  e.model = world.model();
  e.n = n;
  e.replication = replication.data();
  e.draw = draw.data();
  e.demand_ppm = demand.data();
  e.gpus = gpus.data();
  e.threads = threads;
  const u8 marked[] = {1};
  Load load{std::vector<i64>(static_cast<size_t>(n * instants), -1),
            std::vector<i64>(static_cast<size_t>(n * instants), -1), 0};
  const OfferedLoad out{shift, instants, marked, load.held.data(), load.asked.data()};
  load.completed = offered_load(e, out, [go_on](i64, i64) { return go_on; });
  return load;
}

TEST(offered_load_of_a_chain_and_of_a_killed_job) {
  World world;
  world.policy.kill_at_limit = 1;
  world.store({{0, 2, 4, 4, 0, kLeads, 0},
               {1, 5, 3, 9, 0, kFollows, 2},  // eligible at 6, ends at 9
               {3, 1, 50, 5, -1, 0, 0}});     // killed at 8
  world.windows = Windows{1, 10, 12, 86400, 0};
  const Load load = offered(world, 1, 6, 1, 1, true);
  CHECK_EQUAL(load.completed, 1);
  const i64 held[] = {2, 2, 1, 6, 5, 0};  // at ticks 0, 2, .. 10
  const i64 asked[] = {0, 5, 1, 0, 0, 0};
  for (size_t k = 0; k < 6; ++k) {
    CHECK_EQUAL(load.held[k], held[k]);
    CHECK_EQUAL(load.asked[k], asked[k]);
  }
}

TEST(offered_load_does_not_depend_on_threads) {
  World world;
  world.generate(Origin{});
  world.windows = Windows{1000, 90000, 100000, 86400, 0};
  const Load one = offered(world, 20, 400, 8, 1, true), many = offered(world, 20, 400, 8, 4, true);
  CHECK_EQUAL(one.completed, 20);
  CHECK_EQUAL(many.completed, 20);
  CHECK(one.held == many.held);
  CHECK(one.asked == many.asked);
}

TEST(a_refusing_poll_ends_offered_load) {
  World world;
  Origin busy;
  busy.gap_high = 1LL << 8;
  world.generate(busy);
  world.windows = Windows{0, 1LL << 33, 1LL << 33, 86400, 0};  // more jobs than anybody waits for
  CHECK(offered(world, 100, 16, 30, 2, false).completed < 100);
}

}  // namespace gpusim::test

// First come, first served job by job: which models are served so, and that they get the loop's integers.
#include "../core/fifo.h"

#include "check.h"
#include "runs.h"
#include "support.h"

namespace gpusim::test {

// One tier, nobody refused or impatient, no chains; everything else as in the busy world.
static World orderly_world(Tick horizon) {
  World world = busy_world(horizon);
  world.tier_rank = {0, 0, 0};
  world.patience = {-1, -1, -1};
  world.tenant_bound = {-1, -1};
  world.policy.max_waiting = -1;
  for (Tick& segment : world.segment) segment = 0;
  return world;
}

static bool in_order(const World& world) {
  const i32 gpus[] = {24, 24};
  return first_come_first_served(world.model(), Cell{0, 0, 1000000, gpus});
}

TEST(only_plain_centers_are_served_in_order) {
  const World plain = orderly_world(60000);
  CHECK(in_order(plain));
  const auto changed = [&](auto change) {
    World world = plain;
    change(world);
    return in_order(world);
  };
  CHECK(!in_order(busy_world(60000)));
  CHECK(!changed([](World& w) { w.policy.always_events = 1; }));
  CHECK(!changed([](World& w) { w.policy.order = kSjf; }));
  CHECK(!changed([](World& w) { w.policy.backfill = 1; }));
  CHECK(!changed([](World& w) { w.policy.backfill = kSkip; }));
  CHECK(!changed([](World& w) { w.policy.period = 2; }));
  CHECK(!changed([](World& w) { w.policy.max_tests = 3; }));
  CHECK(!changed([](World& w) { w.policy.max_waiting = 0; }));
  CHECK(!changed([](World& w) { w.tenant_bound[1] = 5; }));
  CHECK(!changed([](World& w) { w.patience[2] = 0; }));
  CHECK(!changed([](World& w) { w.tier_rank[1] = 1; }));
  CHECK(!changed([](World& w) { w.segment[4] = 900; }));
  CHECK(!changed([](World& w) { w.pool_offset[3] = 2; }));  // a class without a pool
  CHECK(!changed([](World& w) { w.early = 1; }));
}

TEST(served_in_order_gives_the_integers_of_the_loop) {
  World world = orderly_world(200000);
  i64 most_waiting = 0, rejected = 0;
  for (i32 kill : {0, 1})
    for (i32 gpus : {0, 1, 8, 24, 25, 60, 300}) {
      const std::vector<i32> on{gpus};
      const Cell cell{3, 0, 1000000, on.data()};
      const Sizes roomy{512, 8192, 64, 64, 0};
      world.policy.kill_at_limit = kill;
      world.policy.always_events = 1;
      const Rows loop = run<OneLane>(world.model(), cell, roomy);
      CHECK_EQUAL(loop.status[0], static_cast<i32>(kOk));
      world.policy.always_events = 0;
      CHECK(in_order(world));
      CHECK(loop == run<OneLane>(world.model(), cell, roomy));
      CHECK(loop == run<Lanes>(world.model(), cell, roomy));
      most_waiting = greatest(most_waiting, loop.extremes[kMaxWaiting]);
      rejected += loop.counts[kRejectedCount];
    }
  CHECK(most_waiting > 100);
  CHECK(rejected > 0);
}

}  // namespace gpusim::test

// Tenants that share a center: the same integers through host strips and emulated lanes, by passes that look at everybody
// and by those that do not, and none that a sanitizer would not allow.
#include "check.h"
#include "runs.h"
#include "shared_world.h"

namespace gpusim::test {

struct Shared {
  Rows rows;
  std::vector<i64> evictions, causes, idle;
  i64 cascade;
};

static SharedWorld crowd(i32 tenants, i32 backfill) {
  SharedWorld shared(tenants, 3);
  Origin o;
  o.gpus = {1, 2, 3, 5, 8};
  const u32 first = o.key;
  for (i32 c = 0; c < 3 * tenants; ++c) {
    o.key = first + static_cast<u32>(c);
    o.job_class = c;
    shared.world.generate(o);
  }
  for (size_t c = 0; c < shared.exempt.size(); ++c) {
    shared.exempt[c] = 40 * static_cast<Tick>(c % 2);
    shared.grace[c] = static_cast<Tick>(c % 3);
    shared.checkpoint[c] = c % 3 == 0 ? 0 : 300;
    shared.cost[c] = static_cast<Tick>(c % 2);
    shared.restart[c] = 5;
    shared.requeue[c] = static_cast<u8>(c % 3);
  }
  shared.reclaim[0] = kReclaimNever;
  shared.strict[static_cast<size_t>(tenants) - 1] = 1;
  shared.world.policy.backfill = backfill;
  return shared;
}

template <class S>
static Shared run_shared(const SharedWorld& world, Tick horizon, i32 capacity, bool everybody) {
  Model m = world.model();
  m.windows = Windows{horizon / 10, horizon, horizon, 86400, 0};
  m.policy.always_profile = everybody;
  m.sharing.borrowers_last = m.policy.order != kWeightedShare;
  Shared out{Rows(m, 1), std::vector<i64>(static_cast<size_t>(m.classes.n * kEvictionSums)),
             std::vector<i64>(static_cast<size_t>(m.classes.n * kCauses)), std::vector<i64>(kIdles),
             0};
  Memory<S> memory(m, Sizes{256, 1024, 1024, 64, 64});
  RunResult result = result_of(&out.rows, Records{});
  result.evictions = out.evictions.data();
  result.causes = out.causes.data();
  result.idle = out.idle.data();
  result.cascade = &out.cascade;
  CHECK_EQUAL(simulate<S>(m, Cell{0, 0, 1000000, &capacity}, memory.scratch, result), kOk);
  return out;
}

static bool same(const Shared& a, const Shared& b) {
  return a.rows.counts == b.rows.counts && a.rows.sums == b.rows.sums &&
         a.rows.integrals == b.rows.integrals && a.evictions == b.evictions &&
         a.causes == b.causes && a.idle == b.idle && a.cascade == b.cascade;
}

TEST(shared_centers_have_the_same_integers_on_every_path) {
  i64 evicted = 0;
  for (const i32 backfill : {0, -1, -2, 1, 3}) {  // kNone, kSkip, kAll, K
    const SharedWorld world = crowd(4, backfill);
    for (const i32 capacity : {20, 60}) {
      const Shared one = run_shared<OneLane>(world, 60000, capacity, false);
      CHECK(same(one, run_shared<WarpStrips<EmulatedLanes>>(world, 60000, capacity, false)));
      CHECK(same(one, run_shared<OneLane>(world, 60000, capacity, true)));
      i64 waited = 0;
      for (size_t i = 0; i < one.causes.size(); ++i)
        waited += i % kCauses == kHeldCause ? 0 : one.causes[i];
      CHECK_EQUAL(waited, one.rows.integrals[kWaitingGpus]);  // R35
      for (size_t i = 0; i < one.evictions.size(); i += kEvictionSums) evicted += one.evictions[i];
    }
  }
  CHECK(evicted > 100);
}

TEST(fair_orders_have_the_same_integers_on_every_path) {
  std::vector<std::vector<i64>> sums;
  for (i32 order = kFifo; order <= kWeightedShare; ++order) {
    for (const i32 backfill : {-1, 1}) {
      SharedWorld world = crowd(4, backfill);
      world.order_by(order);
      const Shared one = run_shared<OneLane>(world, 40000, 30, false);
      CHECK(same(one, run_shared<WarpStrips<EmulatedLanes>>(world, 40000, 30, false)));
      CHECK(same(one, run_shared<OneLane>(world, 40000, 30, true)));
      if (backfill < 0) sums.push_back(one.rows.sums);
    }
  }
  for (size_t a = 0; a < sums.size(); ++a)
    for (size_t b = 0; b < a; ++b) CHECK(sums[a] != sums[b]);  // each order is one of its own
}

}  // namespace gpusim::test

// Fair orders: keys of fixed point, decay, ranks in a tree of accounts.
#include "../core/fairness.h"

#include <algorithm>

#include "check.h"
#include "shared_world.h"

namespace gpusim::test {

TEST(level_keys_are_usage_over_weight_and_saturate) {
  CHECK_EQUAL(level_key(0, 1), 0);
  CHECK_EQUAL(level_key(0, 0), 1LL << 62);
  CHECK_EQUAL(level_key(1, 3), kOne / 3);
  CHECK_EQUAL(level_key(10, 5), 2 * kOne);
  const i64 heaviest = (1LL << 31) - 1;
  CHECK_EQUAL(level_key(1, heaviest), 0);
  CHECK_EQUAL(level_key(1LL << 61, heaviest),
              (((1LL << 61) / heaviest) << 20) + (((1LL << 61) % heaviest) << 20) / heaviest);
  const i64 most = (1LL << 62) - 1;
  CHECK_EQUAL(level_key((1LL << 42) - 1, 1), ((1LL << 42) - 1) << 20);
  CHECK_EQUAL(level_key(1LL << 42, 1), most);
  CHECK_EQUAL(level_key(most, 1), most);
  CHECK(level_key(most, 1) < level_key(0, 0));
}

TEST(usage_decays_by_the_floor_of_the_product) {
  CHECK_EQUAL(decayed(1000, 1LL << 32), 1000);
  CHECK_EQUAL(decayed(1000, 0), 0);
  CHECK_EQUAL(decayed(1, (1LL << 32) - 1), 0);
  CHECK_EQUAL(decayed(7, 1LL << 31), 3);
  const i64 most = (1LL << 62) - 1;
  CHECK_EQUAL(decayed(most, 1LL << 32), most);
  CHECK_EQUAL(decayed(most, 1LL << 31), most / 2);
  CHECK_EQUAL(decayed(most, 1), (1LL << 30) - 1);
  Random random(3);
  for (i32 i = 0; i < 1000; ++i) {  // halves of the factor, which need no 128 bits
    const i64 usage = random.between(0, 1LL << 30), left = random.between(0, 1LL << 32);
    CHECK_EQUAL(decayed(usage, left), usage * left >> 32);
  }
}

// Paths of level keys from the top down, sorted and ranked as S31 says.
static std::vector<i64> ranks_by_paths(const Fairness& f, i32 tenants, std::vector<i64> usage) {
  usage.resize(static_cast<size_t>(f.nodes), 0);
  for (i32 t = 0; t < tenants; ++t)
    for (i32 n = f.parent[t]; n >= 0; n = f.parent[n])
      usage[static_cast<size_t>(n)] += usage[static_cast<size_t>(t)];
  std::vector<std::pair<std::vector<i64>, i32>> paths;
  for (i32 t = 0; t < tenants; ++t) {
    std::vector<i64> path;
    for (i32 n = t; n >= 0; n = f.parent[n])
      path.insert(path.begin(), level_key(usage[static_cast<size_t>(n)], f.weight[n]));
    paths.push_back({path, t});
  }
  std::sort(paths.begin(), paths.end());
  std::vector<i64> rank(static_cast<size_t>(tenants));
  i64 last = 0;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::vector<i64>&own = paths[i].first, &before = paths[i > 0 ? i - 1 : 0].first;
    const bool tied =
        before.size() <= own.size() && std::equal(before.begin(), before.end(), own.begin());
    if (!tied) last = static_cast<i64>(i);
    rank[static_cast<size_t>(paths[i].second)] = last;
  }
  return rank;
}

template <class S>
static void compare_ranks(u64 seed) {
  Random random(seed);
  const i32 tenants = random.small(1, 40), accounts = random.small(0, 12);
  SharedWorld world(tenants, 1);
  world.order_by(kFairTree);
  world.weight.clear();
  world.account.clear();
  for (i32 n = 0; n < tenants + accounts; ++n) {
    const i32 first = greatest(tenants, n + 1), last = tenants + accounts - 1;
    world.account.push_back(first > last || random.small(0, 3) == 0 ? -1
                                                                    : random.small(first, last));
    world.weight.push_back(random.small(0, 3));
  }
  world.fairness.period = 10;
  world.fairness.left = random.small(0, 1) ? 1LL << 32 : 1LL << 31;
  const Model m = world.model();
  Memory<S> memory(m, Sizes{32, 64, 4, 32, 0});
  Fair<S>& fair = memory.scratch.center.tenants.fair;
  fair.model = &m;
  const i32 capacity = 1000;
  fair.clear(&capacity, 1);
  std::vector<i64> usage(static_cast<size_t>(tenants), 0), busy = usage, recent = usage;
  for (Tick now = 0; now < 60; ++now) {
    if (now > 0 && now % 10 == 0)
      for (size_t t = 0; t < usage.size(); ++t) {
        usage[t] = decayed(usage[t], m.fairness.left) + recent[t];
        recent[t] = 0;
      }
    for (i32 changes = random.small(0, 3); changes > 0; --changes) {
      const i32 t = random.small(0, tenants - 1), gpus = random.small(0, 2);
      fair.use(t, gpus - busy[static_cast<size_t>(t)], now);
      busy[static_cast<size_t>(t)] = gpus;
    }
    if (random.small(0, 2) == 0) {
      fair.refresh(now);
      const std::vector<i64> expected = ranks_by_paths(m.fairness, tenants, usage);
      CHECK_EQUAL(fair.next, (now / 10 + 1) * 10);
      for (size_t t = 0; t < expected.size(); ++t)
        if (!CHECK_EQUAL(fair.key[t], expected[t])) return;
    }
    for (size_t t = 0; t < usage.size(); ++t) recent[t] += busy[t];
  }
}

TEST(ranks_in_a_tree_of_accounts_follow_paths_of_level_keys) {
  for (u64 seed = 0; seed < 60; ++seed) {
    compare_ranks<OneLane>(seed);
    compare_ranks<Lanes>(seed);
  }
}

}  // namespace gpusim::test

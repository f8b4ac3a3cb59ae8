// Tenants of equal quotas in one cohort, in one pool, each with a class of every priority.
#pragma once
#include <vector>

#include "support.h"

namespace gpusim::test {

struct SharedWorld {
  World world;
  std::vector<i32> parent, root, bottom_up, threshold, priority, rising, user_offset;
  std::vector<i64> amount, most_gpus, most_jobs, user_most_gpus, user_most_jobs, weight, qos;
  std::vector<i32> account;
  std::vector<u8> is_share, strict, within, reclaim, borrows, preemptible, urgent, requeue;
  std::vector<Tick> exempt, grace, checkpoint, cost, restart;
  Fairness fairness{};

  // A fair order: the last tenants hang below two accounts, one inside the other; one weighs nothing.
  void order_by(i32 order) {
    const i32 tenants = static_cast<i32>(strict.size());
    weight.assign(at(tenants) + 2, 3);
    account.assign(at(tenants) + 2, -1);
    for (i32 t = 1; t < tenants; ++t) account[at(t)] = tenants + t % 2;
    account[at(tenants)] = tenants + 1;
    weight[at(tenants) - 1] = 0;
    weight[0] = 2;
    qos.assign(priority.size(), 0);
    qos[0] = kOne / 2;
    fairness.period = 700;
    fairness.left = 3LL << 30;
    fairness.w_age = fairness.w_qos = 1000;
    fairness.w_fairshare = fairness.w_size = 500;
    fairness.max_age = 5000;
    world.policy.order = order;
  }

  // Classes of tenant 0 from the highest priority down, of tenant 1, .. All but the highest may be evicted.
  SharedWorld(i32 tenants, i32 priorities) {
    const i32 nodes = tenants + 1, classes = tenants * priorities;
    World& w = world;
    w.tier_rank.clear();
    w.tenant.clear();
    w.pool_offset = {0};
    w.pool_list.clear();
    w.killed_ok.assign(at(classes), 0);
    w.patience.assign(at(classes), -1);
    w.slo_offset.assign(at(classes) + 1, 0);
    w.tenant_bound.assign(at(tenants), -1);
    for (i32 c = 0; c < classes; ++c) {
      const i32 rank = c % priorities;
      w.tier_rank.push_back(rank);
      w.tenant.push_back(c / priorities);
      w.pool_list.push_back(0);
      w.pool_offset.push_back(c + 1);
      priority.push_back(priorities - 1 - rank);
      preemptible.push_back(rank > 0 ? 1 : 0);
    }
    for (i32 p = 0; p < priorities; ++p)
      for (i32 c = 0; c < classes; ++c)
        if (priority[at(c)] == p) rising.push_back(c);
    parent.assign(at(nodes), tenants);
    parent.back() = -1;
    root.assign(at(nodes), tenants);
    for (i32 n = 0; n < nodes; ++n) bottom_up.push_back(n);
    amount.assign(at(kAmounts * nodes), kNoAmount);
    for (i32 t = 0; t < tenants; ++t) amount[at(t)] = 1000000 / tenants;
    amount[at(tenants)] = 0;
    is_share.assign(at(kAmounts * nodes), 0);
    for (i32 t = 0; t < tenants; ++t) is_share[at(t)] = 1;
    most_gpus.assign(at(tenants), kNoAmount);
    most_jobs = user_most_gpus = user_most_jobs = most_gpus;
    user_offset.assign(at(tenants) + 1, 0);
    strict.assign(at(tenants), 0);
    within.assign(at(tenants), kWithinLower);
    reclaim.assign(at(tenants), kReclaimAny);
    borrows.assign(at(tenants), 0);
    threshold.assign(at(tenants), 0);
    urgent.assign(at(classes), 0);
    requeue.assign(at(classes), kPlace);
    exempt.assign(at(classes), 0);
    grace = checkpoint = cost = restart = exempt;
  }

  Model model() const {
    Model m = world.model();
    Sharing& s = m.sharing;
    s = Sharing{1,
                1,
                static_cast<i32>(parent.size()),
                -1,
                1,
                parent.data(),
                root.data(),
                bottom_up.data(),
                amount.data(),
                is_share.data(),
                strict.data(),
                within.data(),
                reclaim.data(),
                borrows.data(),
                threshold.data(),
                most_gpus.data(),
                most_jobs.data(),
                user_offset.back() > 0,
                user_offset.data(),
                user_most_gpus.data(),
                user_most_jobs.data(),
                priority.data(),
                rising.data(),
                preemptible.data(),
                urgent.data(),
                requeue.data(),
                exempt.data(),
                grace.data(),
                checkpoint.data(),
                cost.data(),
                restart.data()};
    m.fairness = fairness;
    m.fairness.nodes = static_cast<i32>(weight.size());
    m.fairness.weight = weight.data();
    m.fairness.parent = account.data();
    m.fairness.qos = qos.data();
    const i32 tenants = m.classes.tenants;
    line_.clear();
    for (i32 c = 0; c < m.classes.n; ++c)
      line_.push_back(m.classes.tier_rank[c] * tenants + m.classes.tenant[c]);
    m.classes.line = line_.data();
    m.classes.lines = m.classes.tiers * tenants;
    return m;
  }

 private:
  static size_t at(i32 i) { return static_cast<size_t>(i); }
  mutable std::vector<i32> line_;
};

}  // namespace gpusim::test

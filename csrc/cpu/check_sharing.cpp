#include "check_sharing.h"

#include <vector>

#include "../core/demand.h"
#include "../core/fairness.h"
#include "check_value.h"

namespace gpusim {
namespace {

constexpr i32 kMostNodes = 4096;        // tenants and cohorts
constexpr i32 kMostCounters = 1 << 20;  // users of all tenants that limit theirs
constexpr i64 kMostAmount = 1LL << 30;  // GPUs, or millionths

// The tree: parents are cohorts, and `bottom_up` has every node once, before its parent.
std::string check_tree(const Model& m) {
  const Sharing& s = m.sharing;
  const i32 tenants = m.classes.tenants;
  if (s.nodes < tenants || s.nodes > kMostNodes)
    return "more tenants than nodes, or too many nodes (" + std::to_string(s.nodes) + ")";
  std::vector<char> seen(static_cast<size_t>(s.nodes), 0);
  for (i32 n = 0; n < s.nodes; ++n)
    if (s.parent[n] != -1 && !within(s.parent[n], tenants, s.nodes - 1))
      return at("parent is no cohort", "parent", n, s.parent[n]);
  for (i32 i = s.nodes - 1; i >= 0; --i) {  // from the roots down
    const i32 n = s.bottom_up[i];
    if (!within(n, 0, s.nodes - 1) || seen[static_cast<size_t>(n)])
      return at("not every node once", "bottom_up", i, n);
    const i32 parent = s.parent[n];
    if (parent >= 0 && !seen[static_cast<size_t>(parent)])
      return at("node after its parent", "bottom_up", i, n);
    seen[static_cast<size_t>(n)] = 1;
    if (s.root[n] != (parent < 0 ? n : s.root[parent]))
      return at("not the root of the node", "root", n, s.root[n]);
  }
  return "";
}

std::string check_quotas(const Model& m) {
  const Sharing& s = m.sharing;
  const Classes& k = m.classes;
  if (!s.on) return "";
  const std::string problem = check_tree(m);
  if (!problem.empty()) return problem;
  for (i64 i = 0; i < static_cast<i64>(kAmounts) * s.nodes * k.pools; ++i)
    if (!within(s.amount[i], kNoAmount, kMostAmount) ||
        (s.is_share[i] && s.amount[i] > 1000 * kMillion))
      return at("amount out of range", "amount", i, s.amount[i]);
  if (!within(s.unassigned, -1, k.tenants - 1))
    return "unassigned is no tenant (" + std::to_string(s.unassigned) + ")";
  for (i32 t = 0; t < k.tenants; ++t) {
    if (s.within[t] > kWithinLowerOrNewer) return at("out of range", "within", t, s.within[t]);
    if (s.reclaim[t] > kReclaimAny) return at("out of range", "reclaim", t, s.reclaim[t]);
    if (!within(s.most_gpus[t], kNoAmount, kMostAmount))
      return at("out of range", "tenant_max_gpus", t, s.most_gpus[t]);
    if (!within(s.most_jobs[t], kNoAmount, kMostAmount))
      return at("out of range", "tenant_max_jobs", t, s.most_jobs[t]);
  }
  std::vector<char> seen(static_cast<size_t>(k.n), 0);
  for (i32 i = 0; i < k.n; ++i) {
    const i32 c = s.rising[i];
    if (!within(c, 0, k.n - 1) || seen[static_cast<size_t>(c)])
      return at("not every class once", "rising", i, c);
    seen[static_cast<size_t>(c)] = 1;
    const i32 before = i > 0 ? s.rising[i - 1] : c;
    const bool higher = s.priority[c] > s.priority[before];
    if (s.priority[c] < s.priority[before] || k.tier_rank[c] > k.tier_rank[before] ||
        higher != (k.tier_rank[c] < k.tier_rank[before]))
      return at("classes do not rise in priority", "rising", i, c);
  }
  for (i32 c = 0; c < k.n; ++c) {
    if (s.requeue[c] > kCancel) return at("out of range", "requeue", c, s.requeue[c]);
    for (const Tick* ticks : {s.exempt, s.grace, s.checkpoint, s.checkpoint_cost, s.restart})
      if (!within(ticks[c], 0, kTickBound - 1))
        return at("ticks of a class out of range", "exempt or grace or checkpoint", c, ticks[c]);
  }
  return "";
}

// A tenant's users stand in a row of counters, those of tenants whose users have no limits in none.
std::string check_users(const Model& m) {
  const Sharing& s = m.sharing;
  if (!s.on) return "";
  for (i32 t = 0; t < m.classes.tenants; ++t) {
    if (!within(s.user_most_gpus[t], kNoAmount, kMostAmount))
      return at("out of range", "user_max_gpus", t, s.user_most_gpus[t]);
    if (!within(s.user_most_jobs[t], kNoAmount, kMostAmount))
      return at("out of range", "user_max_jobs", t, s.user_most_jobs[t]);
    const bool limited = s.user_most_gpus[t] != kNoAmount || s.user_most_jobs[t] != kNoAmount;
    if (s.user_offset[0] != 0 || s.user_offset[t + 1] > kMostCounters ||
        (limited ? s.user_offset[t + 1] <= s.user_offset[t]
                 : s.user_offset[t + 1] != s.user_offset[t]))
      return at("users of a tenant out of range", "user_offset", t + 1, s.user_offset[t + 1]);
  }
  return "";
}

// Every path up the accounts ends in -1.
std::string check_fairness(const Model& m) {
  const Fairness& f = m.fairness;
  const i32 tenants = m.classes.tenants;
  if (f.nodes == 0) return "";
  if (f.nodes < tenants || f.nodes > kMostNodes)
    return "fewer nodes than tenants, or too many nodes (" + std::to_string(f.nodes) + ")";
  for (i32 n = 0; n < f.nodes; ++n) {
    if (f.parent[n] != -1 && !within(f.parent[n], tenants, f.nodes - 1))
      return at("parent is no account", "account_parent", n, f.parent[n]);
    if (!within(f.weight[n], 0, (1LL << 31) - 1))
      return at("weight out of range", "fair_weight", n, f.weight[n]);
  }
  for (i32 n = 0; n < f.nodes; ++n) {
    i32 steps = 0;
    for (i32 i = n; i >= 0 && steps <= f.nodes; i = f.parent[i]) ++steps;
    if (steps > f.nodes) return at("accounts form a circle", "account_parent", n, f.parent[n]);
  }
  for (i32 c = 0; c < m.classes.n; ++c)
    if (!within(f.qos[c], 0, kOne)) return at("out of range", "qos", c, f.qos[c]);
  for (const i64 weight : {f.w_age, f.w_fairshare, f.w_size, f.w_qos})
    if (!within(weight, 0, kOne))
      return "weight of a factor out of range (" + std::to_string(weight) + ")";
  if (!within(f.period, 1, kTickBound - 1)) return "calc_period out of range";
  if (!within(f.left, 0, 1LL << 32)) return "decay_q32 out of range";
  if (!within(f.max_age, 1, kTickBound - 2)) return "max_age out of range";
  if (!within(f.center_pools, 0, m.classes.pools)) return "center_pools out of range";
  return "";
}

// The steps of what is closed, pool by pool: every closure ends.
std::string check_closures(const Model& m) {
  const ClosureSteps& c = m.closures;
  if (c.n == 0) return "";
  if (!m.sharing.on || !m.policy.kill_at_limit)
    return "closures where nobody shares, or where limits do not end jobs";
  if (c.offset[m.classes.pools] != c.n)
    return at("steps of no pool", "closure_offset", m.classes.pools, c.n);
  for (i32 p = 0; p < m.classes.pools; ++p)
    for (i32 k = c.offset[p]; k < c.offset[p + 1]; ++k) {
      const bool last = k + 1 == c.offset[p + 1];
      if (!within(c.tick[k], k > c.offset[p] ? c.tick[k - 1] + 1 : 0, kTickBound - 1))
        return at("steps do not ascend, or out of range", "closure_tick", k, c.tick[k]);
      if (!within(c.gpus[k], 0, last ? 0 : 1LL << 62))
        return at("GPUs out of range", "closure_gpus", k, c.gpus[k]);
      if (c.start[k] < c.tick[k])
        return at("start before its step", "closure_start", k, c.start[k]);
    }
  return "";
}

}  // namespace

std::string check_sharing(const Model& m) {
  for (const std::string& problem :
       {check_quotas(m), check_users(m), check_fairness(m), check_closures(m)})
    if (!problem.empty()) return problem;
  return "";
}

}  // namespace gpusim

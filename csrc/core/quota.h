// Quotas of tenants, pool by pool: who may use how much, borrowed or owned (R16-R18, S13-S16).
//
// Nodes are the tenants and their cohorts. A node keeps `local` GPUs for itself and lends the rest of its subtree to its
// parent's; what it uses beyond `local` counts as its parent's use. With L = max(0, local - used) and
// X = subtree - local - max(0, used - local) + borrow of each node but the root, the rule
//   avail(node) = L + min(avail(parent), X),   avail(root) = subtree - used
// is the least of the sums L_0 + .. + L_k + X_k and L_0 + .. + avail(root) on the way up, which needs no recursion.
// Where all tenants have one cohort and it has none, or no cohort at all, the tree is *flat*, and what a tenant may take
// is a formula without branches.
// Amounts are those of the run's capacity. Cost: O(depth) a question, and a job's use at its start and its end.
#pragma once
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i64 kUnbounded = 1LL << 60;  // GPUs; sums of a few stay below 2^63
constexpr i32 kPlenty =
    1 << 28;  // GPUs, where a bound is kept in 32 bits; sums of a few stay below 2^31

HD i32 at_most_plenty(i64 gpus, i32 plenty = kPlenty) {
  return static_cast<i32>(least<i64>(plenty, greatest<i64>(-plenty, gpus)));
}

template <class S>
struct Quota {
  const Model* model;
  i32 pools;     // P
  i32 flat;      // no node stands above a tenant's cohort, and all have the same
  i32 top;       // that cohort, or -1
  i32 limits;    // some tenant has limits of its own, or on its users: what they use is counted
  i64* nominal;  // (N, P) kUnbounded: no quota
  i64* borrow;   // (N, P) kUnbounded: no limit
  i64* subtree;  // (N, P) nominal of the node and what its children lend
  i64* local;    // (N, P) of it what the node does not lend
  i64*
      reach;  // (N, P) of what is lent to it, the most it may use: what it lends itself, and borrows
  i64* used;           // (N, P) of a cohort: what its children pass up
  i64* reserved;       // (T, P) by jobs of the tenant that hold a reservation in this pass (R21) ..
  i64* reserved_gpus;  // (T,) .. over all pools ..
  i64* reserved_jobs;  // (T,) .. and how many these are
  i64* ceiling;        // (T, P) most that the tenant may ever use (R18)
  i64* tenant_gpus;    // (T,) over all pools
  i64* tenant_jobs;    // (T,)
  i64* user_gpus;      // of each user whose tenant limits users, over all pools
  i64* user_jobs;
  i64* remainder;  // (N,) for rounding

  HD i64 at(i32 node, i32 p) const { return static_cast<i64>(node) * pools + p; }
  HD bool has(i32 t, i32 p) const { return nominal[at(t, p)] != kUnbounded; }
  HD bool fits_nominal(i32 t, i32 p, i64 q) const {
    return used[at(t, p)] + q <= nominal[at(t, p)];
  }
  HD bool over_nominal(i32 t, i32 p) const { return used[at(t, p)] > nominal[at(t, p)]; }

  HD bool is_above(i32 node, i32 below) const {
    const i32* parent = model->sharing.parent;
    ROLLED
    for (below = parent[below]; below >= 0 && below != node;) below = parent[below];
    return below == node;
  }
  // Whether a tenant, and each cohort above it that is not above tenant t, uses more than it owns. Both are of one tree.
  HD bool over_towards(i32 t, i32 other, i32 p) const {
    if (flat) return over_nominal(other, p);  // nothing stands between
    ROLLED
    for (i32 n = other; !is_above(n, t); n = model->sharing.parent[n])
      if (used[at(n, p)] <= subtree[at(n, p)]) return false;
    return true;
  }
  // The first node, from the tenant up, that owns enough for q GPUs more; -1: none. What a node has left for itself alone
  // is no matter of its parent's.
  HD i32 owner_of(i32 t, i32 p, i64 q) const {
    ROLLED
    for (; t >= 0; t = model->sharing.parent[t]) {
      const i64 k = at(t, p);
      if (used[k] + q <= subtree[k]) return t;
      q = greatest<i64>(0, q - greatest<i64>(0, local[k] - used[k]));
    }
    return -1;
  }

  // Amounts for these pools, and nobody uses anything.
  HD_CALL void clear(const i32* capacity) {
    const Sharing& s = model->sharing;
    const i32 tenants = model->classes.tenants, all = s.nodes * pools;
    S::each(all, [&](i32 i) { used[i] = 0; });
    S::each(tenants, [&](i32 t) { tenant_gpus[t] = tenant_jobs[t] = 0; });
    S::each(s.limits_users ? s.user_offset[tenants] : 0,
            [&](i32 u) { user_gpus[u] = user_jobs[u] = 0; });
    forget_reservations();
    find_top();
    limits = s.limits_users;
    ROLLED
    for (i32 t = 0; t < tenants; ++t)
      limits |= s.most_gpus[t] != kNoAmount || s.most_jobs[t] != kNoAmount ? 1 : 0;
    S::once([&] {
      for (i32 p = 0; p < pools; ++p) {
        round(kNominal, p, capacity[p], nominal);
        round(kBorrow, p, capacity[p], borrow);
        round(kLend, p, capacity[p], local);
        own_the_rest(p, capacity[p]);
        add_up(p);
      }
    });
    ROLLED
    for (i32 t = 0; t < tenants; ++t) {
      ROLLED
      for (i32 p = 0; p < pools; ++p) {
        const i64 most = least(or_unbounded(s.most_gpus[t]), or_unbounded(s.user_most_gpus[t]));
        const i64 alone = least(most, available(t, p));
        S::once([&] { ceiling[at(t, p)] = alone; });
      }
    }
  }

  HD void forget_reservations() {
    S::each(model->classes.tenants * pools, [&](i32 i) { reserved[i] = 0; });
    S::each(model->classes.tenants, [&](i32 t) { reserved_gpus[t] = reserved_jobs[t] = 0; });
  }
  HD void reserve(i32 t, i32 p, i64 q) {
    S::once([&] {
      reserved[at(t, p)] += q;
      reserved_gpus[t] += q;
      ++reserved_jobs[t];
    });
  }

  // GPUs that a tenant may take in a pool now; negative where others use what it has lent.
  HD_APART i64 available(i32 t, i32 p) const {
    const i32* parent = model->sharing.parent;
    i64 k = at(t, p);
    if (nominal[k] == kUnbounded) return kUnbounded;
    i64 best = kUnbounded, kept = 0;
    i32 node = t;
    ROLLED
    for (; parent[node] >= 0; node = parent[node], k = at(node, p)) {
      const i64 spare = local[k] - used[k];  // max(0, spare) - max(0, -spare)
      best = least(best, kept + spare + reach[k]);
      kept += greatest<i64>(0, spare);
    }
    return least(best, kept + subtree[k] - used[k]);
  }

  // What the top of a flat tree has left for its tenants. With spare = local - used a tenant may take max(0, spare) +
  // min(that, reach - max(0, -spare)), or, without a cohort, if it is less than 0, nothing. An overdrawn top has nothing
  // left: then that is a bound, and a tenant alone beside the cohort loses nothing by it.
  HD i64 flat_top(i32 p) const {
    return top < 0 ? 0 : greatest<i64>(0, subtree[at(top, p)] - used[at(top, p)]);
  }

  // Whether quotas, the tenant's limits and its user's let it take q more GPUs of a pool (S15, S34).
  HD bool admits(i32 t, i32 user, i32 p, i64 q) const {
    return q + reserved[at(t, p)] <= available(t, p) &&
           (!limits ||
            (within_limits(t, q + reserved_gpus[t], reserved_jobs[t]) && user_may(t, user, q)));
  }
  // The same without the reservations of the pass (S28).
  HD bool admits_unreserved(i32 t, i32 user, i32 p, i64 q) const {
    return q <= available(t, p) && (!limits || (within_limits(t, q, 0) && user_may(t, user, q)));
  }
  // Whether a tenant's limits on each of its users let this one take q more GPUs.
  HD bool user_may(i32 t, i32 user, i64 q) const {
    const Sharing& s = model->sharing;
    if (!limits_users_of(t)) return true;
    const i64 u = s.user_offset[t] + user;
    return user_gpus[u] + q <= or_unbounded(s.user_most_gpus[t]) &&
           user_jobs[u] < or_unbounded(s.user_most_jobs[t]);
  }

  // The tenant uses q more GPUs of a pool, or fewer; `jobs` more run.
  HD void use(i32 t, i32 p, i64 q, i32 jobs) {
    S::once([&]() AT_ONCE {
      if (limits) {
        tenant_gpus[t] += q;
        tenant_jobs[t] += jobs;
      }
      pass_up(t, p, q);
    });
  }
  HD void use_of_user(i32 t, i32 user, i64 q, i32 jobs) {
    if (!limits_users_of(t)) return;
    const i64 u = model->sharing.user_offset[t] + user;
    S::once([&] {
      user_gpus[u] += q;
      user_jobs[u] += jobs;
    });
  }
  // Counts as used though no job runs (R20).
  HD void hold(i32 t, i32 p, i64 q) { use(t, p, q, 0); }

 private:
  HD bool limits_users_of(i32 t) const {
    const Sharing& s = model->sharing;
    return s.limits_users && s.user_offset[t] < s.user_offset[t + 1];
  }
  HD static i64 or_unbounded(i64 most) { return most == kNoAmount ? kUnbounded : most; }
  HD bool within_limits(i32 t, i64 q, i64 others) const {
    const Sharing& s = model->sharing;
    return (s.most_gpus[t] == kNoAmount || tenant_gpus[t] + q <= s.most_gpus[t]) &&
           (s.most_jobs[t] == kNoAmount || tenant_jobs[t] + others < s.most_jobs[t]);
  }

  HD void find_top() {
    const Sharing& s = model->sharing;
    flat = 1;
    top = -1;
    for (i32 t = 0; t < model->classes.tenants; ++t) {
      const i32 above = s.parent[t];
      if (above < 0) continue;
      if (top < 0) top = above;
      if (above != top || s.parent[above] >= 0) flat = 0;
    }
  }

  // What follows runs inside once().

  HD void pass_up(i32 t, i32 p, i64 q) {
    const i32* parent = model->sharing.parent;
    for (i32 node = t;; node = parent[node]) {
      const i64 k = at(node, p), beyond = used[k] - local[k];
      used[k] += q;
      if (parent[node] < 0) return;
      q = greatest<i64>(0, beyond + q) - greatest<i64>(0, beyond);
      if (q == 0) return;
    }
  }

  // A column of amounts in GPUs; shares by largest remainder, ties to the lowest node (S14).
  HD void round(i32 kind, i32 p, i64 capacity, i64* out) {
    const Sharing& s = model->sharing;
    i64 millionths = 0, given = 0;
    for (i32 n = 0; n < s.nodes; ++n) {
      const i64 k = at(n, p), from = static_cast<i64>(kind) * s.nodes * pools + k;
      const i64 amount = s.amount[from];
      remainder[n] = -1;
      out[k] = amount == kNoAmount ? kUnbounded : amount;
      if (kind == kNominal && n == s.unassigned) {  // what the others leave
        out[k] = 0;
        continue;
      }
      if (amount == kNoAmount || !s.is_share[from]) continue;
      millionths += amount;
      out[k] = capacity * amount / kWhole;
      remainder[n] = capacity * amount % kWhole;
      given += out[k];
    }
    for (i64 left = capacity * millionths / kWhole - given; left > 0; --left) {
      i32 most = 0;
      for (i32 n = 1; n < s.nodes; ++n) most = remainder[n] > remainder[most] ? n : most;
      ++out[at(most, p)];
      remainder[most] = -1;
    }
  }

  HD void own_the_rest(i32 p, i64 capacity) {
    const Sharing& s = model->sharing;
    if (s.unassigned < 0) return;
    i64 owned = 0;
    for (i32 n = 0; n < s.nodes; ++n)
      owned += n == s.unassigned || nominal[at(n, p)] == kUnbounded ? 0 : nominal[at(n, p)];
    nominal[at(s.unassigned, p)] = greatest<i64>(0, capacity - owned);
  }

  // Subtrees from the leaves up. `local` holds the lending limits when it begins.
  HD void add_up(i32 p) {
    const Sharing& s = model->sharing;
    for (i32 n = 0; n < s.nodes; ++n) subtree[at(n, p)] = nominal[at(n, p)];
    for (i32 i = 0; i < s.nodes; ++i) {
      const i32 n = s.bottom_up[i];
      const i64 k = at(n, p);
      local[k] = local[k] == kUnbounded ? 0 : greatest<i64>(0, subtree[k] - local[k]);
      if (s.parent[n] < 0) local[k] = subtree[k];
      reach[k] = s.parent[n] < 0 ? 0 : subtree[k] - local[k] + borrow[k];
      if (s.parent[n] >= 0) subtree[at(s.parent[n], p)] += subtree[k] - local[k];
    }
  }

  enum : i64 { kWhole = 1000000 };
};

}  // namespace gpusim

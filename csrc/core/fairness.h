// Fair orders: whose job is next, by what its tenant has used (R10, R11, S30-S33).
//
// Usage is in GPU-ticks and decays at the multiples of the calculation period; keys follow from usage at these ticks
// alone. So nothing is computed until somebody needs a key: what a tenant has used is brought up to date when it
// changes, all keys when a job joins or waits after a multiple that they are older than.
// Smaller keys are first. A job's key is that of its tenant, or under multifactor its own.
#pragma once
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i64 kOne = 1 << 20;        // the number 1 in fixed point
constexpr i64 kNoShare = 1LL << 62;  // level key of weight 0: behind everybody

// Usage over weight in fixed point, at most 2^62 - 1.
HD i64 level_key(i64 usage, i64 weight) {
  if (weight == 0) return kNoShare;
  const i64 whole = usage / weight;
  if (whole >= 1LL << 42) return kNoShare - 1;
  return (whole << 20) + ((usage % weight) << 20) / weight;
}

// What is left of usage >= 0 after a period: floor(usage * left / 2^32).
HD i64 decayed(i64 usage, i64 left) {
  const u64 high = static_cast<u64>(usage) >> 32, low = static_cast<u64>(usage) & 0xffffffff;
  return static_cast<i64>(high * static_cast<u64>(left) + (low * static_cast<u64>(left) >> 32));
}

template <class S>
struct Fair {
  const Model* model;
  Tick next;    // keys hold until this multiple of the period; kNever: the order needs none
  Tick wake;    // the same if somebody waits, else kNever (S30)
  i64 total;    // GPUs of the center
  i64* usage;   // (N,) at the last multiple that `until` knows of; of an account: of all below it
  i64* recent;  // (T,) GPU-ticks after that ..
  Tick* since;  // (T,) .. and up to here
  Tick* until;  // (T,) the next multiple
  i64* busy;    // (T,) GPUs in use, or of these those that are beyond quotas
  i64* level;   // (N,) level keys
  i32* depth;   // (N,) nodes above
  i32* ranked;  // (T,) tenants in the order of Fair Tree
  i64* key;     // (T,) of all jobs of a tenant; multifactor: what its share adds to their priority

  HD bool keyed() const { return next != kNever; }
  // Whether all jobs of a tenant have the same key.
  HD bool by_tenant() const { return keyed() && model->policy.order != kMultifactor; }

  HD void clear(const i32* capacity, i32 pools) {
    const i32 order = model->policy.order;
    next = order == kFairshare || order == kFairTree || order == kMultifactor ? 0 : kNever;
    wake = kNever;
    if (!keyed()) return;
    const Fairness& f = model->fairness;
    if (f.center_pools > 0) pools = f.center_pools;
    total = 0;
    ROLLED
    for (i32 p = 0; p < pools; ++p) total += capacity[p];
    S::each(f.nodes, [&](i32 n) { usage[n] = 0; });
    S::each(model->classes.tenants, [&](i32 t) {
      recent[t] = since[t] = busy[t] = 0;
      until[t] = f.period;
      ranked[t] = t;
    });
    S::each(f.nodes, [&](i32 n) {
      i32 above = 0;
      for (i32 i = f.parent[n]; i >= 0; i = f.parent[i]) ++above;
      depth[n] = above;
    });
  }

  // A tenant uses so many more GPUs from now on, or fewer, of those that count.
  HD void use(i32 t, i64 gpus, Tick now) {
    S::once([&] {
      catch_up(t, now);
      busy[t] += gpus;
    });
  }

  // Keys as of the last multiple.
  HD void refresh(Tick now) {
    if (now >= next) compute(now);
  }

  // The key of a waiting job under multifactor, by when it was last computed (S32).
  HD i64 priority_key(i32 c, i64 gpus, Tick queued, Tick at) const {
    const Fairness& f = model->fairness;
    const Tick age = least(at - queued, f.max_age);
    return -(f.w_age * (age * kOne / f.max_age) + key[model->classes.tenant[c]] +
             f.w_size * least(kOne, gpus * kOne / greatest<i64>(1, total)) + f.w_qos * f.qos[c]);
  }

 private:
  HD void catch_up(i32 t, Tick now) {
    const Fairness& f = model->fairness;
    i64 used = usage[t], part = recent[t];
    Tick from = since[t], end = until[t];
    const i64 gpus = busy[t];
    if (end <= now && used == 0 && part == 0 && gpus == 0)
      from = end = (now / f.period + 1) * f.period;
    ROLLED
    for (; end <= now; from = end, end += f.period, part = 0)
      used = decayed(used, f.left) + part + gpus * (end - from);
    usage[t] = used;
    recent[t] = part + gpus * greatest<Tick>(0, now - from);
    since[t] = now;
    until[t] = end;
  }

  HD_CALL void compute(Tick now) {
    const Fairness& f = model->fairness;
    const i32 tenants = model->classes.tenants;
    next = (now / f.period + 1) * f.period;
    S::each(tenants, [&](i32 t) { catch_up(t, now); });
    if (model->policy.order == kFairshare)
      return S::each(tenants, [&](i32 t) { key[t] = level_key(usage[t], f.weight[t]); });
    S::once([&] {
      for (i32 n = tenants; n < f.nodes; ++n) usage[n] = 0;
      for (i32 t = 0; t < tenants; ++t)
        for (i32 n = f.parent[t]; n >= 0; n = f.parent[n]) usage[n] += usage[t];
    });
    S::each(f.nodes, [&](i32 n) { level[n] = level_key(usage[n], f.weight[n]); });
    sort_tenants();
    rank_tenants();
  }

  // Compares the level keys on the way down to two tenants: below 0 if the first that differs is smaller for `a`, 0 if one
  // way is the beginning of the other.
  HD i32 compare(i32 a, i32 b) const {
    const i32* parent = model->fairness.parent;
    while (depth[a] > depth[b]) a = parent[a];
    while (depth[b] > depth[a]) b = parent[b];
    i32 sign = 0;
    for (; a != b; a = parent[a], b = parent[b])
      if (level[a] != level[b]) sign = level[a] < level[b] ? -1 : 1;
    return sign;
  }
  HD bool before(i32 a, i32 b) const {
    const i32 sign = compare(a, b);
    return sign != 0 ? sign < 0 : depth[a] < depth[b];
  }

  // Most stay where they were at the last multiple; others go where halving finds their place.
  HD void sort_tenants() {
    ROLLED
    for (i32 i = 1; i < model->classes.tenants; ++i) {
      const i32 t = ranked[i];
      if (!before(t, ranked[i - 1])) continue;
      i32 low = 0,
          high =
              i - 1;  // it comes before ranked[high], and not before what stands in front of `low`
      ROLLED
      while (low < high) {
        const i32 middle = (low + high) / 2;
        if (before(t, ranked[middle]))
          high = middle;
        else
          low = middle + 1;
      }
      S::shift_insert(ranked, i, low, t);
    }
  }

  // A tenant is tied with the one before it if that one's way is the beginning of its own (S31).
  HD void rank_tenants() {
    const i32 tenants = model->classes.tenants;
    i32 rank = 0;
    ROLLED
    for (i32 i = 0; i < tenants; ++i) {
      const i32 t = ranked[i];
      if (i > 0 && compare(ranked[i - 1], t) != 0) rank = i;
      const i64 share = (tenants - rank) * kOne / tenants;
      const i64 own = model->policy.order == kFairTree ? rank : model->fairness.w_fairshare * share;
      S::once([&] { key[t] = own; });
    }
  }
};

}  // namespace gpusim

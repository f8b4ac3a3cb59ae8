#include "check.h"

#include <initializer_list>

namespace gpusim {
namespace {

constexpr i32 kMostSlots = 1 << 27;
constexpr i64 kTickBound = 1LL << 43;   // keys hold ticks below this
constexpr i64 kValueBound = 1LL << 44;  // quantile tables hold values below this

std::string at(const char* what, const char* array, i64 i, i64 value) {
  return std::string(what) + " (" + std::to_string(value) + ", " + array + "[" + std::to_string(i) +
         "])";
}

std::string check_classes(const Model& m) {
  for (i32 c = 0; c < m.classes.n; ++c) {
    if (m.classes.tier_rank[c] < 0 || m.classes.tier_rank[c] >= m.classes.tiers)
      return at("tier rank out of range", "tier_rank", c, m.classes.tier_rank[c]);
    if (m.classes.tenant[c] < 0 || m.classes.tenant[c] >= m.classes.tenants)
      return at("tenant out of range", "tenant", c, m.classes.tenant[c]);
    if (m.classes.patience[c] < -1 || m.classes.patience[c] >= kTickBound)
      return at("patience out of range", "patience", c, m.classes.patience[c]);
  }
  for (i32 k = 0; k < m.slos.class_offset[m.classes.n]; ++k)
    if (m.slos.class_slo[k] < 0 || m.slos.class_slo[k] >= m.slos.n)
      return at("service level out of range", "slo_class_list", k, m.slos.class_slo[k]);
  for (i32 s = 0; s < m.slos.n; ++s) {
    if (m.slos.limit[s] < 0 || m.slos.limit[s] >= kTickBound)
      return at("limit out of range", "slo_limit", s, m.slos.limit[s]);
    if (m.slos.share_ppm[s] < 0 || m.slos.share_ppm[s] > 1000000)
      return at("share out of range", "slo_share_ppm", s, m.slos.share_ppm[s]);
  }
  const Windows& w = m.windows;
  if (w.warm_up < 0 || w.count_end < w.warm_up || w.horizon < w.count_end ||
      w.horizon >= kTickBound)
    return "windows out of order: 0 <= warm_up <= count_end <= horizon < 2^43 (horizon " +
           std::to_string(w.horizon) + ")";
  if (m.policy.backfill < kAll)
    return "backfill out of range (" + std::to_string(m.policy.backfill) + ")";
  return "";
}

std::string check_stored(const Ensemble& e, i64 workloads) {
  const StoredJobs& s = e.model.stored;
  const i64 jobs = s.offset[workloads];
  if (s.offset[0] != 0) return at("first offset is not 0", "offset", 0, s.offset[0]);
  for (i64 w = 0; w < workloads; ++w) {
    if (s.offset[w + 1] > s.n)
      return at("offset beyond the jobs", "offset", w + 1, s.offset[w + 1]);
    if (s.offset[w + 1] < s.offset[w])
      return at("offsets decrease", "offset", w + 1, s.offset[w + 1]);
    for (i64 j = s.offset[w] + 1; j < s.offset[w + 1]; ++j)
      if (s.submit[j] < s.submit[j - 1])
        return at("jobs are not sorted by submit", "submit", j, s.submit[j]);
  }
  for (i64 j = 0; j < jobs; ++j) {
    if (s.submit[j] < 0 || s.submit[j] >= kTickBound)
      return at("submit out of range", "submit", j, s.submit[j]);
    if (s.service[j] < 1 || s.service[j] >= kTickBound)
      return at("service out of range", "service", j, s.service[j]);
    if (s.limit[j] < 1 || s.limit[j] >= kTickBound)
      return at("limit out of range", "limit", j, s.limit[j]);
    if (s.gpus[j] < 1 || s.gpus[j] >= kHole)
      return at("gang size out of range", "gpus", j, s.gpus[j]);
    if (s.job_class[j] >= e.model.classes.n)
      return at("unknown class", "job_class", j, s.job_class[j]);
  }
  return "";
}

// Values in [0, 2^44), rising on the lower side and falling on the upper one.
std::string check_table(const i64* nodes, const char* name) {
  for (i32 k = 0; k < 2 * kTableNodes; ++k) {
    if (nodes[k] < 0 || nodes[k] >= kValueBound)
      return at("table value out of range", name, k, nodes[k]);
    if (k % kTableNodes && (k < kTableNodes ? nodes[k] < nodes[k - 1] : nodes[k] > nodes[k - 1]))
      return at("table is not monotone", name, k, nodes[k]);
  }
  return "";
}

std::string check_generator(const Ensemble& e) {
  const Generator& g = e.model.generator;
  for (i32 c = 0; c < e.model.classes.n; ++c) {
    if (!g.active[c]) continue;
    for (const std::string& problem :
         {check_table(g.gap_nodes + c * 2LL * kTableNodes, "gap_nodes"),
          check_table(g.service_nodes + c * 2LL * kTableNodes, "service_nodes")})
      if (!problem.empty()) return problem;
    if (g.gap_shift[c] < 0 || g.gap_shift[c] > 40 ||
        e.model.windows.horizon >= (1LL << (62 - g.gap_shift[c])))
      return at("shift out of range for this horizon", "gap_shift", c, g.gap_shift[c]);
    if (g.service_shift[c] < 0 || g.service_shift[c] > 40)
      return at("shift out of range", "service_shift", c, g.service_shift[c]);
    // the clock advances at least every other job only if both halves end at one unit or more
    const i64* gap = g.gap_nodes + c * 2LL * kTableNodes;
    if (gap[kTableNodes - 1] < 1 || gap[2 * kTableNodes - 1] < gap[kTableNodes - 1])
      return at("median gap is zero, or the halves do not meet", "gap_nodes", c,
                gap[2 * kTableNodes - 1]);
    if (g.atom_offset[c + 1] <= g.atom_offset[c])
      return at("class without GPU counts", "atom_offset", c, g.atom_offset[c]);
    for (i32 a = g.atom_offset[c]; a < g.atom_offset[c + 1]; ++a) {
      if (g.atom_gpus[a] < 1 || g.atom_gpus[a] >= kHole)
        return at("gang size out of range", "atom_gpus", a, g.atom_gpus[a]);
      if (g.atom_alias[a] < 0 || g.atom_alias[a] >= g.atom_offset[c + 1] - g.atom_offset[c])
        return at("alias out of range", "atom_alias", a, g.atom_alias[a]);
    }
    const i64 low = g.limit_mode[c] == kExact ? 1 : g.limit_a[c];
    const i64 high = g.limit_mode[c] == kFactor ? g.limit_b[c] : low;
    const i64 longest = (g.service_nodes[(c * 2LL + 1) * kTableNodes] >> g.service_shift[c]) + 1;
    if (longest >= kTickBound) return at("service out of range", "service_nodes", c, longest);
    const i64 most =
        g.limit_mode[c] == kFactor ? least((1LL << 59) / longest, 1LL << 31) : kTickBound;
    if (g.limit_mode[c] < kExact || g.limit_mode[c] > kFactor || low < 1 || high < low ||
        high >= most)
      return at("limit out of range", "limit_a", c, g.limit_a[c]);
  }
  if (g.demand_nodes) {
    const std::string problem = check_table(g.demand_nodes, "demand_nodes");
    if (!problem.empty()) return problem;
    const i64 smallest = g.demand_nodes[0], largest = g.demand_nodes[kTableNodes];
    for (i32 c = 0; c < e.model.classes.n; ++c) {
      if (!g.active[c]) continue;
      const i64* gap = g.gap_nodes + c * 2LL * kTableNodes;
      // the arrival clock must advance, and 64 of the longest gaps must not overflow it
      if (gap[kTableNodes - 1] * smallest < 65536 ||
          largest > (1LL << 56) / greatest(gap[kTableNodes], 1LL))
        return at("demand scale out of range for this gap table", "demand_nodes", kTableNodes,
                  largest);
    }
  }
  return "";
}

}  // namespace

std::string first_problem(const Ensemble& e) {
  std::string problem = check_classes(e.model);
  if (!problem.empty()) return problem;
  i64 workloads = 0;
  for (i64 i = 0; i < e.n; ++i) {
    if (e.gpus[i] < 0 || e.gpus[i] >= kHole)
      return at("capacity out of range", "gpus", i, e.gpus[i]);
    if (e.replication[i] < 0 || e.replication[i] > 0xffffffffLL)
      return at("replication out of range", "replication", i, e.replication[i]);
    workloads = greatest(workloads, e.replication[i] + 1);
  }
  if (e.sizes.running < kLanes || (e.sizes.running & (e.sizes.running - 1)) ||
      e.sizes.running > 1 << kSlotBits)
    return "running slots must be a power of two from 32 to 2^20 (" +
           std::to_string(e.sizes.running) + ")";
  if (e.sizes.queue < 4 || e.sizes.queue > kMostSlots || e.sizes.profile < 4 ||
      e.sizes.profile > kMostSlots)
    return "queue and profile need 4 to 2^27 slots";
  return e.model.stored.submit ? check_stored(e, workloads) : check_generator(e);
}

}  // namespace gpusim

#include "check.h"

#include <initializer_list>
#include <vector>

#include "check_sharing.h"
#include "check_value.h"

namespace gpusim {
namespace {

constexpr i32 kMostSlots = 1 << 27;
constexpr i32 kMostUsersOfOne = 1 << 28;  // of a tenant: a job's has 28 bits
constexpr i64 kValueBound = 1LL << 44;    // quantile tables hold values below this

std::string check_classes(const Model& m) {
  const Classes& k = m.classes;
  for (i32 c = 0; c < k.n; ++c) {
    if (k.tier_rank[c] < 0 || k.tier_rank[c] >= k.tiers)
      return at("tier rank out of range", "tier_rank", c, k.tier_rank[c]);
    if (k.tenant[c] < 0 || k.tenant[c] >= k.tenants)
      return at("tenant out of range", "tenant", c, k.tenant[c]);
    if (k.patience[c] < -1 || k.patience[c] >= kTickBound)
      return at("patience out of range", "patience", c, k.patience[c]);
    if (k.pool_offset[c + 1] == k.pool_offset[c])
      return at("class without a pool", "pool_offset", c, k.pool_offset[c]);
    for (i32 i = k.pool_offset[c]; i < k.pool_offset[c + 1]; ++i)
      if (k.pool_list[i] < 0 || k.pool_list[i] >= k.pools)
        return at("pool out of range", "pool_list", i, k.pool_list[i]);
  }
  return "";
}

// Lines of the queue follow from tiers and tenants.
std::string check_lines(const Model& m) {
  const Classes& k = m.classes;
  const i32 each = m.sharing.on ? k.tenants : 1;
  if (k.lines != k.tiers * each)
    return "lines do not fit tiers and tenants (" + std::to_string(k.lines) + ")";
  for (i32 c = 0; c < k.n; ++c)
    if (k.line[c] != k.tier_rank[c] * each + (m.sharing.on ? k.tenant[c] : 0))
      return at("not the line of its tier and tenant", "line", c, k.line[c]);
  return "";
}

std::string check_levels(const Model& m) {
  const Slos& l = m.slos;
  for (i32 s = 0; s < l.n; ++s) {
    if (!within(l.metric[s], kWaitMetric, kPreemptionsMetric))
      return at("metric out of range", "slo_metric", s, l.metric[s]);
    if (!within(l.share_ppm[s], 0, 1000000))
      return at("share out of range", "slo_share_ppm", s, l.share_ppm[s]);
    if (!within(l.bound[s], 0, kTickBound - 1))
      return at("bound out of range", "slo_bound", s, l.bound[s]);
    if (!within(l.hours_from[s], 0, m.windows.day) || !within(l.hours_to[s], 0, m.windows.day))
      return at("hours outside the day", "slo_hours_from", s, l.hours_from[s]);
    if (!within(l.days[s], 0, 127)) return at("days out of range", "slo_days", s, l.days[s]);
  }
  for (i32 k = 0; k < l.class_offset[m.classes.n]; ++k) {
    const i32 s = l.class_slo[k];
    if (s < 0 || s >= l.n) return at("service level out of range", "slo_class_list", k, s);
    const i64 most = l.metric[s] == kSlowdownMetric ? 1 << 20 : kTickBound;
    if (!within(l.class_limit[k], 0, most - 1))
      return at("limit out of range", "slo_class_limit", k, l.class_limit[k]);
  }
  return "";
}

std::string check_policy(const Model& m) {
  const Windows& w = m.windows;
  if (w.warm_up < 0 || w.count_end < w.warm_up || w.horizon < w.count_end ||
      w.horizon >= kTickBound)
    return "windows out of order: 0 <= warm_up <= count_end <= horizon < 2^43 (horizon " +
           std::to_string(w.horizon) + ")";
  if (w.day < 1 || w.day >= kTickBound || w.week_phase < 0 || w.week_phase >= kTickBound)
    return "day or week_phase out of range";
  const Policy& p = m.policy;
  if (p.backfill < kAll) return "backfill out of range (" + std::to_string(p.backfill) + ")";
  if (!within(p.order, kFifo, kWeightedShare))
    return "order out of range (" + std::to_string(p.order) + ")";
  if (p.order >= kFairshare && (!m.sharing.on || m.fairness.nodes == 0))
    return "a fair order needs sharing and fairness (" + std::to_string(p.order) + ")";
  if (p.order == kWeightedShare && (m.sharing.borrowers_last || p.max_tests >= 0))
    return "weighted share has one sweep over all jobs";
  if (p.period < 1 || p.period >= kTickBound) return "period out of range";
  if (p.window < -1 || p.window >= kTickBound) return "window out of range";
  if (p.max_tests < -1) return "max_tests out of range";
  return "";
}

// Chains are numbered from 0 in the order of their first jobs; each has one first and one last job.
std::string check_chains(const StoredJobs& s, i64 workloads) {
  for (i64 w = 0; w < workloads; ++w) {
    std::vector<char> open;
    for (i64 j = s.offset[w]; j < s.offset[w + 1]; ++j) {
      const i64 c = s.chain[j];
      if (c < 0) continue;
      const bool first = !(s.part[j] & kFollows);
      const i64 known = static_cast<i64>(open.size());
      if (first != (c == known) || c > known || (!first && !open[static_cast<size_t>(c)]))
        return at("chain out of order", "chain", j, c);
      if (first) open.push_back(1);
      open[static_cast<size_t>(c)] = (s.part[j] & kLeads) != 0;
    }
  }
  return "";
}

// Whether jobs first .. end are sorted and in range, without a branch in the loop: every call of run() asks it of every
// stored job. The ranges of check_stored(): times below a power of two show in the bits that any of them has.
bool sound(const StoredJobs& s, i64 first, i64 end, i32 classes) {
  u64 times = 0, steps = 0;
  i32 fewest = 1, most = 1, last_class = 0;
  for (i64 j = first; j < end; ++j) {
    const u64 submit = static_cast<u64>(s.submit[j]), service = static_cast<u64>(s.service[j]),
              limit = static_cast<u64>(s.limit[j]);
    times |= submit | service | (service - 1) | limit | (limit - 1);
  }
  for (i64 j = first + 1; j < end; ++j)
    steps |= static_cast<u64>(s.submit[j]) - static_cast<u64>(s.submit[j - 1]);
  for (i64 j = first; j < end; ++j) {
    fewest = least(fewest, s.gpus[j]);
    most = greatest(most, s.gpus[j]);
  }
  for (i64 j = first; j < end; ++j) last_class = greatest<i32>(last_class, s.job_class[j]);
  return times < static_cast<u64>(kTickBound) && steps < static_cast<u64>(kTickBound) &&
         fewest >= 1 && most < kHole && last_class < classes;
}

// Users of tenants that limit theirs have counters; others are not looked at.
bool user_exists(const Model& m, i32 c, i32 user) {
  const Sharing& s = m.sharing;
  if (!within(user, 0, kMostUsersOfOne - 1)) return false;
  if (!s.on) return true;
  const i32 t = m.classes.tenant[c], users = s.user_offset[t + 1] - s.user_offset[t];
  return users == 0 || user < users;
}

std::string check_stored(const Ensemble& e, i64 workloads) {
  const StoredJobs& s = e.model.stored;
  const i64 jobs = s.offset[workloads];
  if (s.offset[0] != 0) return at("first offset is not 0", "offset", 0, s.offset[0]);
  bool all_sound = !s.chain && !s.user;
  for (i64 w = 0; all_sound && w < workloads; ++w)
    all_sound = s.offset[w] <= s.offset[w + 1] && s.offset[w + 1] <= s.n &&
                sound(s, s.offset[w], s.offset[w + 1], e.model.classes.n);
  if (all_sound) return "";
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
    if (s.user && !user_exists(e.model, s.job_class[j], s.user[j]))
      return at("no such user of the tenant", "user", j, s.user[j]);
    if (!s.chain) continue;
    if (s.delay[j] < 0 || s.delay[j] >= kTickBound)
      return at("delay out of range", "delay", j, s.delay[j]);
    const i32 place = s.part[j] & (kFollows | kLeads);
    if (s.part[j] > (kFollows | kLeads | kLater) || s.chain[j] < -1 ||
        (s.chain[j] < 0) != (place == 0) || (s.part[j] & kFollows && s.part[j] & kLater))
      return at("not a part of a chain", "part", j, s.part[j]);
  }
  return s.chain ? check_chains(s, workloads) : "";
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

// One alias table: values in [low, high], every alias an index of it.
template <class T>
std::string check_atoms(const T* value, const i32* alias, i32 first, i32 end, i64 low, i64 high,
                        const char* name) {
  for (i32 a = first; a < end; ++a) {
    if (!within(value[a], low, high)) return at("value out of range", name, a, value[a]);
    if (alias[a] < 0 || alias[a] >= end - first) return at("alias out of range", name, a, alias[a]);
  }
  return "";
}

std::string check_limits(const Generator& g, i32 r, i64 longest) {
  const i32 c = g.choice_offset[r], choices = g.choice_offset[r + 1] - c, mode = g.limit_mode[r];
  const i64 low = mode == kFixed || mode == kFactor ? g.limit_a[r] : 1;
  const i64 high = mode == kFactor ? g.limit_b[r] : low;
  const i64 most = mode == kFactor ? least((1LL << 59) / longest, 1LL << 31) : kTickBound;
  if (!within(mode, kExact, kPick) || low < 1 || high < low || high >= most ||
      (mode == kPick && choices == 0))
    return at("limit out of range", "limit_a", r, g.limit_a[r]);
  for (i32 i = c; mode == kFactor && i + 1 < c + choices; ++i)
    if (g.choices[i + 1] <= g.choices[i])
      return at("choices do not rise", "choices", i + 1, g.choices[i + 1]);
  return check_atoms(g.choices, g.choice_alias, c, c + choices, 1, kTickBound - 1, "choices");
}

// How the gaps of a source are scaled: by `scale` / 65536 and by 10^6 / `ppm`.
struct Stretch {
  i64 scale;
  i64 ppm;
};

// The arrivals of row r, whose gaps are scaled between `least` and `most`.
std::string check_arrivals(const Model& m, i32 r, Stretch least, Stretch most) {
  const Generator& g = m.generator;
  if (!within(g.from[r], 0, kTickBound) || !within(g.until[r], 0, kTickBound))
    return at("time out of range", "from_tick", r, g.from[r]);
  const i32 events = g.event_offset[r + 1] - g.event_offset[r];
  Tick reached = 0;
  for (i32 i = g.event_offset[r]; i < g.event_offset[r + 1]; ++i) {
    const i64* e = g.events + 3LL * i;
    if (e[0] < reached || !within(e[0], 0, kTickBound - 1) || !within(e[1], 0, kTickBound - 1) ||
        !within(e[2], 0, 1 << 20))
      return at("event out of order or range", "events", i, e[0]);
    reached = e[0] + e[1];
  }
  if (events > 1 << 21) return at("too many events", "event_offset", r, events);
  if (events > 0) return "";
  const i64* gap = g.gap_nodes + static_cast<i64>(r) * 2 * kTableNodes;
  const std::string problem = check_table(gap, "gap_nodes");
  if (!problem.empty()) return problem;
  if (!within(g.gap_shift[r], 0, 40) || m.windows.horizon >= (1LL << (62 - g.gap_shift[r])) ||
      (g.profile[r] >= 0 && g.gap_shift[r] < kProfileShift))
    return at("shift out of range for this horizon", "gap_shift", r, g.gap_shift[r]);
  // the clock advances at least every other job only if both halves end at one unit or more
  if (gap[kTableNodes - 1] < 1 || gap[2 * kTableNodes - 1] < gap[kTableNodes - 1])
    return at("median gap is zero, or the halves do not meet", "gap_nodes", r,
              gap[2 * kTableNodes - 1]);
  // the arrival clock must advance, and 64 of the longest gaps must not overflow it
  const i64 longest = gap[kTableNodes], median = gap[kTableNodes - 1];
  if (longest > (1LL << 62) / most.scale ||
      ((longest * most.scale) >> 16) / most.ppm > (1LL << 56) / kMillion ||
      per_demand((median * least.scale) >> 16, least.ppm) < 1)
    return at("demand out of range for this gap table", "gap_nodes", r, longest);
  if (!within(g.profile[r], -1, g.profiles - 1))
    return at("no such profile", "source_profile", r, g.profile[r]);
  if (g.profile[r] >= 0 && !within(g.profile_start[r], 0, 1LL << 60))
    return at("profile start out of range", "profile_start", r, g.profile_start[r]);
  return "";
}

// Cumulative week profiles rise from 0 to the week.
std::string check_profiles(const Generator& g) {
  if (g.profiles == 0) return "";
  if (!within(g.week, 1, 1LL << 36) || !within(g.week_phase, 0, g.week))
    return at("week out of range", "week", 0, g.week);
  for (i32 p = 0; p < g.profiles; ++p) {
    const i64* cum = g.profile_cum + g.profile_offset[p];
    const i32 bins = g.profile_offset[p + 1] - g.profile_offset[p] - 1;
    if (bins < 1 || g.week % bins || cum[0] != 0 || cum[bins] != g.week << kProfileShift)
      return at("no week profile", "profile_cum", p, bins);
    for (i32 b = 0; b < bins; ++b)
      if (cum[b + 1] < cum[b]) return at("profile decreases", "profile_cum", b, cum[b + 1]);
  }
  return "";
}

// Leases that are clawed back, and how long jobs are held at first.
std::string check_holds(const Generator& g, i32 r) {
  const bool claws = g.claw_threshold[r] != 0;
  if (!within(g.claw_threshold[r], 0, 1LL << 32) ||
      !within(g.claw_after[r], claws ? 1 : 0, kTickBound - 1))
    return at("claw-back out of range", "claw_threshold", r, g.claw_threshold[r]);
  if (!within(g.call_period[r], 0, kTickBound - 1) ||
      !within(g.call_phase[r], 1 - kTickBound, greatest<i64>(g.call_period[r] - 1, 0)))
    return at("calls out of range", "call_period", r, g.call_period[r]);
  if (!within(g.users[r], 1, kMostUsersOfOne))
    return at("users out of range", "users", r, g.users[r]);
  const i32 t = g.hold[r];
  if (!within(t, -1, g.holds - 1)) return at("no such table of holds", "hold", r, t);
  if (t < 0) return "";
  const i64* nodes = g.hold_nodes + static_cast<i64>(t) * 2 * kTableNodes;
  const std::string problem = check_table(nodes, "hold_nodes");
  if (!problem.empty()) return problem;
  if (!within(g.hold_shift[t], 0, 40) || !within(g.hold_cap[t], 0, kValueBound - 1) ||
      !within(g.hold_cap_from[t], 0, 1LL << 32))
    return at("shift or cap out of range", "hold_cap", t, g.hold_cap[t]);
  const bool capped = g.hold_cap_from[t] < 1LL << 32;
  const i64 most = capped ? g.hold_cap[t] : least(nodes[kTableNodes], g.hold_cap[t]);
  if ((most >> g.hold_shift[t]) + 1 + g.call_period[r] >= kTickBound)
    return at("held for too long", "hold_nodes", t, most);
  return "";
}

std::string check_row(const Model& m, i32 r, Stretch least, Stretch most) {
  const Generator& g = m.generator;
  if (g.job_class[r] < 0 || g.job_class[r] >= m.classes.n)
    return at("unknown class", "source_class", r, g.job_class[r]);
  if (!g.active[r]) return "";
  std::string problem = check_arrivals(m, r, least, most);
  if (!problem.empty()) return problem;
  const i64* service = g.service_nodes + static_cast<i64>(r) * 2 * kTableNodes;
  problem = check_table(service, "service_nodes");
  if (!problem.empty()) return problem;
  if (!within(g.service_shift[r], 0, 40))
    return at("shift out of range", "service_shift", r, g.service_shift[r]);
  if (!within(g.service_cap[r], 0, kValueBound - 1) || !within(g.service_cap_from[r], 0, 1LL << 32))
    return at("cap out of range", "service_cap", r, g.service_cap[r]);
  const bool capped = g.service_cap_from[r] < 1LL << 32;
  const i64 most_value =
      capped ? g.service_cap[r] : gpusim::least(service[kTableNodes], g.service_cap[r]);
  const i64 longest = (most_value >> g.service_shift[r]) + 1;
  if (longest >= kTickBound) return at("service out of range", "service_nodes", r, longest);
  if (g.atom_offset[r + 1] == g.atom_offset[r])
    return at("source without GPU counts", "atom_offset", r, g.atom_offset[r]);
  problem = check_atoms(g.atom_gpus, g.atom_alias, g.atom_offset[r], g.atom_offset[r + 1], 1,
                        kHole - 1, "atom_gpus");
  if (!problem.empty()) return problem;
  problem = check_atoms(g.batch_sizes, g.batch_alias, g.batch_offset[r], g.batch_offset[r + 1], 1,
                        1 << 24, "batch_sizes");
  if (!problem.empty()) return problem;
  if (!within(g.spread[r], 0, 1LL << 36) || !within(g.common[r], 0, 65535))
    return at("batch out of range", "spread", r, g.spread[r]);
  if (!within(g.segment[r], 0, kTickBound - 1) || !within(g.delay[r], 0, kTickBound - 1) ||
      (g.segment[r] > 0 && longest / g.segment[r] > 1 << 24))
    return at("segment or delay out of range", "segment", r, g.segment[r]);
  problem = check_holds(g, r);
  if (!problem.empty()) return problem;
  if (!user_exists(m, g.job_class[r], g.users[r] - 1))
    return at("more users than the tenant has", "users", r, g.users[r]);
  return check_limits(g, r, longest);
}

std::string check_generator(const Ensemble& e) {
  const Generator& g = e.model.generator;
  const i32 rows = g.tables;
  const std::string profile_problem = check_profiles(g);
  if (!profile_problem.empty()) return profile_problem;
  Stretch shortest{65536, kMillion}, longest{65536, kMillion};
  for (i64 i = 0; i < e.n; ++i) {
    if (!within(e.draw[i], 0, g.draws - 1)) return at("no such draw", "draw", i, e.draw[i]);
    if (!within(e.demand_ppm[i], 1, 1LL << 32))
      return at("demand out of range", "demand_ppm", i, e.demand_ppm[i]);
    shortest.ppm = greatest(shortest.ppm, e.demand_ppm[i]);
    longest.ppm = least(longest.ppm, e.demand_ppm[i]);
  }
  if (g.demand_nodes) {
    const std::string problem = check_table(g.demand_nodes, "demand_nodes");
    if (!problem.empty()) return problem;
    shortest.scale = g.demand_nodes[0];
    longest.scale = greatest(g.demand_nodes[kTableNodes], 1LL);
  }
  for (i64 i = 0; i < static_cast<i64>(g.draws) * g.sources; ++i)
    if (!within(g.rows[i], 0, rows - 1)) return at("no such row", "rows", i, g.rows[i]);
  for (i32 r = 0; r < rows; ++r) {
    const std::string problem = check_row(e.model, r, shortest, longest);
    if (!problem.empty()) return problem;
    for (i64 k = g.event_offset[r]; g.active[r] && k < g.event_offset[r + 1]; ++k)
      if ((g.events[3 * k + 2] * shortest.ppm + kMillion - 1) / kMillion > kBlock)
        return at("more than 64 jobs in one event", "events", k, g.events[3 * k + 2]);
  }
  return "";
}

}  // namespace

std::string first_problem(const Ensemble& e) {
  for (const std::string& problem :
       {check_classes(e.model), check_lines(e.model), check_sharing(e.model), check_levels(e.model),
        check_policy(e.model)})
    if (!problem.empty()) return problem;
  i64 workloads = 0;
  const i32 pools = e.model.classes.pools;
  for (i64 i = 0; i < e.n; ++i) {
    for (i64 p = i * pools; p < (i + 1) * pools; ++p)
      if (e.gpus[p] < 0 || e.gpus[p] >= kHole)
        return at("capacity out of range", "gpus", p, e.gpus[p]);
    if (e.replication[i] < 0 || e.replication[i] > 0xffffffffLL)
      return at("replication out of range", "replication", i, e.replication[i]);
    workloads = greatest(workloads, e.replication[i] + 1);
  }
  const Sizes& z = e.sizes;
  const auto power_of_two = [](i32 n) { return n >= kLanes && (n & (n - 1)) == 0; };
  if (!power_of_two(z.running) || z.running > 1 << kSlotBits || !power_of_two(z.held) ||
      z.held > 1 << kSlotBits)
    return "running and held slots must be a power of two from 32 to 2^20 (" +
           std::to_string(z.running) + ", " + std::to_string(z.held) + ")";
  if (z.queue < kChunk || z.queue % kChunk || z.queue > kMostSlots)
    return "queue slots must be a multiple of 64, 64 to 2^27 (" + std::to_string(z.queue) + ")";
  if (z.profile < 4 || z.profile > kMostSlots || z.chains < 0 || z.chains > kMostSlots)
    return "profile needs 4 to 2^27 slots, chains 0 to 2^27";
  return e.model.stored.submit ? check_stored(e, workloads) : check_generator(e);
}

}  // namespace gpusim

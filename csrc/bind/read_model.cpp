#include "read_model.h"

#include <string>

#include "../core/demand.h"
#include "../core/sampler.h"
#include "../cpu/requests.h"

namespace gpusim::bind {
namespace {

using std::int32_t;
using std::int64_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

// Offsets that cut an array of `items` into `parts`: ascending from 0, and within it.
const int32_t* offsets(const py::dict& spec, const char* name, py::ssize_t parts,
                       py::ssize_t items) {
  const int32_t* o = array<int32_t>(spec, name, {parts + 1});
  for (py::ssize_t i = 0; i < parts; ++i)
    if (o[i] < 0 || o[i + 1] < o[i] || o[i + 1] > items)
      throw py::value_error(std::string("'") + name + "' is not ascending within its array");
  if (o[0] != 0) throw py::value_error(std::string("'") + name + "' must begin with 0");
  return o;
}

void read_classes(const py::dict& spec, Model* m) {
  py::ssize_t classes = 0, tenants = 0, slots = 0;
  Classes& k = m->classes;
  k.tier_rank = array<int32_t>(spec, "tier_rank", {-1}, &classes);
  k.n = static_cast<i32>(classes);
  if (classes < 1) throw py::value_error("'tier_rank' is empty: at least one class is needed");
  k.tiers = scalar<int32_t>(spec, "tiers");
  k.line = array<int32_t>(spec, "line", {classes});
  k.lines = scalar<int32_t>(spec, "lines");
  k.pools = scalar<int32_t>(spec, "n_pools");
  if (k.pools < 1) throw py::value_error("'n_pools' is below 1");
  k.tenant = array<int32_t>(spec, "tenant", {classes});
  k.patience = as_i64(array<int64_t>(spec, "patience", {classes}));
  k.killed_ok = array<uint8_t>(spec, "killed_ok", {classes});
  k.pool_list = array<int32_t>(spec, "pool_list", {-1}, &slots);
  k.pool_offset = offsets(spec, "pool_offset", classes, slots);
  Policy& p = m->policy;
  p.order = scalar<int32_t>(spec, "order");
  p.backfill = scalar<int32_t>(spec, "backfill");
  p.kill_at_limit = scalar<bool>(spec, "kill_at_limit");
  p.always_profile = scalar<bool>(spec, "always_profile");
  p.always_events = scalar<bool>(spec, "always_events");
  p.window = scalar<int64_t>(spec, "window");
  p.max_tests = scalar<int64_t>(spec, "max_tests");
  p.period = scalar<int64_t>(spec, "period");
  p.max_waiting = scalar<int64_t>(spec, "max_waiting");
  p.tenant_max_waiting = as_i64(array<int64_t>(spec, "tenant_max_waiting", {-1}, &tenants));
  k.tenants = static_cast<i32>(tenants);
  m->windows = Windows{scalar<int64_t>(spec, "warm_up"), scalar<int64_t>(spec, "count_end"),
                       scalar<int64_t>(spec, "horizon"), scalar<int64_t>(spec, "day"),
                       scalar<int64_t>(spec, "week_phase")};
}

void read_sharing(const py::dict& spec, Model* m) {
  if (!spec.contains("parent")) return;
  const py::ssize_t classes = m->classes.n, tenants = m->classes.tenants, pools = m->classes.pools;
  py::ssize_t nodes = 0;
  Sharing& s = m->sharing;
  s.on = 1;
  s.parent = array<int32_t>(spec, "parent", {-1}, &nodes);
  s.nodes = static_cast<i32>(nodes);
  s.root = array<int32_t>(spec, "root", {nodes});
  s.bottom_up = array<int32_t>(spec, "bottom_up", {nodes});
  s.amount = as_i64(array<int64_t>(spec, "amount", {kAmounts, nodes, pools}));
  s.is_share = array<uint8_t>(spec, "amount_is_share", {kAmounts, nodes, pools});
  s.preempts = scalar<bool>(spec, "preempts");
  s.unassigned = scalar<int32_t>(spec, "unassigned");
  s.borrowers_last = scalar<bool>(spec, "borrowers_last");
  s.strict = array<uint8_t>(spec, "strict", {tenants});
  s.within = array<uint8_t>(spec, "within", {tenants});
  s.reclaim = array<uint8_t>(spec, "reclaim", {tenants});
  s.borrows = array<uint8_t>(spec, "borrow_preempts", {tenants});
  s.threshold = array<int32_t>(spec, "borrow_threshold", {tenants});
  s.most_gpus = as_i64(array<int64_t>(spec, "tenant_max_gpus", {tenants}));
  s.most_jobs = as_i64(array<int64_t>(spec, "tenant_max_jobs", {tenants}));
  s.user_offset = array<int32_t>(spec, "user_offset", {tenants + 1});
  s.limits_users = s.user_offset[tenants] > 0;
  s.user_most_gpus = as_i64(array<int64_t>(spec, "user_max_gpus", {tenants}));
  s.user_most_jobs = as_i64(array<int64_t>(spec, "user_max_jobs", {tenants}));
  s.priority = array<int32_t>(spec, "priority", {classes});
  s.rising = array<int32_t>(spec, "rising", {classes});
  s.preemptible = array<uint8_t>(spec, "preemptible", {classes});
  s.urgent = array<uint8_t>(spec, "urgent", {classes});
  s.requeue = array<uint8_t>(spec, "requeue", {classes});
  s.exempt = as_i64(array<int64_t>(spec, "exempt", {classes}));
  s.grace = as_i64(array<int64_t>(spec, "grace", {classes}));
  s.checkpoint = as_i64(array<int64_t>(spec, "checkpoint", {classes}));
  s.checkpoint_cost = as_i64(array<int64_t>(spec, "checkpoint_cost", {classes}));
  s.restart = as_i64(array<int64_t>(spec, "restart", {classes}));
}

void read_fairness(const py::dict& spec, Model* m) {
  if (!spec.contains("account_parent")) return;
  py::ssize_t nodes = 0;
  Fairness& f = m->fairness;
  f.parent = array<int32_t>(spec, "account_parent", {-1}, &nodes);
  f.nodes = static_cast<i32>(nodes);
  f.weight = as_i64(array<int64_t>(spec, "fair_weight", {nodes}));
  f.qos = as_i64(array<int64_t>(spec, "qos", {m->classes.n}));
  f.period = scalar<int64_t>(spec, "calc_period");
  f.left = scalar<int64_t>(spec, "decay_q32");
  f.w_age = scalar<int64_t>(spec, "w_age");
  f.w_fairshare = scalar<int64_t>(spec, "w_fairshare");
  f.w_size = scalar<int64_t>(spec, "w_size");
  f.w_qos = scalar<int64_t>(spec, "w_qos");
  f.max_age = scalar<int64_t>(spec, "max_age");
  f.over_quota = scalar<int32_t>(spec, "over_quota");
  f.center_pools = scalar<int32_t>(spec, "center_pools");
}

void read_closures(const py::dict& spec, Model* m) {
  if (!spec.contains("closure_tick")) return;
  py::ssize_t n = 0;
  ClosureSteps& c = m->closures;
  c.tick = as_i64(array<int64_t>(spec, "closure_tick", {-1}, &n));
  c.n = static_cast<i32>(n);
  c.gpus = as_i64(array<int64_t>(spec, "closure_gpus", {n}));
  c.start = as_i64(array<int64_t>(spec, "closure_start", {n}));
  c.offset = offsets(spec, "closure_offset", m->classes.pools, n);
}

void read_levels(const py::dict& spec, Model* m) {
  py::ssize_t n = 0, pairs = 0;
  Slos& l = m->slos;
  l.metric = array<int32_t>(spec, "slo_metric", {-1}, &n);
  l.n = static_cast<i32>(n);
  l.share_ppm = as_i64(array<int64_t>(spec, "slo_share_ppm", {n}));
  l.bound = as_i64(array<int64_t>(spec, "slo_bound", {n}));
  l.gpus_low = array<int32_t>(spec, "slo_gpus_low", {n});
  l.gpus_high = array<int32_t>(spec, "slo_gpus_high", {n});
  l.hours_from = as_i64(array<int64_t>(spec, "slo_hours_from", {n}));
  l.hours_to = as_i64(array<int64_t>(spec, "slo_hours_to", {n}));
  l.days = array<int32_t>(spec, "slo_days", {n});
  l.class_slo = array<int32_t>(spec, "slo_class_list", {-1}, &pairs);
  l.class_limit = as_i64(array<int64_t>(spec, "slo_class_limit", {pairs}));
  l.class_offset = offsets(spec, "slo_class_offset", m->classes.n, pairs);
}

void read_stored(const py::dict& spec, Model* m) {
  py::ssize_t jobs = 0, workloads = 0;
  StoredJobs& s = m->stored;
  s.submit = as_i64(array<int64_t>(spec, "submit", {-1}, &jobs));
  s.service = as_i64(array<int64_t>(spec, "service", {jobs}));
  s.limit = as_i64(array<int64_t>(spec, "limit", {jobs}));
  s.gpus = array<int32_t>(spec, "gpus", {jobs});
  s.job_class = array<uint16_t>(spec, "job_class", {jobs});
  if (spec.contains("chain")) {
    s.chain = array<int32_t>(spec, "chain", {jobs});
    s.part = array<uint8_t>(spec, "part", {jobs});
    s.delay = as_i64(array<int64_t>(spec, "delay", {jobs}));
  }
  if (spec.contains("user")) s.user = array<int32_t>(spec, "user", {jobs});
  s.n = jobs;
  s.offset = as_i64(array<int64_t>(spec, "offset", {-1}, &workloads));
  if (workloads < 1) throw py::value_error("'offset' is empty");
}

void read_generator(const py::dict& spec, int64_t seed_bits, Model* m) {
  py::ssize_t r = 0, draws = 0, n = 0, profiles = 0;
  Generator& g = m->generator;
  g.seed = static_cast<u64>(seed_bits);
  g.key = array<uint32_t>(spec, "source_key", {-1}, &r);
  g.sources = scalar<int32_t>(spec, "n_sources");
  g.rows = array<int32_t>(spec, "rows", {-1, g.sources}, &draws);
  g.tables = static_cast<i32>(r);
  g.draws = static_cast<i32>(draws);
  g.job_class = array<int32_t>(spec, "source_class", {r});
  g.active = array<uint8_t>(spec, "source_active", {r});
  g.gap_nodes = as_i64(array<int64_t>(spec, "gap_nodes", {r, 2, kTableNodes}));
  g.gap_shift = array<int32_t>(spec, "gap_shift", {r});
  g.from = as_i64(array<int64_t>(spec, "from_tick", {r}));
  g.until = as_i64(array<int64_t>(spec, "until_tick", {r}));
  g.profile = array<int32_t>(spec, "source_profile", {r});
  g.profile_start = as_i64(array<int64_t>(spec, "profile_start", {r}));
  g.events = as_i64(array<int64_t>(spec, "events", {-1, 3}, &n));
  g.event_offset = offsets(spec, "event_offset", r, n);
  g.batch_sizes = array<int32_t>(spec, "batch_sizes", {-1}, &n);
  g.batch_threshold = as_u64(array<uint64_t>(spec, "batch_threshold", {n}));
  g.batch_alias = array<int32_t>(spec, "batch_alias", {n});
  g.batch_offset = offsets(spec, "batch_offset", r, n);
  g.spread = as_i64(array<int64_t>(spec, "spread", {r}));
  g.common = as_i64(array<int64_t>(spec, "common", {r}));
  g.service_nodes = as_i64(array<int64_t>(spec, "service_nodes", {r, 2, kTableNodes}));
  g.service_shift = array<int32_t>(spec, "service_shift", {r});
  g.service_cap = as_i64(array<int64_t>(spec, "service_cap", {r}));
  g.service_cap_from = as_i64(array<int64_t>(spec, "service_cap_from", {r}));
  g.atom_gpus = array<int32_t>(spec, "atom_gpus", {-1}, &n);
  g.atom_threshold = as_u64(array<uint64_t>(spec, "atom_threshold", {n}));
  g.atom_alias = array<int32_t>(spec, "atom_alias", {n});
  g.atom_offset = offsets(spec, "atom_offset", r, n);
  g.limit_mode = array<int32_t>(spec, "limit_mode", {r});
  g.limit_a = as_i64(array<int64_t>(spec, "limit_a", {r}));
  g.limit_b = as_i64(array<int64_t>(spec, "limit_b", {r}));
  g.choices = as_i64(array<int64_t>(spec, "choices", {-1}, &n));
  g.choice_threshold = as_u64(array<uint64_t>(spec, "choice_threshold", {n}));
  g.choice_alias = array<int32_t>(spec, "choice_alias", {n});
  g.choice_offset = offsets(spec, "choice_offset", r, n);
  g.segment = as_i64(array<int64_t>(spec, "segment", {r}));
  g.delay = as_i64(array<int64_t>(spec, "delay", {r}));
  g.claw_threshold = as_i64(array<int64_t>(spec, "claw_threshold", {r}));
  g.claw_after = as_i64(array<int64_t>(spec, "claw_after", {r}));
  g.call_period = as_i64(array<int64_t>(spec, "call_period", {r}));
  g.call_phase = as_i64(array<int64_t>(spec, "call_phase", {r}));
  g.hold = array<int32_t>(spec, "hold", {r});
  g.users = array<int32_t>(spec, "users", {r});
  g.hold_shift = array<int32_t>(spec, "hold_shift", {-1}, &n);
  g.holds = static_cast<i32>(n);
  g.hold_nodes = as_i64(array<int64_t>(spec, "hold_nodes", {n, 2, kTableNodes}));
  g.hold_cap = as_i64(array<int64_t>(spec, "hold_cap", {n}));
  g.hold_cap_from = as_i64(array<int64_t>(spec, "hold_cap_from", {n}));
  for (py::ssize_t row = 0; row < r; ++row)
    g.decides |= holds_jobs(g, static_cast<i32>(row)) || g.users[row] > 1 ? 1 : 0;
  g.profile_cum = as_i64(array<int64_t>(spec, "profile_cum", {-1}, &n));
  array<int32_t>(spec, "profile_offset", {-1}, &profiles);
  if (profiles < 1) throw py::value_error("'profile_offset' is empty");
  g.profiles = static_cast<i32>(profiles - 1);
  g.profile_offset = offsets(spec, "profile_offset", profiles - 1, n);
  g.week = scalar<int64_t>(spec, "week");
  g.week_phase = scalar<int64_t>(spec, "week_phase");
  if (spec.contains("demand_nodes"))
    g.demand_nodes = as_i64(array<int64_t>(spec, "demand_nodes", {2, kTableNodes}));
}

}  // namespace

Model read_model(const py::dict& spec, std::int64_t seed_bits) {
  Model m{};
  read_classes(spec, &m);
  read_sharing(spec, &m);
  read_fairness(spec, &m);
  read_closures(spec, &m);
  read_levels(spec, &m);
  if (spec.contains("submit"))
    read_stored(spec, &m);
  else
    read_generator(spec, seed_bits, &m);
  describe_requests(&m);
  return m;
}

}  // namespace gpusim::bind

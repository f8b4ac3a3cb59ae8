// gpusim._native.run and .generate: arrays in, arrays out. No logic: check, release the lock, call,
// wrap.
#include "register_run.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../core/simulate.h"
#include "../cpu/attended.h"
#include "../cpu/check.h"
#include "../cpu/ensemble.h"
#include "arrays.h"

namespace gpusim::bind {
namespace {

using std::int32_t;
using std::int64_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

// NumPy's int64 is `long` here and the core's i64 is `long long`: same width, other name.
const i64* as_i64(const int64_t* p) { return reinterpret_cast<const i64*>(p); }
const u64* as_u64(const uint64_t* p) { return reinterpret_cast<const u64*>(p); }

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

Model read_model(const py::dict& spec, int64_t seed_bits) {
  Model m{};
  read_classes(spec, &m);
  read_levels(spec, &m);
  if (spec.contains("submit"))
    read_stored(spec, &m);
  else
    read_generator(spec, seed_bits, &m);
  return m;
}

bool has_chains(const Model& m) {
  if (m.stored.submit) return m.stored.chain != nullptr;
  for (i32 r = 0; r < m.generator.tables; ++r)
    if (m.generator.segment[r] > 0) return true;
  return false;
}

i64* data(py::array_t<int64_t>& a) { return reinterpret_cast<i64*>(a.mutable_data()); }

i64 workloads(const py::dict& spec) { return py::len(spec["offset"]) - 1; }

// Signals and nothing else: what a call without progress asks every 50 ms.
bool no_signal() {
  py::gil_scoped_acquire locked;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  return true;
}

// One replication of a model whose jobs are wanted but not scheduled.
struct Replication {
  Ensemble e{};
  const i64 number;
  const i32 draw;
  const i64 demand_ppm;
  std::vector<i32> gpus;

  Replication(const py::dict& spec, int64_t replication, int32_t the_draw, int64_t demand,
              int64_t seed)
      : number(replication), draw(the_draw), demand_ppm(demand) {
    e.model = read_model(spec, seed);
    gpus.assign(static_cast<size_t>(e.model.classes.pools), 0);
    e.n = 1;
    e.replication = &number;
    e.draw = &draw;
    e.demand_ppm = &demand_ppm;
    e.gpus = gpus.data();
    e.sizes = Sizes{kLanes, kChunk, 4, kLanes, 0};
    if (e.model.stored.submit && replication >= workloads(spec))
      throw py::index_error("no such workload");
    const std::string problem = first_problem(e);
    if (!problem.empty()) throw py::value_error(problem);
  }
  Replication(const Replication&) = delete;
  Replication& operator=(const Replication&) = delete;
};

// Calls each(job) for all jobs of the replication, in job-index order.
template <class F>
void stream_jobs(const Replication& r, F each) {
  run_attended(
      [&](const volatile i32* stop) {
        Scratch<OneLane> scratch;
        const i64 bytes = carve_scratch<OneLane>(r.e.model, r.e.sizes, nullptr, &scratch);
        std::vector<char> memory(static_cast<size_t>(bytes) + 64);
        char* aligned = memory.data() + (64 - reinterpret_cast<size_t>(memory.data()) % 64);
        carve_scratch<OneLane>(r.e.model, r.e.sizes, aligned, &scratch);
        JobStream<OneLane> stream;
        stream.open(r.e.model, scratch.blocks, cell_of(r.e, 0));
        while (stream.head != kNoKey && !read_flag(stop)) each(stream.take());
      },
      no_signal);
}

i64 count_jobs(const Replication& r) {
  i64 total = 0;
  stream_jobs(r, [&total](const Job&) { ++total; });
  return total;
}

int64_t count(const py::dict& spec, int64_t replication, int32_t draw, int64_t demand_ppm,
              int64_t seed) {
  const Replication r(spec, replication, draw, demand_ppm, seed);
  py::gil_scoped_release unlocked;
  return count_jobs(r);
}

// Jobs of one replication, in job-index order; `after` is the row of a job's predecessor.
py::dict generate(const py::dict& spec, int64_t replication, int32_t draw, int64_t demand_ppm,
                  int64_t seed) {
  const Replication r(spec, replication, draw, demand_ppm, seed);
  std::vector<Job> jobs;
  {
    py::gil_scoped_release unlocked;
    stream_jobs(r, [&jobs](const Job& job) { jobs.push_back(job); });
  }
  const auto n = static_cast<py::ssize_t>(jobs.size());
  auto submit = make<int64_t>({n}), service = make<int64_t>({n}), limit = make<int64_t>({n});
  auto after = make<int64_t>({n}), delay = make<int64_t>({n});
  auto gpus = make<int32_t>({n});
  auto job_class = make<uint16_t>({n});
  std::vector<int64_t> last;  // of each chain
  for (py::ssize_t i = 0; i < n; ++i) {
    const Job& job = jobs[static_cast<size_t>(i)];
    submit.mutable_data()[i] = job.submit;
    service.mutable_data()[i] = job.service;
    limit.mutable_data()[i] = job.limit;
    gpus.mutable_data()[i] = job.gpus;
    job_class.mutable_data()[i] = static_cast<uint16_t>(job.job_class);
    const auto c = static_cast<size_t>(job.chain);
    if (job.chain >= 0 && last.size() <= c) last.resize(c + 1, -1);
    after.mutable_data()[i] = job.part & kFollows ? last[c] : -1;
    delay.mutable_data()[i] = job.delay;
    if (job.chain >= 0) last[c] = i;
  }
  py::dict out;
  out["submit"] = submit;
  out["service"] = service;
  out["limit"] = limit;
  out["gpus"] = gpus;
  out["job_class"] = job_class;
  out["after"] = after;
  out["delay"] = delay;
  return out;
}

py::dict run(const py::dict& spec, const py::dict& cells, int64_t seed, bool early, bool histogram,
             int64_t records, int threads, int lanes, int running_slots, int queue_slots,
             int profile_slots, int held_slots, int chain_slots, const py::object& progress) {
  py::ssize_t n = 0;
  Ensemble e{};
  e.model = read_model(spec, seed);
  e.model.early = early;
  e.replication = as_i64(array<int64_t>(cells, "replication", {-1}, &n));
  e.draw = array<int32_t>(cells, "draw", {n});
  e.demand_ppm = as_i64(array<int64_t>(cells, "demand_ppm", {n}));
  e.gpus = array<int32_t>(cells, "gpus", {n, e.model.classes.pools});
  e.n = n;
  e.sizes = Sizes{running_slots, queue_slots, profile_slots, held_slots,
                  has_chains(e.model) ? chain_slots : 0};
  e.lanes = lanes;
  e.threads = threads;
  if (lanes != 1 && lanes != kLanes) throw py::value_error("lanes must be 1 or 32");
  if (records >= 0 && n != 1) throw py::value_error("records are kept for one cell at a time");
  if (e.model.stored.submit)
    for (py::ssize_t i = 0; i < n; ++i)
      if (e.replication[i] >= workloads(spec))
        throw py::index_error("a cell names a workload that does not exist");
  const std::string problem = first_problem(e);
  if (!problem.empty()) throw py::value_error(problem);
  if (records >= 0) {
    const Replication r(spec, e.replication[0], e.draw[0], e.demand_ppm[0], seed);
    if (records < count_jobs(r)) throw py::value_error("fewer records than jobs");
  }

  const py::ssize_t c = e.model.classes.n, s = e.model.slos.n;
  py::dict out;
  auto status = make<int32_t>({n}), first_violated = make<int32_t>({n});
  auto counts = make<int64_t>({n, c, kCounts}), sums = make<int64_t>({n, c, kSums});
  auto slo = make<int64_t>({n, s, kSloCounts}), integrals = make<int64_t>({n, kIntegrals});
  auto extremes = make<int64_t>({n, kExtremes}), jobs = make<int64_t>({n});
  auto passed = make<uint8_t>({n});
  auto pool_gpu_ticks = make<int64_t>({n, e.model.classes.pools});
  e.out = Outputs{status.mutable_data(),
                  data(counts),
                  data(sums),
                  data(slo),
                  data(pool_gpu_ticks),
                  data(integrals),
                  data(extremes),
                  data(jobs),
                  passed.mutable_data(),
                  first_violated.mutable_data(),
                  nullptr,
                  Records{}};
  if (histogram) {
    auto bins = make<int64_t>({n, c, kBins});
    e.out.histogram = data(bins);
    out["histogram"] = bins;
  }
  if (records >= 0) {
    auto submit = make<int64_t>({records}), eligible = make<int64_t>({records}),
         start = make<int64_t>({records}), end = make<int64_t>({records});
    auto gpus = make<int32_t>({records}), job_class = make<int32_t>({records}),
         pool = make<int32_t>({records});
    auto outcome = make<uint8_t>({records});
    for (int64_t i = 0; i < records; ++i) {
      submit.mutable_data()[i] = eligible.mutable_data()[i] = -1;
      start.mutable_data()[i] = end.mutable_data()[i] = pool.mutable_data()[i] = -1;
      gpus.mutable_data()[i] = job_class.mutable_data()[i] = outcome.mutable_data()[i] = 0;
    }
    e.out.records = Records{data(submit),        data(eligible),        data(start),
                            data(end),           gpus.mutable_data(),   job_class.mutable_data(),
                            pool.mutable_data(), outcome.mutable_data()};
    py::dict kept;
    kept["submit"] = submit;
    kept["eligible"] = eligible;
    kept["pool"] = pool;
    kept["start"] = start;
    kept["end"] = end;
    kept["gpus"] = gpus;
    kept["job_class"] = job_class;
    kept["outcome"] = outcome;
    out["records"] = kept;
  }

  EnsembleReport report{};
  {
    py::gil_scoped_release unlocked;
    report = run_ensemble(e, [&progress](i64 done, i64 total) {
      py::gil_scoped_acquire locked;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      return progress.is_none() || !progress(done, total).equal(py::bool_(false));
    });
  }
  out["status"] = status;
  out["counts"] = counts;
  out["sums"] = sums;
  out["slo"] = slo;
  out["pool_gpu_ticks"] = pool_gpu_ticks;
  out["passed"] = passed;
  out["first_violated"] = first_violated;
  out["integrals"] = integrals;
  out["extremes"] = extremes;
  out["jobs"] = jobs;
  out["reruns"] = report.reruns;
  py::dict room;
  room["running_slots"] = report.room.running;
  room["queue_slots"] = report.room.queue;
  room["profile_slots"] = report.room.profile;
  room["held_slots"] = report.room.held;
  room["chain_slots"] = report.room.chains;
  out["room"] = room;
  return out;
}

}  // namespace

void register_run(py::module_& m) {
  m.def("run", &run, py::arg("spec"), py::arg("cells"), py::kw_only(), py::arg("seed"),
        py::arg("early") = false, py::arg("histogram") = false, py::arg("records") = -1,
        py::arg("threads") = 1, py::arg("lanes") = 1, py::arg("running_slots") = 1024,
        py::arg("queue_slots") = 1024, py::arg("profile_slots") = 2048, py::arg("held_slots") = 64,
        py::arg("chain_slots") = 64, py::arg("progress") = py::none(),
        "Simulate cells; returns a dict of arrays, one row per cell (see ARCHITECTURE.md 2).");
  m.def("count_jobs", &count, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("draw") = 0, py::arg("demand_ppm") = 1000000, py::arg("seed"),
        "Number of jobs of one replication that are submitted before the horizon.");
  m.def("generate", &generate, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("draw") = 0, py::arg("demand_ppm") = 1000000, py::arg("seed"),
        "Jobs of one replication in job-index order, as a dict of arrays.");
  m.def(
      "usable_cores", [](const std::string& root) { return usable_cores(root.c_str()); },
      py::arg("cgroup_root") = "/sys/fs/cgroup",
      "Cores this process may use: affinity, then cgroup quota.");
}

}  // namespace gpusim::bind

// gpusim._native.run and .generate: arrays in, arrays out. No logic: check, release the lock, call,
// wrap.
#include "register_run.h"

#include <cstdint>
#include <functional>
#include <memory>

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

Model read_model(const py::dict& spec, int64_t seed_bits) {
  Model m{};
  py::ssize_t classes = 0, tenants = 0, slos = 0, jobs = 0;
  m.classes.tier_rank = array<int32_t>(spec, "tier_rank", {-1}, &classes);
  m.classes.n = static_cast<i32>(classes);
  if (classes < 1) throw py::value_error("'tier_rank' is empty: at least one class is needed");
  m.classes.tiers = scalar<int32_t>(spec, "tiers");
  m.classes.tenant = array<int32_t>(spec, "tenant", {classes});
  m.classes.patience = as_i64(array<int64_t>(spec, "patience", {classes}));
  m.policy.backfill = scalar<int32_t>(spec, "backfill");
  m.policy.kill_at_limit = scalar<bool>(spec, "kill_at_limit");
  m.policy.always_profile = scalar<bool>(spec, "always_profile");
  m.policy.max_waiting = scalar<int64_t>(spec, "max_waiting");
  m.policy.tenant_max_waiting = as_i64(array<int64_t>(spec, "tenant_max_waiting", {-1}, &tenants));
  m.classes.tenants = static_cast<i32>(tenants);
  m.windows = Windows{scalar<int64_t>(spec, "warm_up"), scalar<int64_t>(spec, "count_end"),
                      scalar<int64_t>(spec, "horizon")};
  m.slos.limit = as_i64(array<int64_t>(spec, "slo_limit", {-1}, &slos));
  m.slos.n = static_cast<i32>(slos);
  m.slos.share_ppm = as_i64(array<int64_t>(spec, "slo_share_ppm", {slos}));
  m.slos.class_offset = array<int32_t>(spec, "slo_class_offset", {classes + 1});
  if (m.slos.class_offset[0] != 0) throw py::value_error("'slo_class_offset' must begin with 0");
  for (py::ssize_t c = 0; c < classes; ++c)
    if (m.slos.class_offset[c + 1] < m.slos.class_offset[c])
      throw py::value_error("'slo_class_offset' decreases");
  m.slos.class_slo = array<int32_t>(spec, "slo_class_list", {m.slos.class_offset[classes]});
  if (spec.contains("submit")) {
    StoredJobs& s = m.stored;
    s.submit = as_i64(array<int64_t>(spec, "submit", {-1}, &jobs));
    s.service = as_i64(array<int64_t>(spec, "service", {jobs}));
    s.limit = as_i64(array<int64_t>(spec, "limit", {jobs}));
    s.gpus = array<int32_t>(spec, "gpus", {jobs});
    s.job_class = array<uint16_t>(spec, "job_class", {jobs});
    s.n = jobs;
    py::ssize_t offsets = 0;
    s.offset = as_i64(array<int64_t>(spec, "offset", {-1}, &offsets));
    if (offsets < 1) throw py::value_error("'offset' is empty");
  } else {
    Generator& g = m.generator;
    py::ssize_t atoms = 0;
    g.seed = static_cast<u64>(seed_bits);
    g.key = array<uint32_t>(spec, "source_key", {classes});
    g.active = array<uint8_t>(spec, "source_active", {classes});
    g.gap_nodes = as_i64(array<int64_t>(spec, "gap_nodes", {classes, 2, kTableNodes}));
    g.gap_shift = array<int32_t>(spec, "gap_shift", {classes});
    g.service_nodes = as_i64(array<int64_t>(spec, "service_nodes", {classes, 2, kTableNodes}));
    g.service_shift = array<int32_t>(spec, "service_shift", {classes});
    g.atom_gpus = array<int32_t>(spec, "atom_gpus", {-1}, &atoms);
    g.atom_threshold = as_u64(array<uint64_t>(spec, "atom_threshold", {atoms}));
    g.atom_alias = array<int32_t>(spec, "atom_alias", {atoms});
    g.atom_offset = array<int32_t>(spec, "atom_offset", {classes + 1});
    for (py::ssize_t c = 0; c < classes; ++c)
      if (g.atom_offset[c] < 0 || g.atom_offset[c + 1] < g.atom_offset[c] ||
          g.atom_offset[c + 1] > atoms)
        throw py::value_error("'atom_offset' is not ascending within the atoms");
    g.limit_mode = array<int32_t>(spec, "limit_mode", {classes});
    g.limit_a = as_i64(array<int64_t>(spec, "limit_a", {classes}));
    g.limit_b = as_i64(array<int64_t>(spec, "limit_b", {classes}));
    if (spec.contains("demand_nodes"))
      g.demand_nodes = as_i64(array<int64_t>(spec, "demand_nodes", {2, kTableNodes}));
  }
  return m;
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
  const i32 gpus = 0;

  Replication(const py::dict& spec, int64_t replication, int64_t seed) : number(replication) {
    e.model = read_model(spec, seed);
    e.n = 1;
    e.replication = &number;
    e.gpus = &gpus;
    e.sizes = Sizes{kLanes, 4, 4};
    if (e.model.stored.submit && replication >= workloads(spec))
      throw py::index_error("no such workload");
    const std::string problem = first_problem(e);
    if (!problem.empty()) throw py::value_error(problem);
  }
  Replication(const Replication&) = delete;
  Replication& operator=(const Replication&) = delete;
};

i64 count_jobs(const Replication& r) {
  std::vector<i64> counted(static_cast<size_t>(r.e.model.classes.n), 0);
  run_attended(
      [&](const volatile i32* stop) {
        Model model = r.e.model;
        model.stop = stop;
        Tick block[kBlock];
        count_arrivals<OneLane>(model, r.number, 0, model.windows.horizon, block, counted.data());
      },
      no_signal);
  i64 total = 0;
  for (const i64 n : counted) total += n;
  return total;
}

int64_t count(const py::dict& spec, int64_t replication, int64_t seed) {
  const Replication r(spec, replication, seed);
  py::gil_scoped_release unlocked;
  return count_jobs(r);
}

// Jobs of one replication, in job-index order.
py::dict generate(const py::dict& spec, int64_t replication, int64_t seed) {
  const Replication r(spec, replication, seed);
  std::vector<Job> jobs;
  {
    py::gil_scoped_release unlocked;
    run_attended(
        [&](const volatile i32* stop) {
          Scratch<OneLane> scratch;
          const i64 bytes = carve_scratch<OneLane>(r.e.model, r.e.sizes, nullptr, &scratch);
          std::vector<char> memory(static_cast<size_t>(bytes) + 64);
          char* aligned = memory.data() + (64 - reinterpret_cast<size_t>(memory.data()) % 64);
          carve_scratch<OneLane>(r.e.model, r.e.sizes, aligned, &scratch);
          JobStream<OneLane> stream;
          stream.open(r.e.model, scratch.blocks, r.number);
          while (stream.head != kNoKey && !read_flag(stop)) jobs.push_back(stream.take());
        },
        no_signal);
  }
  const auto n = static_cast<py::ssize_t>(jobs.size());
  auto submit = make<int64_t>({n}), service = make<int64_t>({n}), limit = make<int64_t>({n});
  auto gpus = make<int32_t>({n});
  auto job_class = make<uint16_t>({n});
  for (py::ssize_t i = 0; i < n; ++i) {
    const Job& job = jobs[static_cast<size_t>(i)];
    submit.mutable_data()[i] = job.submit;
    service.mutable_data()[i] = job.service;
    limit.mutable_data()[i] = job.limit;
    gpus.mutable_data()[i] = job.gpus;
    job_class.mutable_data()[i] = static_cast<uint16_t>(job.job_class);
  }
  py::dict out;
  out["submit"] = submit;
  out["service"] = service;
  out["limit"] = limit;
  out["gpus"] = gpus;
  out["job_class"] = job_class;
  return out;
}

py::dict run(const py::dict& spec, const py::dict& cells, int64_t seed, bool early, bool histogram,
             int64_t records, int threads, int lanes, int running_slots, int queue_slots,
             int profile_slots, const py::object& progress) {
  py::ssize_t n = 0;
  Ensemble e{};
  e.model = read_model(spec, seed);
  e.model.early = early;
  e.replication = as_i64(array<int64_t>(cells, "replication", {-1}, &n));
  e.gpus = array<int32_t>(cells, "gpus", {n});
  e.n = n;
  e.sizes = Sizes{running_slots, queue_slots, profile_slots};
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
    const Replication r(spec, e.replication[0], seed);
    if (records < count_jobs(r)) throw py::value_error("fewer records than jobs");
  }

  const py::ssize_t c = e.model.classes.n, s = e.model.slos.n;
  py::dict out;
  auto status = make<int32_t>({n}), first_violated = make<int32_t>({n});
  auto counts = make<int64_t>({n, c, kCounts}), sums = make<int64_t>({n, c, kSums});
  auto slo = make<int64_t>({n, s, kSloCounts}), integrals = make<int64_t>({n, kIntegrals});
  auto extremes = make<int64_t>({n, kExtremes}), jobs = make<int64_t>({n});
  auto passed = make<uint8_t>({n});
  e.out = Outputs{status.mutable_data(),
                  data(counts),
                  data(sums),
                  data(slo),
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
    auto submit = make<int64_t>({records}), start = make<int64_t>({records}),
         end = make<int64_t>({records});
    auto gpus = make<int32_t>({records}), job_class = make<int32_t>({records});
    auto outcome = make<uint8_t>({records});
    for (int64_t i = 0; i < records; ++i) {
      submit.mutable_data()[i] = start.mutable_data()[i] = end.mutable_data()[i] = -1;
      gpus.mutable_data()[i] = job_class.mutable_data()[i] = outcome.mutable_data()[i] = 0;
    }
    e.out.records = Records{data(submit),
                            data(start),
                            data(end),
                            gpus.mutable_data(),
                            job_class.mutable_data(),
                            outcome.mutable_data()};
    py::dict kept;
    kept["submit"] = submit;
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
  out["passed"] = passed;
  out["first_violated"] = first_violated;
  out["integrals"] = integrals;
  out["extremes"] = extremes;
  out["jobs"] = jobs;
  out["reruns"] = report.reruns;
  return out;
}

}  // namespace

void register_run(py::module_& m) {
  m.def("run", &run, py::arg("spec"), py::arg("cells"), py::kw_only(), py::arg("seed"),
        py::arg("early") = false, py::arg("histogram") = false, py::arg("records") = -1,
        py::arg("threads") = 1, py::arg("lanes") = 1, py::arg("running_slots") = 1024,
        py::arg("queue_slots") = 1024, py::arg("profile_slots") = 2048,
        py::arg("progress") = py::none(),
        "Simulate cells; returns a dict of arrays, one row per cell (see ARCHITECTURE.md 2).");
  m.def("count_jobs", &count, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("seed"),
        "Number of jobs of one replication that are submitted before the horizon.");
  m.def("generate", &generate, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("seed"), "Jobs of one replication in job-index order, as a dict of arrays.");
  m.def(
      "usable_cores", [](const std::string& root) { return usable_cores(root.c_str()); },
      py::arg("cgroup_root") = "/sys/fs/cgroup",
      "Cores this process may use: affinity, then cgroup quota.");
}

}  // namespace gpusim::bind

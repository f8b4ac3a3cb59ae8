// gpusim._native.run: arrays in, arrays out. No logic: check, release the lock, call, wrap.
#include "register_run.h"

#include <cstdint>
#include <string>

#include "../core/simulate.h"
#include "../cpu/ensemble.h"
#include "arrays.h"
#include "read_ensemble.h"
#include "register_jobs.h"

namespace gpusim::bind {
namespace {

using std::int32_t;
using std::int64_t;
using std::uint8_t;

py::dict run(const py::dict& spec, const py::dict& cells, int64_t seed, bool early, bool histogram,
             bool causes, int64_t records, int threads, int lanes, int running_slots,
             int queue_slots, int profile_slots, int held_slots, int chain_slots,
             const py::object& progress) {
  if (lanes != 1 && lanes != kLanes) throw py::value_error("lanes must be 1 or 32");
  Ensemble e =
      read_ensemble(spec, cells, seed, early,
                    Room{running_slots, queue_slots, profile_slots, held_slots, chain_slots});
  e.lanes = lanes;
  e.threads = threads;
  const auto n = static_cast<py::ssize_t>(e.n);
  if (records >= 0 && n != 1) throw py::value_error("records are kept for one cell at a time");
  if (records >= 0) {
    if (records < count_jobs(e)) throw py::value_error("fewer records than jobs");
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
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  Records{}};
  if (e.model.sharing.on) {
    auto evictions = make<int64_t>({n, c, kEvictionSums}), cascade = make<int64_t>({n});
    e.out.evictions = data(evictions);
    e.out.cascade = data(cascade);
    out["evictions"] = evictions;
    out["longest_cascade"] = cascade;
  } else if (causes) {
    throw py::value_error("causes are told where tenants share the center");
  }
  if (causes) {
    auto why = make<int64_t>({n, c, kCauses}),
         idle = make<int64_t>({n, e.model.classes.pools, kIdles});
    e.out.causes = data(why);
    e.out.idle = data(idle);
    out["causes"] = why;
    out["idle"] = idle;
  }
  if (histogram) {
    auto bins = make<int64_t>({n, c, kBins});
    e.out.histogram = data(bins);
    out["histogram"] = bins;
  }
  if (records >= 0) {
    auto submit = make<int64_t>({records}), eligible = make<int64_t>({records}),
         start = make<int64_t>({records}), end = make<int64_t>({records});
    auto gpus = make<int32_t>({records}), job_class = make<int32_t>({records}),
         pool = make<int32_t>({records}), preemptions = make<int32_t>({records});
    auto outcome = make<uint8_t>({records});
    for (int64_t i = 0; i < records; ++i) {
      submit.mutable_data()[i] = eligible.mutable_data()[i] = -1;
      start.mutable_data()[i] = end.mutable_data()[i] = pool.mutable_data()[i] = -1;
      gpus.mutable_data()[i] = job_class.mutable_data()[i] = outcome.mutable_data()[i] = 0;
      preemptions.mutable_data()[i] = 0;
    }
    e.out.records =
        Records{data(submit),        data(eligible),         data(start),
                data(end),           gpus.mutable_data(),    job_class.mutable_data(),
                pool.mutable_data(), outcome.mutable_data(), preemptions.mutable_data()};
    py::dict kept;
    kept["submit"] = submit;
    kept["eligible"] = eligible;
    kept["pool"] = pool;
    kept["start"] = start;
    kept["end"] = end;
    kept["gpus"] = gpus;
    kept["job_class"] = job_class;
    kept["outcome"] = outcome;
    kept["preemptions"] = preemptions;
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
        py::arg("early") = false, py::arg("histogram") = false, py::arg("causes") = false,
        py::arg("records") = -1, py::arg("threads") = 1, py::arg("lanes") = 1,
        py::arg("running_slots") = 1024, py::arg("queue_slots") = 1024,
        py::arg("profile_slots") = 2048, py::arg("held_slots") = 64, py::arg("chain_slots") = 64,
        py::arg("progress") = py::none(),
        "Simulate cells; returns a dict of arrays, one row per cell (see ARCHITECTURE.md 2).");
  m.def(
      "usable_cores", [](const std::string& root) { return usable_cores(root.c_str()); },
      py::arg("cgroup_root") = "/sys/fs/cgroup",
      "Cores this process may use: affinity, then cgroup quota.");
}

}  // namespace gpusim::bind

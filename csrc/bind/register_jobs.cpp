// gpusim._native.generate, .count_jobs and .offered: what jobs there are, without scheduling them.
// No logic: check, release the lock, call, wrap.
#include "register_jobs.h"

#include <cstdint>
#include <string>
#include <vector>

#include "../cpu/attended.h"
#include "../cpu/check.h"
#include "../cpu/each_job.h"
#include "../cpu/offered.h"
#include "arrays.h"
#include "read_model.h"

namespace gpusim::bind {
namespace {

using std::int32_t;
using std::int64_t;
using std::uint16_t;
using std::uint8_t;

// Signals and nothing else: what a call without progress asks every 50 ms.
bool no_signal() {
  py::gil_scoped_acquire locked;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  return true;
}

// Replications of a model whose jobs are wanted but not scheduled.
class Replications {
 public:
  Replications(const py::dict& spec, const i64* replication, i64 n, int32_t draw, int64_t demand,
               int64_t seed)
      : draw_(static_cast<size_t>(n), draw), demand_(static_cast<size_t>(n), demand) {
    e_.model = read_model(spec, seed);
    gpus_.assign(static_cast<size_t>(n * e_.model.classes.pools), 0);
    e_.n = n;
    e_.replication = replication;
    e_.draw = draw_.data();
    e_.demand_ppm = demand_.data();
    e_.gpus = gpus_.data();
    e_.sizes = Sizes{kLanes, kChunk, 4, kLanes, 0};
    if (e_.model.stored.submit)
      for (i64 i = 0; i < n; ++i)
        if (replication[i] >= workloads(spec)) throw py::index_error("no such workload");
    const std::string problem = first_problem(e_);
    if (!problem.empty()) throw py::value_error(problem);
  }
  Replications(const Replications&) = delete;
  Replications& operator=(const Replications&) = delete;

  const Ensemble& cells() const { return e_; }
  Ensemble& cells() { return e_; }

 private:
  Ensemble e_{};
  std::vector<i32> draw_, gpus_;
  std::vector<i64> demand_;
};

// Calls each(job) for all jobs of cell 0, in job-index order; the interpreter's lock is released.
template <class F>
void stream_jobs(const Ensemble& e, F each) {
  run_attended(
      [&](const volatile i32* stop) {
        each_job(e.model, cell_of(e, 0), StreamMemory(e.model), stop, each);
      },
      no_signal);
}

int64_t count(const py::dict& spec, int64_t replication, int32_t draw, int64_t demand_ppm,
              int64_t seed) {
  const i64 number = replication;
  const Replications r(spec, &number, 1, draw, demand_ppm, seed);
  py::gil_scoped_release unlocked;
  return count_jobs(r.cells());
}

// Jobs of one replication, in job-index order; `after` is the row of a job's predecessor.
py::dict generate(const py::dict& spec, int64_t replication, int32_t draw, int64_t demand_ppm,
                  int64_t seed) {
  const i64 number = replication;
  const Replications r(spec, &number, 1, draw, demand_ppm, seed);
  std::vector<Job> jobs;
  {
    py::gil_scoped_release unlocked;
    stream_jobs(r.cells(), [&jobs](const Job& job) { jobs.push_back(job); });
  }
  const auto n = static_cast<py::ssize_t>(jobs.size());
  auto submit = make<int64_t>({n}), service = make<int64_t>({n}), limit = make<int64_t>({n});
  auto after = make<int64_t>({n}), delay = make<int64_t>({n});
  auto gpus = make<int32_t>({n}), user = make<int32_t>({n});
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
    user.mutable_data()[i] = user_of(job.part);
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
  out["user"] = user;
  return out;
}

// Offered load of replications at ticks k 2^shift, and what marked classes ask for between them.
py::dict offered(const py::dict& spec, const py::dict& which, int64_t seed, int64_t demand_ppm,
                 int shift, int64_t instants, int threads) {
  py::ssize_t n = 0;
  const int64_t* replication = array<int64_t>(which, "replication", {-1}, &n);
  Replications r(spec, as_i64(replication), n, 0, demand_ppm, seed);
  r.cells().threads = threads;
  const uint8_t* marked = array<uint8_t>(which, "marked", {r.cells().model.classes.n});
  if (shift < 0 || shift > 40) throw py::value_error("shift must be within 0..40");
  if (instants < 1) throw py::value_error("instants must be at least 1");
  auto held = make<int64_t>({n, instants}), asked = make<int64_t>({n, instants});
  const OfferedLoad out{shift, instants, marked, data(held), data(asked)};
  {
    py::gil_scoped_release unlocked;
    offered_load(r.cells(), out, [](i64, i64) { return no_signal(); });
  }
  py::dict result;
  result["held"] = held;
  result["asked"] = asked;
  return result;
}

}  // namespace

i64 count_jobs(const Ensemble& e) {
  i64 total = 0;
  stream_jobs(e, [&total](const Job&) { ++total; });
  return total;
}

void register_jobs(py::module_& m) {
  m.def("count_jobs", &count, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("draw") = 0, py::arg("demand_ppm") = 1000000, py::arg("seed"),
        "Number of jobs of one replication that are submitted before the horizon.");
  m.def("generate", &generate, py::arg("spec"), py::arg("replication"), py::kw_only(),
        py::arg("draw") = 0, py::arg("demand_ppm") = 1000000, py::arg("seed"),
        "Jobs of one replication in job-index order, as a dict of arrays.");
  m.def("offered", &offered, py::arg("spec"), py::arg("which"), py::kw_only(), py::arg("seed"),
        py::arg("demand_ppm") = 1000000, py::arg("shift"), py::arg("instants"),
        py::arg("threads") = 1,
        "Offered load of replications over time, as a dict of arrays, one row per replication.");
}

}  // namespace gpusim::bind

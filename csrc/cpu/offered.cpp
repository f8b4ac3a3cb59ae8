#include "offered.h"

#include <algorithm>
#include <vector>

#include "each_job.h"
#include "workers.h"

namespace gpusim {
namespace {

// One replication's offered load: what changes between instants first, then its sums.
class Curve {
 public:
  Curve(const Model& model, const OfferedLoad& out, i64 row)
      : model_(model),
        out_(out),
        held_(out.held + row * out.instants),
        asked_(out.asked + row * out.instants) {
    std::fill_n(held_, out.instants, 0);
    std::fill_n(asked_, out.instants, 0);
  }

  void add(const Job& job) {
    const Tick start = eligible(job);
    const Tick run = model_.policy.kill_at_limit ? least(job.service, job.limit) : job.service;
    change(held_, start, job.gpus);
    change(held_, start + run, -job.gpus);
    if (job.chain >= 0) end_[static_cast<size_t>(job.chain)] = start + run;
    const bool counted =
        model_.windows.warm_up <= job.submit && job.submit < model_.windows.count_end;
    if (counted && out_.marked[job.job_class]) change(asked_, job.submit, job.gpus);
  }

  void close() {
    for (i64 k = 1; k < out_.instants; ++k) held_[k] += held_[k - 1];
  }

 private:
  // A segment becomes eligible some time after its predecessor's end (R39), any other job after its submit (S35).
  Tick eligible(const Job& job) {
    if (job.chain < 0) return job.submit + job.delay;
    const auto c = static_cast<size_t>(job.chain);
    if (end_.size() <= c) end_.resize(c + 1, 0);
    return job.part & kFollows ? greatest(job.submit, end_[c] + job.delay) : job.submit + job.delay;
  }

  // Notes GPUs at the first instant that is not before a tick.
  void change(i64* column, Tick tick, i64 gpus) {
    const i64 k = (tick + (Tick{1} << out_.shift) - 1) >> out_.shift;
    if (k < out_.instants) column[k] += gpus;
  }

  const Model& model_;
  const OfferedLoad& out_;
  i64* const held_;
  i64* const asked_;
  std::vector<Tick> end_;  // of the last job of each chain
};

}  // namespace

i64 offered_load(const Ensemble& e, const OfferedLoad& out,
                 const std::function<bool(i64, i64)>& poll) {
  Pieces cells(e.n);
  work_through(
      cells, least<i64>(greatest(e.threads, 1), greatest<i64>(e.n, 1)),
      [&] {
        const StreamMemory memory(e.model);
        for (i64 i; cells.take(&i);) {
          Curve curve(e.model, out, i);
          each_job(e.model, cell_of(e, i), memory, cells.stop(),
                   [&](const Job& job) { curve.add(job); });
          curve.close();
          if (!read_flag(cells.stop())) cells.done();
        }
      },
      [&](i64 done) { return poll(done, e.n); });
  return cells.completed();
}

}  // namespace gpusim

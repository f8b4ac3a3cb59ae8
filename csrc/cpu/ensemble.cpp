#include "ensemble.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "run_cell.h"
#include "workers.h"

namespace gpusim {
namespace {

constexpr i32 kMostRunning = 1 << kSlotBits;  // keys hold this many slots
constexpr i32 kMostQueue = 1 << 27;
constexpr i32 kMostProfile = 1 << 28;
constexpr i32 kMostHeld = 1 << kSlotBits;
constexpr i32 kMostChains = 1 << 27;

// Doubles the structure that was full; false when it has reached its bound.
bool grow(Sizes* sizes, Status full) {
  switch (full) {
    case kRunningFull:
      sizes->running *= 2;
      return sizes->running <= kMostRunning;
    case kQueueFull:
      sizes->queue *= 2;
      return sizes->queue <= kMostQueue;
    case kProfileFull:
      sizes->profile *= 2;
      return sizes->profile <= kMostProfile;
    case kHeldFull:
      sizes->held *= 2;
      return sizes->held <= kMostHeld;
    case kChainsFull:
      sizes->chains *= 2;
      return sizes->chains <= kMostChains;
    default:
      return false;
  }
}

Sizes larger(const Sizes& a, const Sizes& b) {
  return Sizes{greatest(a.running, b.running), greatest(a.queue, b.queue),
               greatest(a.profile, b.profile), greatest(a.held, b.held),
               greatest(a.chains, b.chains)};
}

Status run_by_build(const Model& model, const Cell& cell, Scratch<OneLane>& scratch,
                    const RunResult& result) {
  return run_cell(model, cell, scratch, result);
}
template <class S>  // emulated lanes
Status run_by_build(const Model& model, const Cell& cell, Scratch<S>& scratch,
                    const RunResult& result) {
  return simulate<S>(model, cell, scratch, result);
}

template <class S>
class Worker {  // the working memory of one thread
 public:
  Worker(const Model& model, const Sizes& sizes) : model_(model), sizes_(sizes) { allocate(); }

  Status run(const Cell& cell, const RunResult& result, i64* reruns) {
    for (;;) {
      const Status status = run_by_build(model_, cell, scratch_, result);
      if (!grow(&sizes_, status)) return status;
      ++*reruns;
      allocate();
    }
  }
  const Sizes& sizes() const { return sizes_; }

 private:
  void allocate() {  // not set to zero: most of it is never touched, and a run sets what it reads
    const size_t bytes = static_cast<size_t>(carve_scratch<S>(model_, sizes_, nullptr, &scratch_));
    memory_.reset();
    memory_.reset(new char[bytes + 64]);
    char* aligned = memory_.get() + (64 - reinterpret_cast<size_t>(memory_.get()) % 64);
    carve_scratch<S>(model_, sizes_, aligned, &scratch_);
  }

  const Model& model_;
  Sizes sizes_;
  std::unique_ptr<char[]> memory_;
  Scratch<S> scratch_;
};

// What a run adds to at every job, apart from the outputs: rows of neighbouring cells share cache lines, over which
// two threads would fight.
class Accounts {
 public:
  explicit Accounts(const Model& m)
      : counts_(static_cast<size_t>(m.classes.n) * kCounts + kLine),
        sums_(static_cast<size_t>(m.classes.n) * kSums + kLine),
        slo_(static_cast<size_t>(m.slos.n) * kSloCounts + kLine),
        pool_gpu_ticks_(static_cast<size_t>(m.classes.pools) + kLine) {}

  // The row of cell i, with these in place of its outputs.
  RunResult in_place_of(RunResult row) {
    row.counts = counts_.data();
    row.sums = sums_.data();
    row.slo = slo_.data();
    row.pool_gpu_ticks = pool_gpu_ticks_.data();
    return row;
  }
  void enter(const RunResult& row) const {
    std::copy(counts_.begin(), counts_.end() - kLine, row.counts);
    std::copy(sums_.begin(), sums_.end() - kLine, row.sums);
    std::copy(slo_.begin(), slo_.end() - kLine, row.slo);
    std::copy(pool_gpu_ticks_.begin(), pool_gpu_ticks_.end() - kLine, row.pool_gpu_ticks);
  }

 private:
  static constexpr i64 kLine =
      8;  // numbers of a cache line: nothing of another thread begins in it
  std::vector<i64> counts_, sums_, slo_, pool_gpu_ticks_;
};

RunResult row(const Ensemble& e, i64 i) {
  const i64 c = e.model.classes.n, s = e.model.slos.n;
  const Outputs& o = e.out;
  RunResult r{};
  r.counts = o.counts + i * c * kCounts;
  r.sums = o.sums + i * c * kSums;
  r.slo = o.slo + i * s * kSloCounts;
  r.pool_gpu_ticks = o.pool_gpu_ticks + i * e.model.classes.pools;
  r.integrals = o.integrals + i * kIntegrals;
  r.extremes = o.extremes + i * kExtremes;
  r.jobs = o.jobs + i;
  r.passed = o.passed + i;
  r.first_violated = o.first_violated + i;
  r.histogram = o.histogram ? o.histogram + i * c * kBins : nullptr;
  r.evictions = o.evictions ? o.evictions + i * c * kEvictionSums : nullptr;
  r.cascade = o.cascade ? o.cascade + i : nullptr;
  r.causes = o.causes ? o.causes + i * c * kCauses : nullptr;
  r.idle = o.idle ? o.idle + i * e.model.classes.pools * kIdles : nullptr;
  r.records = o.records;
  return r;
}

}  // namespace

Cell cell_of(const Ensemble& e, i64 i) {
  return Cell{e.replication[i], e.draw[i], e.demand_ppm[i], e.gpus + i * e.model.classes.pools};
}

EnsembleReport run_ensemble(const Ensemble& e, const std::function<bool(i64, i64)>& poll) {
  for (i64 i = 0; i < e.n; ++i) e.out.status[i] = kNotRun;
  Pieces cells(e.n);
  Model model = e.model;
  model.stop = cells.stop();
  std::atomic<i64> reruns{0};
  std::mutex mutex;
  Sizes room = e.sizes;
  const auto work = [&](auto strips) {
    Worker<decltype(strips)> worker(model, e.sizes);
    Accounts accounts(model);
    for (i64 i; cells.take(&i);) {
      i64 repeated = 0;
      const RunResult out = row(e, i);
      e.out.status[i] = worker.run(cell_of(e, i), accounts.in_place_of(out), &repeated);
      accounts.enter(out);
      reruns += repeated;
      if (e.out.status[i] == kOk) cells.done();
    }
    std::lock_guard<std::mutex> lock(mutex);
    room = larger(room, worker.sizes());
  };
  work_through(
      cells, least<i64>(greatest(e.threads, 1), greatest<i64>(e.n, 1)),
      [&] {
        if (e.lanes == kLanes)
          work(WarpStrips<EmulatedLanes>{});
        else
          work(OneLane{});
      },
      [&](i64 done) { return poll(done, e.n); });
  return EnsembleReport{cells.completed(), reruns, room};
}

}  // namespace gpusim

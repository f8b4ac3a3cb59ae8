#include "ensemble.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "../core/simulate.h"

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

template <class S>
class Worker {  // the working memory of one thread
 public:
  Worker(const Model& model, const Sizes& sizes) : model_(model), sizes_(sizes) { allocate(); }

  Status run(const Cell& cell, const RunResult& result, i64* reruns) {
    for (;;) {
      const Status status = simulate<S>(model_, cell, scratch_, result);
      if (!grow(&sizes_, status)) return status;
      ++*reruns;
      allocate();
    }
  }
  const Sizes& sizes() const { return sizes_; }

 private:
  void allocate() {
    memory_.clear();
    memory_.shrink_to_fit();
    memory_.resize(static_cast<size_t>(carve_scratch<S>(model_, sizes_, nullptr, &scratch_)) + 64);
    char* aligned = memory_.data() + (64 - reinterpret_cast<size_t>(memory_.data()) % 64);
    carve_scratch<S>(model_, sizes_, aligned, &scratch_);
  }

  const Model& model_;
  Sizes sizes_;
  std::vector<char> memory_;
  Scratch<S> scratch_;
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
  r.records = o.records;
  return r;
}

// State shared by the workers and the waiting caller.
struct Desk {
  std::atomic<i64> next{0}, done{0}, reruns{0};
  std::atomic<int> working{0};
  i32 stop = 0;  // read and raised by many threads: stopped(), stop_all()
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr error;
  Sizes room;

  bool stopped() const { return read_flag(&stop) != 0; }
  void stop_all() { __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); }
};

template <class S>
void work(const Ensemble& e, const Model& model, Desk& desk) {
  try {
    Worker<S> worker(model, e.sizes);
    for (i64 i; !desk.stopped() && (i = desk.next.fetch_add(1)) < e.n;) {
      i64 reruns = 0;
      const Status status = worker.run(cell_of(e, i), row(e, i), &reruns);
      e.out.status[i] = status;
      desk.reruns += reruns;
      if (status == kOk) ++desk.done;
    }
    std::lock_guard<std::mutex> lock(desk.mutex);
    desk.room = larger(desk.room, worker.sizes());
  } catch (...) {
    std::lock_guard<std::mutex> lock(desk.mutex);
    if (!desk.error) desk.error = std::current_exception();
    desk.stop_all();
  }
  std::lock_guard<std::mutex> lock(desk.mutex);
  if (--desk.working == 0) desk.finished.notify_one();
}

}  // namespace

Cell cell_of(const Ensemble& e, i64 i) {
  return Cell{e.replication[i], e.draw[i], e.demand_ppm[i], e.gpus + i * e.model.classes.pools};
}

EnsembleReport run_ensemble(const Ensemble& e, const std::function<bool(i64, i64)>& poll) {
  for (i64 i = 0; i < e.n; ++i) e.out.status[i] = kNotRun;
  Desk desk;
  desk.room = e.sizes;
  Model model = e.model;
  model.stop = &desk.stop;
  const i64 threads = least<i64>(greatest(e.threads, 1), greatest<i64>(e.n, 1));
  desk.working = static_cast<int>(threads);
  std::vector<std::thread> pool;
  pool.reserve(static_cast<size_t>(threads));
  try {
    while (static_cast<i64>(pool.size()) < threads)
      pool.emplace_back([&] {
        if (e.lanes == kLanes)
          work<WarpStrips<EmulatedLanes>>(e, model, desk);
        else
          work<OneLane>(e, model, desk);
      });
  } catch (const std::system_error&) {  // no more threads to be had: those that run do all the work
    if (pool.empty()) throw;
    std::lock_guard<std::mutex> lock(desk.mutex);
    desk.working -= static_cast<int>(threads - static_cast<i64>(pool.size()));
  }
  std::exception_ptr poll_error;
  {
    std::unique_lock<std::mutex> lock(desk.mutex);
    while (!desk.finished.wait_for(lock, std::chrono::milliseconds(50),
                                   [&] { return desk.working == 0; })) {
      lock.unlock();
      try {
        if (!poll_error && !poll(desk.done, e.n)) desk.stop_all();
      } catch (...) {
        poll_error = std::current_exception();
        desk.stop_all();
      }
      lock.lock();
    }
  }
  for (std::thread& t : pool) t.join();
  if (poll_error) std::rethrow_exception(poll_error);
  if (desk.error) std::rethrow_exception(desk.error);
  return EnsembleReport{desk.done, desk.reruns, desk.room};
}

}  // namespace gpusim

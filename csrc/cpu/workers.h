// Numbered pieces of work on several threads, taken from one counter.
//
// The calling thread does no work: it waits, and every 50 ms calls `poll`; when poll returns false
// or throws, the flag `stop` is raised and the call returns or rethrows once the workers have
// returned. No thread outlives the call, so a process may fork afterwards.
#pragma once
#include <atomic>
#include <functional>

#include "../core/types.h"

namespace gpusim {

class Pieces {
 public:
  explicit Pieces(i64 n) : n_(n) {}
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  // The next piece; false when there is none or the work shall stop.
  bool take(i64* piece) { return !read_flag(&stop_) && (*piece = next_.fetch_add(1)) < n_; }
  void done() { ++done_; }
  i64 completed() const { return done_; }
  const volatile i32* stop() const { return &stop_; }
  void stop_all() { __atomic_store_n(&stop_, 1, __ATOMIC_RELAXED); }

 private:
  const i64 n_;
  std::atomic<i64> next_{0}, done_{0};
  i32 stop_ = 0;  // read and raised by many threads: read_flag(), stop_all()
};

// Calls worker() on up to `threads` threads, each of which takes pieces until there are no more.
// `poll(completed)` returns whether to go on. What a worker or poll throws is rethrown.
void work_through(Pieces& pieces, i64 threads, const std::function<void()>& worker,
                  const std::function<bool(i64)>& poll);

}  // namespace gpusim

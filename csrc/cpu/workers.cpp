#include "workers.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace gpusim {

void work_through(Pieces& pieces, i64 threads, const std::function<void()>& worker,
                  const std::function<bool(i64)>& poll) {
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr error, poll_error;
  i64 working = threads;
  const auto body = [&] {
    std::exception_ptr mine;
    try {
      worker();
    } catch (...) {
      mine = std::current_exception();
      pieces.stop_all();
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (mine && !error) error = mine;
    if (--working == 0) finished.notify_one();
  };
  std::vector<std::thread> pool;
  pool.reserve(static_cast<size_t>(threads));
  try {
    while (static_cast<i64>(pool.size()) < threads) pool.emplace_back(body);
  } catch (const std::system_error&) {  // no more threads to be had: those that run do all the work
    if (pool.empty()) throw;
    std::lock_guard<std::mutex> lock(mutex);
    working -= threads - static_cast<i64>(pool.size());
  }
  {
    std::unique_lock<std::mutex> lock(mutex);
    while (!finished.wait_for(lock, std::chrono::milliseconds(50), [&] { return working == 0; })) {
      lock.unlock();
      try {
        if (!poll_error && !poll(pieces.completed())) pieces.stop_all();
      } catch (...) {
        poll_error = std::current_exception();
        pieces.stop_all();
      }
      lock.lock();
    }
  }
  for (std::thread& t : pool) t.join();
  if (poll_error) std::rethrow_exception(poll_error);
  if (error) std::rethrow_exception(error);
}

}  // namespace gpusim

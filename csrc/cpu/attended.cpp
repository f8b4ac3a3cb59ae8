#include "attended.h"

#include <chrono>
#include <exception>
#include <future>

namespace gpusim {

void run_attended(const std::function<void(const volatile i32* stop)>& work,
                  const std::function<bool()>& poll) {
  i32 stop = 0;  // read by the work through read_flag
  const auto raise = [&] { __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); };
  std::exception_ptr poll_error;
  std::future<void> done = std::async(std::launch::async, [&] { work(&stop); });
  while (done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (read_flag(&stop)) continue;
    try {
      if (!poll()) raise();
    } catch (...) {
      poll_error = std::current_exception();
      raise();
    }
  }
  if (poll_error) std::rethrow_exception(poll_error);
  done.get();
}

}  // namespace gpusim

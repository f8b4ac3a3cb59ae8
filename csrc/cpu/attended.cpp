#include "attended.h"

#include <chrono>
#include <exception>
#include <future>

namespace gpusim {

void run_attended(const std::function<void(const volatile i32* stop)>& work,
                  const std::function<bool()>& poll) {
  volatile i32 stop = 0;
  std::exception_ptr poll_error;
  std::future<void> done = std::async(std::launch::async, [&] { work(&stop); });
  while (done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (stop) continue;
    try {
      if (!poll()) stop = 1;
    } catch (...) {
      poll_error = std::current_exception();
      stop = 1;
    }
  }
  if (poll_error) std::rethrow_exception(poll_error);
  done.get();
}

}  // namespace gpusim

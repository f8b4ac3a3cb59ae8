// One piece of work on a thread of its own while the caller stays responsive: every 50 ms the
// caller's `poll` is asked; when it returns false or throws, the work's stop flag is set, the
// thread is joined, and the call returns or rethrows.
#pragma once
#include <functional>

#include "../core/types.h"

namespace gpusim {

void run_attended(const std::function<void(const volatile i32* stop)>& work,
                  const std::function<bool()>& poll);

}  // namespace gpusim

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "ensemble.h"

namespace gpusim {
namespace {

// quota / period of a cgroup in whole cores (rounded up), or 0 when there is no quota.
int quota_cores(const std::string& root) {
  double quota = -1, period = 0;
  std::ifstream v2(root + "/cpu.max");
  std::string text;
  if (v2 >> text >> period) {
    if (text == "max") return 0;
    quota = std::strtod(text.c_str(), nullptr);
  } else {
    std::ifstream q(root + "/cpu/cpu.cfs_quota_us"), p(root + "/cpu/cpu.cfs_period_us");
    if (!(q >> quota) || !(p >> period)) return 0;
  }
  return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

}  // namespace

int usable_cores(const char* cgroup_root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const int quota = quota_cores(cgroup_root);
  return std::max(1, quota ? std::min(cores, quota) : cores);
}

}  // namespace gpusim

// Admission by lowest weighted share (S33, Kueue's fair sharing).
#pragma once
#include "center.h"
#include "types.h"

namespace gpusim {

// What the tenant of a waiting job would borrow in all pools with it, over the tenant's weight: a key that orders like the
// quotient. The job counts in the first pool that may ever hold it.
template <class S>
HD_CALL i64 weighted_share(const Center<S>& center, const Job& job) {
  const Quota<S>& quota = center.tenants.quota;
  const i32 tenant = center.model->classes.tenant[job.job_class];
  const i32 own = center.allowed_pool(
      job.job_class, [&](i32 p) { return center.may_ever(job.job_class, p, job.gpus); });
  i64 borrowed = 0;
  ROLLED
  for (i32 p = 0; p < center.pools; ++p) {
    const i64 k = quota.at(tenant, p), more = p == own ? job.gpus : 0;
    borrowed += greatest<i64>(0, quota.used[k] + more - quota.nominal[k]);
  }
  return borrowed == 0 ? 0 : level_key(borrowed, center.model->fairness.weight[tenant]);
}

}  // namespace gpusim

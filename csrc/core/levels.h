// Service levels: which jobs a level judges, and its verdict on one job (R38, S12).
//
// Wait, slowdown and "turned away" judge each job; turnaround judges a chain as a whole, by its first
// job, or a single job. A level judges a job if its class is a member, its gang size lies in the
// level's range, and it was submitted in the level's hours.
#pragma once
#include "job.h"
#include "model.h"
#include "types.h"

namespace gpusim {

// Whether level s counts a job or chain of this submit tick and size.
HD bool in_scope(const Model& m, i32 s, Tick submit, i32 gpus) {
  const Slos& l = m.slos;
  if (gpus < l.gpus_low[s] || gpus > l.gpus_high[s]) return false;
  const Tick from = l.hours_from[s], to = l.hours_to[s];
  if (from == to && l.days[s] == 127) return true;
  const Tick clock = submit + m.windows.week_phase;
  i64 day = clock / m.windows.day;
  const Tick hour = clock - day * m.windows.day;
  if (from < to && (hour < from || hour >= to)) return false;
  if (from > to) {
    if (hour < from && hour >= to) return false;
    if (hour < to) day += 6;  // after midnight: the hours began the day before
  }
  return (l.days[s] >> (day % 7)) & 1;
}

// Whether a metric judges this job when it is submitted: turnaround only the first of a chain.
HD bool opens(i32 metric, i32 part) { return metric != kTurnaroundMetric || !(part & kFollows); }

// Whether a turnaround is too slow for a slowdown limit in thousandths.
HD bool too_slow(Tick turnaround, Tick service, Tick bound, i64 limit) {
  // turnaround * 1000 > limit * max(service, bound), both sides below 2^63 (checked on the host)
  return turnaround * 1000 > limit * greatest(service, bound);
}

}  // namespace gpusim

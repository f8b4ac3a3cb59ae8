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

// What is looked up for every job, together.
struct Level {
  i32 gpus_low;  // gang sizes
  i32 gpus_high;
  i32 metric;    // Metric
  i32 any_time;  // 1: at any hour of any day
};

HD Level level_of(const Slos& l, i32 s) {
  const bool any_time = l.hours_from[s] == l.hours_to[s] && l.days[s] == 127;
  return Level{l.gpus_low[s], l.gpus_high[s], l.metric[s], any_time ? 1 : 0};
}

// Whether a level counts jobs or chains of this submit tick.
HD bool in_hours(const Model& m, i32 s, Tick submit) {
  const Slos& l = m.slos;
  const Tick from = l.hours_from[s], to = l.hours_to[s];
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

// Whether level s counts a job or chain of this submit tick and size.
HD bool in_scope(const Model& m, i32 s, const Level& l, Tick submit, i32 gpus) {
  return gpus >= l.gpus_low && gpus <= l.gpus_high && (l.any_time || in_hours(m, s, submit));
}

// Whether a metric judges this job when it is submitted: turnaround only the first of a chain.
HD bool opens(i32 metric, i32 part) { return metric != kTurnaroundMetric || !(part & kFollows); }

// Whether a turnaround is too slow for a slowdown limit in thousandths.
HD bool too_slow(Tick turnaround, Tick service, Tick bound, i64 limit) {
  // turnaround * 1000 > limit * max(service, bound), both sides below 2^63 (checked on the host)
  return turnaround * 1000 > limit * greatest(service, bound);
}

}  // namespace gpusim

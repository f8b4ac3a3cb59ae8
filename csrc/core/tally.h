// What a run measures: exact integers only, so no order of summation can matter.
//
// Jobs submitted in [warm_up, count_end) are counted; time integrals cover the same window (R33,
// R37, R38).
// Histogram bins: a wait below 128 ticks has its own bin; above, every octave is cut into 128 bins
// (relative width below 1/128). Bin of w >= 128 with e = floor(log2 w):
//   (e - 6) * 128 + ((w >> (e - 7)) & 127); the last bin takes the rest.
#pragma once
#include "model.h"
#include "status.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kBins = 128 * 34;  // waits up to 2^40 ticks have their own bins

HD i32 wait_bin(Tick wait) {
  if (wait < 128) return static_cast<i32>(wait);
  const i32 high = static_cast<i32>(static_cast<u64>(wait) >> 31);
  const i32 e = high ? 31 + floor_log2(static_cast<u32>(high)) : floor_log2(static_cast<u32>(wait));
  if (e >= 40) return kBins - 1;
  return (e - 6) * 128 + static_cast<i32>((wait >> (e - 7)) & 127);
}

template <class S>
struct Tally {
  const Model* model;
  RunResult out;
  i64* budget;    // (S,) violations a level can bear before its verdict is certain (early runs)
  i64 undecided;  // counted jobs that wait
  i64 jobs;       // submitted
  i64 max_waiting;
  i64 max_running;
  Tick end_tick;  // last tick in which something happened
  i32 broken;     // a level beyond its budget, or -1
  i64 integral[kIntegrals];

  HD bool counted(Tick submit) const {
    return submit >= model->windows.warm_up && submit < model->windows.count_end;
  }

  HD void clear() {
    const i32 c = model->classes.n, s = model->slos.n;
    const RunResult o = out;
    S::each(c * kCounts, [o](i32 i) { o.counts[i] = 0; });
    S::each(c * kSums, [o](i32 i) { o.sums[i] = 0; });
    S::each(s * kSloCounts, [o](i32 i) { o.slo[i] = 0; });
    if (o.histogram) S::each(c * kBins, [o](i32 i) { o.histogram[i] = 0; });
    undecided = jobs = max_waiting = max_running = 0;
    end_tick = 0;
    broken = -1;
    for (i32 i = 0; i < kIntegrals; ++i) integral[i] = 0;
  }

  // Time passes from `from` to `to` with this many GPUs and jobs.
  HD void advance(Tick from, Tick to, i64 allocated, i64 running, i64 waiting, i64 waiting_gpus) {
    const Tick dt = overlap(from, to);
    if (dt <= 0) return;
    integral[kAllocated] += dt * allocated;
    integral[kWaitingJobs] += dt * waiting;
    integral[kWaitingGpus] += dt * waiting_gpus;
    integral[kRunningJobs] += dt * running;
  }

  HD void submitted(i64 job, Tick submit, i32 gpus, i32 c) {
    ++jobs;
    if (counted(submit)) {
      add(c, kSubmittedCount);
      ++undecided;
    }
    if (out.records.submit)
      S::once([&] {
        const Records& r = out.records;
        r.submit[job] = submit;
        r.start[job] = r.end[job] = -1;
        r.gpus[job] = gpus;
        r.job_class[job] = c;
        r.outcome[job] = kWaiting;
      });
  }

  // A job that will never start: rejected, refused or impatient. Every level of its class is
  // violated (R38).
  HD void turned_away(i64 job, Tick submit, i32 c, Count why, Outcome outcome) {
    if (counted(submit)) {
      add(c, why);
      --undecided;
      decide(c, [](Tick) { return kViolated; });
    }
    record_outcome(job, outcome);
  }

  HD void started(i64 job, Tick submit, Tick now, i32 c) {
    if (counted(submit)) {
      const Tick wait = now - submit;
      add(c, kStartedCount);
      S::once([&] { out.sums[c * kSums + kWaitSum] += wait; });
      if (out.histogram)
        S::once([&] { ++out.histogram[static_cast<i64>(c) * kBins + wait_bin(wait)]; });
      --undecided;
      decide(c, [wait](Tick limit) { return wait <= limit ? kMet : kViolated; });
    }
    if (out.records.submit)
      S::once([&] {
        out.records.start[job] = now;
        out.records.outcome[job] = kRunning;
      });
  }

  HD void ended(i64 job, Tick submit, Tick start, Tick now, i32 gpus, i32 c, bool killed) {
    used(start, now, gpus, c);
    if (counted(submit)) {
      add(c, killed ? kKilledLimitCount : kFinishedCount);
      S::once([&] { out.sums[c * kSums + kTurnaroundSum] += now - submit; });
    }
    if (out.records.submit) S::once([&] { out.records.end[job] = now; });
    record_outcome(job, killed ? kKilledLimit : kFinished);
  }

  HD void still_running(Tick submit, Tick start, Tick horizon, i32 gpus, i32 c) {
    used(start, horizon, gpus, c);
    if (counted(submit)) add(c, kRunningCount);
  }

  // Waiting at the end of the run: late if it has waited longer than the limit already, else
  // unknown (R38).
  HD void still_waiting(Tick submit, Tick horizon, i32 c) {
    if (!counted(submit)) return;
    add(c, kWaitingCount);
    const Tick waited = horizon - submit;
    decide(c, [waited](Tick limit) { return waited > limit ? kViolated : kCensored; });
  }

  HD void settled(i64 waiting, i64 running) {
    max_waiting = greatest(max_waiting, waiting);
    max_running = greatest(max_running, running);
  }

  HD void finish() {
    bool pass = broken < 0;
    ROLLED
    for (i32 s = 0; s < model->slos.n; ++s) {
      const i64 met = out.slo[s * kSloCounts + kMet];
      const i64 violated = out.slo[s * kSloCounts + kViolated];
      if (met * 1000000 < model->slos.share_ppm[s] * (met + violated)) {
        pass = false;
        if (broken < 0) broken = s;
      }
    }
    S::once([&] {
      for (i32 i = 0; i < kIntegrals; ++i) out.integrals[i] = integral[i];
      out.extremes[kMaxWaiting] = max_waiting;
      out.extremes[kMaxRunning] = max_running;
      out.extremes[kEndTick] = end_tick;
      *out.jobs = jobs;
      *out.passed = pass ? 1 : 0;
      *out.first_violated = broken;
    });
  }

 private:
  HD Tick overlap(Tick from, Tick to) const {
    return least(to, model->windows.count_end) - greatest(from, model->windows.warm_up);
  }
  HD void add(i32 c, i32 column) {
    S::once([&] { ++out.counts[c * kCounts + column]; });
  }
  HD void used(Tick start, Tick end, i32 gpus, i32 c) {
    const Tick dt = overlap(start, end);
    if (dt > 0) S::once([&] { out.sums[c * kSums + kGpuTicksSum] += dt * gpus; });
  }
  HD void record_outcome(i64 job, Outcome outcome) {
    if (out.records.submit) S::once([&] { out.records.outcome[job] = static_cast<u8>(outcome); });
  }
  template <class F>
  HD void decide(i32 c, F verdict) {
    const Slos& slos = model->slos;
    ROLLED
    for (i32 k = slos.class_offset[c]; k < slos.class_offset[c + 1]; ++k) {
      const i32 s = slos.class_slo[k];
      const SloCount column = verdict(slos.limit[s]);
      S::once([&] { ++out.slo[s * kSloCounts + column]; });
      if (!model->early || column != kViolated || broken >= 0) continue;
      if (out.slo[s * kSloCounts + kViolated] > budget[s]) broken = s;
    }
  }
};

}  // namespace gpusim

// What a run measures: exact integers only, so no order of summation can matter.
//
// Jobs submitted in [warm_up, count_end) are counted; time integrals cover the same window (R33,
// R37, R38).
// Histogram bins: a wait below 128 ticks has its own bin; above, every octave is cut into 128 bins
// (relative width below 1/128). Bin of w >= 128 with e = floor(log2 w):
//   (e - 6) * 128 + ((w >> (e - 7)) & 127); the last bin takes the rest.
#pragma once
#include "chains.h"
#include "job.h"
#include "levels.h"
#include "model.h"
#include "running.h"
#include "status.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kAtEnd = 1 << kSlowdownMetric | 1 << kTurnaroundMetric | 1 << kPreemptionsMetric;
constexpr i32 kBins = 128 * 34;  // waits up to 2^40 ticks have their own bins

HD i32 wait_bin(Tick wait) {
  if (wait < 128) return static_cast<i32>(wait);
  const i32 high = static_cast<i32>(static_cast<u64>(wait) >> 31);
  const i32 e = high ? 31 + floor_log2(static_cast<u32>(high)) : floor_log2(static_cast<u32>(wait));
  if (e >= 40) return kBins - 1;
  return (e - 6) * 128 + static_cast<i32>((wait >> (e - 7)) & 127);
}

// Jobs of a class that lived inside the window, from submit to end, and were not killed: added up first,
// entered once (see lived).
struct Lives {
  i64 jobs;
  i64 wait;       // job-ticks
  i64 wait_gpus;  // GPU-ticks
  i64 run;
  i64 run_gpus;
};

template <class S>
struct Tally {
  const Model* model;
  RunResult out;
  Tick warm_up;    // of the model's windows: jobs submitted in [warm_up, count_end) are counted
  Tick count_end;  //
  i32 early;       // 1: the run ends when its verdict is certain
  i64* budget;     // (S,) violations a level can bear before its verdict is certain (early runs)
  i64* opened;     // (S,) jobs or chains that each level has begun to judge (early runs)
  Level* level;    // (S,)
  Lives* lives;    // (C,)
  u8* metrics;     // (C,) bit m: some level judges metric m of this class
  i64 undecided;   // judgements that are still open: pairs of a counted job or chain and a level
  i64 jobs;        // submitted
  i64 max_waiting;
  i64 max_running;
  Tick end_tick;  // last tick in which something happened
  i32 broken;     // a level beyond its budget, or -1
  i64 integral[kIntegrals];

  HD bool counted(Tick submit) const { return submit >= warm_up && submit < count_end; }

  HD void clear() {
    const i32 c = model->classes.n, s = model->slos.n;
    const RunResult o = out;
    warm_up = model->windows.warm_up;
    count_end = model->windows.count_end;
    early = model->early;
    S::each(c * kCounts, [o](i32 i) { o.counts[i] = 0; });
    S::each(c * kSums, [o](i32 i) { o.sums[i] = 0; });
    S::each(s * kSloCounts, [o](i32 i) { o.slo[i] = 0; });
    S::each(model->classes.pools, [o](i32 i) { o.pool_gpu_ticks[i] = 0; });
    if (o.histogram) S::each(c * kBins, [o](i32 i) { o.histogram[i] = 0; });
    if (o.evictions) {
      S::each(c * kEvictionSums, [o](i32 i) { o.evictions[i] = 0; });
      S::once([o] { *o.cascade = 0; });
    }
    if (o.causes) {
      S::each(c * kCauses, [o](i32 i) { o.causes[i] = 0; });
      S::each(model->classes.pools * kIdles, [o](i32 i) { o.idle[i] = 0; });
    }
    i64* none_yet = opened;
    S::each(s, [none_yet](i32 i) { none_yet[i] = 0; });
    const Slos& slos = model->slos;
    S::each(s, [&](i32 i) { level[i] = level_of(slos, i); });
    S::each(c, [&](i32 i) {
      lives[i] = Lives{0, 0, 0, 0, 0};
      i32 bits = 0;
      for (i32 k = slos.class_offset[i]; k < slos.class_offset[i + 1]; ++k)
        bits |= 1 << slos.metric[slos.class_slo[k]];
      metrics[i] = static_cast<u8>(bits);
    });
    undecided = jobs = max_waiting = max_running = 0;
    end_tick = 0;
    broken = -1;
    for (i32 i = 0; i < kIntegrals; ++i) integral[i] = 0;
  }

  // A job has waited or run until `now`. Time integrals add up jobs, not events: most events change little,
  // and most jobs do not wait.
  HD void waited(const Job& job, Tick since, Tick now) {
    const Tick dt = greatest<Tick>(0, overlap(since, now));
    integral[kWaitingJobs] += dt;
    integral[kWaitingGpus] += dt * job.gpus;
  }
  // Why it did is told later (why.h).
  HD void waits(const Job& job, Tick since, Tick now) {
    if (out.causes) charge(job.job_class, kBehindOwn, ticks_counted(since, now) * job.gpus);
  }
  // A job has been held since its submit (S11).
  HD void held(const Job& job, Tick now) {
    if (out.causes) charge(job.job_class, kHeldCause, ticks_counted(job.submit, now) * job.gpus);
  }
  // GPU-ticks waited go to a cause (R34).
  HD void charge(i32 c, Cause cause, i64 gpu_ticks) {
    S::once([&] { out.causes[static_cast<i64>(c) * kCauses + cause] += gpu_ticks; });
  }
  // Ticks of [from, to) inside the window.
  HD Tick ticks_counted(Tick from, Tick to) const { return greatest<Tick>(0, overlap(from, to)); }
  HD Tick has_run(const Run& run, Tick now) {
    const Tick dt = greatest<Tick>(0, overlap(run.start, now));
    integral[kRunningJobs] += dt;
    integral[kAllocated] += dt * run.gpus;
    return dt;
  }

  HD void submitted(const Job& job) {
    ++jobs;
    if (counted(job.submit)) {
      add(job.job_class, kSubmittedCount);
      if (early)
        each_level(job.job_class, job.submit, job.gpus, [&](i32 s, i32 metric, i64) {
          if (!opens(metric, job.part)) return;
          ++undecided;
          S::once([&] { ++opened[s]; });
        });
    }
    if (out.records.submit)
      S::once([&] {
        const Records& r = out.records;
        r.submit[job.index] = job.submit;
        r.eligible[job.index] = r.start[job.index] = r.end[job.index] = -1;
        r.pool[job.index] = -1;
        r.gpus[job.index] = job.gpus;
        r.preemptions[job.index] = 0;
        r.job_class[job.index] = job.job_class;
        r.outcome[job.index] = kHeld;
      });
  }

  HD void joined(const Job& job) {
    if (out.records.submit)
      S::once([&] {
        out.records.eligible[job.index] = job.eligible;
        out.records.outcome[job.index] = kWaiting;
      });
  }

  // A job that will never start: rejected, refused, impatient or cancelled (R38).
  HD void turned_away(const Job& job, Count why, Outcome outcome) {
    if (counted(job.submit)) {
      add(job.job_class, why);
      judge(job, [&](i32, i32 metric, i64) {
        return metric != kTurnaroundMetric || job.chain < 0 ? kViolated : kOpen;
      });
    }
    record_outcome(job.index, outcome);
  }

  HD_IN void started(const Job& job, Tick now, i32 pool) {
    if (counted(job.submit)) {
      const Tick wait = now - job.eligible;
      const i32 c = job.job_class;
      add(c, kStartedCount);
      S::once([&] { out.sums[c * kSums + kWaitSum] += wait; });
      if (out.histogram)
        S::once([&] { ++out.histogram[static_cast<i64>(c) * kBins + wait_bin(wait)]; });
      if (metrics[c] & (1 << kWaitMetric | 1 << kTurnedAwayMetric))
        judge(job, [wait](i32, i32 metric, i64 limit) { return at_start(metric, wait, limit); });
    }
    start_record(job, now, pool);
  }

  // A job that was evicted goes on, after it has waited for so long; the record keeps its first start.
  HD void started_again(const Job& job, Tick waited_again, i32 pool) {
    if (counted(job.submit)) add_eviction(job.job_class, kRequeuedWait, waited_again);
    if (!out.records.submit) return;
    S::once([&] { out.records.pool[job.index] = pool; });
    record_outcome(job.index, kRunning);
  }

  // A running job is evicted, for the `evictions`-th time; GPU-ticks of this start are lost.
  HD void evicted(const Run& run, Tick now, i32 evictions, i64 lost) {
    use(run, has_run(run, now));
    lose(run.job_class, now, lost);
    if (out.records.submit) S::once([&] { out.records.preemptions[run.index] = evictions; });
    record_outcome(run.index, kWaiting);
    if (!counted(run.submit)) return;
    add_eviction(run.job_class, kPreemptions, 1);
    if (evictions == 1) add_eviction(run.job_class, kPreempted, 1);
    if (!(metrics[run.job_class] & 1 << kPreemptionsMetric)) return;
    judge(run, [evictions](i32, i32 metric, i64 limit) {
      return metric == kPreemptionsMetric && evictions == limit + 1 ? kViolated : kOpen;
    });
  }
  // Ends there: what its start and its evictions have not decided is violated (R28).
  HD void cancelled(const Run& run, Tick now, i32 evictions) {
    if (counted(run.submit)) {
      add(run.job_class, kCancelledCount);
      judge(run, [&](i32, i32 metric, i64 limit) {
        if (metric == kTurnaroundMetric) return run.chain < 0 ? kViolated : kOpen;
        if (metric == kPreemptionsMetric) return evictions <= limit ? kViolated : kOpen;
        return metric == kSlowdownMetric ? kViolated : kOpen;
      });
    }
    if (out.records.submit) S::once([&] { out.records.end[run.index] = now; });
    record_outcome(run.index, kCancelledJob);
  }
  HD void cascaded(i64 evictions_of_a_tick) {
    if (evictions_of_a_tick <= *out.cascade) return;
    S::once([&] { *out.cascade = evictions_of_a_tick; });
  }
  // GPU-ticks of a start that were no work, known when it ends.
  HD void lose(i32 c, Tick now, i64 gpu_ticks) {
    if (now >= warm_up && now < count_end) add_eviction(c, kLost, gpu_ticks);
  }

  HD_IN void ended(const Run& run, Tick now, i32 evictions = 0) {
    use(run, has_run(run, now));
    if (counted(run.submit)) {
      const i32 c = run.job_class;
      const bool killed = run.killed && !model->classes.killed_ok[c];
      add(c, run.killed ? kKilledLimitCount : kFinishedCount);
      S::once([&] { out.sums[c * kSums + kTurnaroundSum] += now - run.eligible; });
      if (metrics[c] & kAtEnd)
        judge(run, [&](i32 s, i32 metric, i64 limit) {
          return at_end(run, now, killed, evictions, s, metric, limit);
        });
    }
    if (!out.records.submit) return;
    S::once([&] { out.records.end[run.index] = now; });
    record_outcome(run.index, run.killed ? kKilledLimit : kFinished);
  }

  // A whole life at once, of a job of no chain that lies inside the window and was not killed, and where nobody
  // asks for records: what submitted(), waited(), started() and ended() make of it, but for levels and histograms.
  HD_IN void lived(i32 c, i32 gpus, Tick wait, Tick run) {
    const i64 n = gpus;
    S::once([&] {
      Lives& all = lives[c];
      ++all.jobs;
      all.wait += wait;
      all.wait_gpus += wait * n;
      all.run += run;
      all.run_gpus += run * n;
    });
  }
  // A life cut by the window or by a limit, likewise.
  HD void lived_in_part(const Job& job, Tick start, Tick end, bool killed) {
    const i32 c = job.job_class;
    const i64 gpus = job.gpus;
    const Tick waiting = greatest<Tick>(0, overlap(job.submit, start));
    const Tick running = greatest<Tick>(0, overlap(start, end));
    const i64 work = running * gpus;
    ++jobs;
    integral[kWaitingJobs] += waiting;
    integral[kWaitingGpus] += waiting * gpus;
    integral[kRunningJobs] += running;
    integral[kAllocated] += work;
    const bool in_window = counted(job.submit);
    S::once([&] {
      i64 *counts = out.counts + c * kCounts, *sums = out.sums + c * kSums;
      sums[kGpuTicksSum] += work;
      out.pool_gpu_ticks[0] += work;
      if (!in_window) return;
      ++counts[kSubmittedCount];
      ++counts[kStartedCount];
      ++counts[killed ? kKilledLimitCount : kFinishedCount];
      sums[kWaitSum] += start - job.submit;
      sums[kTurnaroundSum] += end - job.submit;
    });
  }
  // What levels and the histogram make of a life of either kind.
  HD void judge_life(const Job& job, Tick start, Tick end, bool killed) {
    const i32 c = job.job_class;
    const Tick wait = start - job.submit;
    if (!counted(job.submit)) return;
    if (out.histogram)
      S::once([&] { ++out.histogram[static_cast<i64>(c) * kBins + wait_bin(wait)]; });
    if (metrics[c] == 0) return;
    const bool failed = killed && !model->classes.killed_ok[c];
    judge(job, [&](i32 s, i32 metric, i64 limit) {
      const SloCount verdict = at_start(metric, wait, limit);
      return verdict != kOpen ? verdict : at_end(job, end, failed, 0, s, metric, limit);
    });
  }

  // The last job of a chain has ended, or the chain is broken (at a tick that no limit reaches).
  HD void chain_decided(const Chain& chain, Tick now, bool failed) {
    if (!counted(chain.submit)) return;
    judge_chain(chain,
                [&](i64 limit) { return failed || now - chain.submit > limit ? kViolated : kMet; });
  }

  // What is open at the end of the run is late if it has lasted longer than its limit already, else
  // unknown (R38).
  HD void still_running(const Run& run, Tick horizon, i32 evictions = 0) {
    use(run, greatest<Tick>(0, overlap(run.start, horizon)));
    if (!counted(run.submit)) return;
    add(run.job_class, kRunningCount);
    still_open(run, horizon, false, evictions);
  }
  HD void still_waiting(const Job& job, Tick since, Tick horizon, i32 evictions = 0) {
    if (!counted(job.submit)) return;
    add(job.job_class, kWaitingCount);
    if (evictions > 0) add_eviction(job.job_class, kRequeuedWait, horizon - since);
    still_open(job, horizon, evictions == 0, evictions);
  }
  HD void still_held(const Job& job, Tick horizon) {
    held(job, horizon);
    if (!counted(job.submit)) return;
    add(job.job_class, kHeldCount);
    judge(job, [&](i32, i32 metric, i64 limit) {
      if (metric != kTurnaroundMetric) return kCensored;
      if (job.chain >= 0) return kOpen;
      return horizon - job.submit > limit ? kViolated : kCensored;
    });
  }
  HD void chain_still_open(const Chain& chain, Tick horizon) {
    if (!counted(chain.submit)) return;
    judge_chain(chain,
                [&](i64 limit) { return horizon - chain.submit > limit ? kViolated : kCensored; });
  }

  HD void settled(i64 waiting, i64 running) {
    max_waiting = greatest(max_waiting, waiting);
    max_running = greatest(max_running, running);
  }

  HD void finish() {
    enter_lives();
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

  // f(level, metric, limit) for every level that counts jobs of this class, submit tick and size.
  template <class F>
  HD void each_level(i32 c, Tick submit, i32 gpus, F f) {
    const Slos& slos = model->slos;
    ROLLED
    for (i32 k = slos.class_offset[c]; k < slos.class_offset[c + 1]; ++k) {
      const i32 s = slos.class_slo[k];
      const Level& l = level[s];
      if (in_scope(*model, s, l, submit, gpus)) f(s, l.metric, slos.class_limit[k]);
    }
  }

 private:
  HD Tick overlap(Tick from, Tick to) const {
    return least(to, count_end) - greatest(from, warm_up);
  }
  HD_CALL void enter_lives() {
    ROLLED
    for (i32 c = 0; c < model->classes.n; ++c) {
      const Lives all = lives[c];
      jobs += all.jobs;
      integral[kWaitingJobs] += all.wait;
      integral[kWaitingGpus] += all.wait_gpus;
      integral[kRunningJobs] += all.run;
      integral[kAllocated] += all.run_gpus;
      S::once([&] {
        i64 *counts = out.counts + c * kCounts, *sums = out.sums + c * kSums;
        counts[kSubmittedCount] += all.jobs;
        counts[kStartedCount] += all.jobs;
        counts[kFinishedCount] += all.jobs;
        sums[kWaitSum] += all.wait;
        sums[kTurnaroundSum] += all.wait + all.run;
        sums[kGpuTicksSum] += all.run_gpus;
        out.pool_gpu_ticks[0] += all.run_gpus;
      });
    }
  }
  HD void add_eviction(i32 c, EvictionSum column, i64 x) {
    S::once([&] { out.evictions[static_cast<i64>(c) * kEvictionSums + column] += x; });
  }
  HD void add(i32 c, i32 column) {
    S::once([&] { ++out.counts[c * kCounts + column]; });
  }
  HD void use(const Run& run, Tick dt) {
    const i64 work = dt * run.gpus;
    S::once([&] {
      out.sums[run.job_class * kSums + kGpuTicksSum] += work;
      out.pool_gpu_ticks[run.pool] += work;
    });
  }
  HD void start_record(const Job& job, Tick now, i32 pool) {
    if (out.records.submit)
      S::once([&] {
        out.records.start[job.index] = now;
        out.records.pool[job.index] = pool;
        out.records.outcome[job.index] = kRunning;
      });
  }
  HD void record_outcome(i64 job, Outcome outcome) {
    if (out.records.submit) S::once([&] { out.records.outcome[job] = static_cast<u8>(outcome); });
  }

  // What a job's start decides, and its end.
  static HD SloCount at_start(i32 metric, Tick wait, i64 limit) {
    if (metric == kTurnedAwayMetric) return kMet;
    if (metric != kWaitMetric) return kOpen;
    return wait <= limit ? kMet : kViolated;
  }
  template <class J>
  HD SloCount at_end(const J& job, Tick now, bool killed, i32 evictions, i32 s, i32 metric,
                     i64 limit) const {
    if (metric == kSlowdownMetric) return slowdown(job, now, s, limit, killed);
    if (metric == kPreemptionsMetric) return evictions <= limit ? kMet : kOpen;  // violated before
    if (metric != kTurnaroundMetric || job.chain >= 0) return kOpen;
    return killed || now - job.submit > limit ? kViolated : kMet;
  }

  // J: a Job or a Run
  template <class J>
  HD SloCount slowdown(const J& job, Tick now, i32 s, i64 limit, bool killed) const {
    const bool late = too_slow(now - job.eligible, job.service, model->slos.bound[s], limit);
    return killed || late ? kViolated : kMet;
  }

  template <class J>
  HD void still_open(const J& job, Tick horizon, bool waits, i32 evictions) {
    judge(job, [&](i32 s, i32 metric, i64 limit) {
      bool late = false;
      if (metric == kWaitMetric) {
        if (!waits) return kOpen;
        late = horizon - job.eligible > limit;
      } else if (metric == kTurnedAwayMetric) {
        if (!waits) return kOpen;
      } else if (metric == kPreemptionsMetric) {
        if (evictions > limit) return kOpen;  // violated before
      } else if (metric == kSlowdownMetric) {
        late = slowdown(job, horizon, s, limit, false) == kViolated;
      } else {
        if (job.chain >= 0) return kOpen;
        late = horizon - job.submit > limit;
      }
      return late ? kViolated : kCensored;
    });
  }

  // verdict(level, metric, limit) -> SloCount, or kOpen
  template <class J, class F>
  HD void judge(const J& job, F verdict) {
    each_level(job.job_class, job.submit, job.gpus, [&](i32 s, i32 metric, i64 limit) {
      const SloCount column = verdict(s, metric, limit);
      if (column != kOpen) count(s, column);
    });
  }
  template <class F>
  HD void judge_chain(const Chain& chain, F verdict) {
    each_level(chain.job_class, chain.submit, chain.gpus, [&](i32 s, i32 metric, i64 limit) {
      if (metric == kTurnaroundMetric) count(s, verdict(limit));
    });
  }
  HD_IN void count(i32 s, SloCount column) {
    --undecided;
    S::once([&] { ++out.slo[s * kSloCounts + column]; });
    if (!early || column != kViolated || broken >= 0) return;
    if (out.slo[s * kSloCounts + kViolated] > budget[s]) broken = s;
  }
};

}  // namespace gpusim

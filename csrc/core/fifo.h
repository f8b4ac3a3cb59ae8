// FIRST COME, FIRST SERVED, job by job: the run of simulate.h where nothing but the order of the jobs and
// the free GPUs decides.
//
// One pool, one tier, no backfill, passes at every change, nobody leaves, is refused or held: then a job starts at
//   start = max(submit, start of the job before, first tick at which its GPUs are free),
// the recursion of Kiefer and Wolfowitz for gangs. It needs no arrival events and no wait queue, and a job's whole fate
// is known when its turn comes, so it is measured once, by the same functions as in every other run, and forgotten.
//
// Ended jobs are found late: only when a job lacks GPUs, or when more may run than ever before. The
// last job to make room leaves its slot to the one it made room for: one calendar update a job, where most wait.
// Ties: a job that ends at a tick frees its GPUs for that tick (S6); which of several is found first cannot matter.
#pragma once
#include "center.h"
#include "jobs.h"
#include "model.h"
#include "types.h"

namespace gpusim {

// Whether the run is of this kind. Early runs stop in the middle and look at those who wait then: not here.
HD bool first_come_first_served(const Model& m, const Cell& cell) {
  const Policy& p = m.policy;
  const Classes& c = m.classes;
  if (m.sharing.on) return false;
  if (p.order != kFifo || p.backfill != kNone || p.period != 1 || p.max_tests >= 0) return false;
  if (c.pools != 1 || c.tiers != 1 || m.early || p.always_events) return false;
  bool plain = p.max_waiting < 0;
  ROLLED
  for (i32 t = 0; t < c.tenants; ++t) plain &= p.tenant_max_waiting[t] < 0;
  ROLLED
  for (i32 k = 0; k < c.n; ++k)
    plain &= c.patience[k] < 0 && c.pool_offset[k] < c.pool_offset[k + 1];
  if (m.stored.submit) return plain && !m.stored.chain;
  const Generator& g = m.generator;
  const i32* rows = g.rows + static_cast<i64>(cell.draw) * g.sources;
  ROLLED
  for (i32 k = 0; k < g.sources; ++k) plain &= g.segment[rows[k]] == 0 && !holds_jobs(g, rows[k]);
  return plain;
}

template <class S>
struct FirstCome {
  Center<S>* center;
  Tick horizon;
  Tick start;        // of the last job; from the horizon on: it waits to the end of the run
  Tick last_end;     // of the jobs measured as a whole
  Tick whole_from;   // whoever is submitted from here on, ends until ..
  Tick whole_until;  // .. here and is not killed is measured as a whole
  Tick unlimited;    // 0 if limits end jobs, else kNever
  i64 free;          // GPUs of nobody, and of jobs found to have ended
  i32 capacity;
  i32 held;              // slots of jobs not found to have ended: never more than ever ran at once
  u32 most_waiting;      // at once, so far
  u32 last;              // number of the last start in the ring, which goes round
  u32 mask;              // of the ring's places, a power of two
  bool watched;          // some level or histogram wants to know of each job
  i32* gang;             // (slots of running jobs,) GPUs
  Tick* starts;          // ring: of the last jobs
  Calendar<S> calendar;  // of those who run: a copy, so that what it holds can stay in registers

  // The memory of the center, which may have moved since.
  HD void bind(Center<S>* of) {
    center = of;
    gang = of->running.gang;
    starts = of->queue.expiry;
    calendar.keys = of->running.calendar.keys;
  }

  HD void open(Center<S>* of) {
    const Model& m = *of->model;
    const RunResult& out = of->tally.out;
    calendar = of->running.calendar;
    bind(of);
    horizon = m.windows.horizon;
    start = last_end = 0;
    whole_from = m.windows.warm_up;
    whole_until = out.records.submit ? -1 : least(m.windows.count_end, horizon - 1);
    unlimited = m.policy.kill_at_limit ? 0 : kNever;
    free = capacity = of->capacity[0];
    held = 0;
    most_waiting = last = 0;
    watched = out.histogram || m.slos.n > 0;
    i32 places = kLanes;
    while (places <= of->queue.slots / 2) places *= 2;
    mask = static_cast<u32>(places - 1);
    Tick* ring = starts;
    S::each(places, [=](i32 i) { ring[i] = 0; });
  }

  // One job, from its submit to its end.
  HD_JOB void serve(Tick submit, const Asked& asked, i64 index) {
    const i32 gpus = asked.gpus;
    const Tick service = asked.service, length = least(service, asked.limit | unlimited);
    if (gpus > capacity) return reject(center, submit, Asked(asked), index);
    seat(submit, gpus, length);
    line_up(submit);
    const Tick end = start + length;
    if (submit < whole_from || end > whole_until || length < service)
      return account(center, submit, Asked(asked), index, start, end);
    last_end = greatest(last_end, end);  // a job ends after its submit
    center->tally.lived(asked.job_class, gpus, start - submit, length);
    if (watched) judge(center, submit, Asked(asked), start, end);
  }

  HD Status close() {
    if (center->status != kOk) return center->status;
    Tally<S>& tally = center->tally;
    tally.end_tick = greatest(tally.end_tick, last_end);
    tally.max_waiting = most_waiting;
    tally.finish();
    return kOk;
  }

 private:
  static HD Job job_of(Tick submit, const Asked& asked, i64 index) {
    return Job{submit, submit,     asked.service,   asked.limit, 0,
               index,  asked.gpus, asked.job_class, -1,          0};
  }

  static HD_CALL void reject(Center<S>* center, Tick submit, const Asked& asked, i64 index) {
    Tally<S>& tally = center->tally;
    const Job job = job_of(submit, asked, index);
    tally.submitted(job);
    tally.turned_away(job, kRejectedCount, kRejected);
    tally.end_tick = greatest(tally.end_tick, submit);
  }

  static HD_CALL void judge(Center<S>* center, Tick submit, const Asked& asked, Tick start,
                            Tick end) {
    center->tally.judge_life(job_of(submit, asked, 0), start, end, false);
  }

  // A job with records, or one that is cut by the window, by its limit or by the horizon.
  static HD_CALL void account(Center<S>* center, Tick submit, const Asked& asked, i64 index,
                              Tick start, Tick end) {
    Tally<S>& tally = center->tally;
    const Tick horizon = center->model->windows.horizon;
    const Job job = job_of(submit, asked, index);
    const bool killed = end - start < asked.service;
    tally.end_tick = greatest(tally.end_tick, end < horizon ? end : submit);
    if (end < horizon && !tally.out.records.submit) {
      tally.lived_in_part(job, start, end, killed);
      return tally.judge_life(job, start, end, killed);
    }
    tally.submitted(job);
    tally.joined(job);
    tally.waited(job, job.eligible, least(start, horizon));
    if (start >= horizon) return tally.still_waiting(job, submit, horizon);
    tally.started(job, start, 0);
    const Run run{submit,        submit,    asked.service, start, index,         asked.gpus,
                  job.job_class, job.chain, job.part,      0,     killed ? 1 : 0};
    if (end < horizon) return tally.ended(run, end);
    tally.has_run(run, horizon);
    tally.still_running(run, horizon);
  }

  // Finds the start of a job, which keeps its GPUs from then on.
  HD_IN void seat(Tick submit, i32 gpus, Tick length) {
    start = greatest(start, submit);
    if (start >= horizon) return;
    i32 slot;
    if (free < gpus) {
      slot = next_to_end();
      ROLLED
      while (free < gpus) {
        leave(slot);
        slot = next_to_end();
      }
      calendar.set(slot, make_key(start + length, slot));
    } else {
      slot = new_slot();
      if (slot < 0) return;
      calendar.add(slot, make_key(start + length, slot));
    }
    free -= gpus;
    i32* of = gang + slot;
    S::once([=] { *of = gpus; });
  }

  // The next job to end is found to have ended by the time of this start.
  HD_IN i32 next_to_end() {
    const u64 next = calendar.top();
    const i32 slot = key_slot(next);
    free += gang[slot];
    start = greatest(start, key_tick(next));
    return slot;
  }

  HD_IN void leave(i32 slot) {
    Running<S>& running = center->running;
    calendar.set(slot, kNoKey);
    const i32 top = running.free_slots++;
    S::once([&] { running.free_slot[top] = slot; });
    --held;
  }

  // A slot for one more. It may be more than ever ran at once; to know, all who have ended are found.
  HD_IN i32 new_slot() {
    Running<S>& running = center->running;
    i64& most = center->tally.max_running;
    if (held >= most) {
      ROLLED
      while (key_tick(calendar.top()) <= start) {
        const i32 slot = key_slot(calendar.top());
        free += gang[slot];
        leave(slot);
      }
    }
    if (running.full()) {
      center->fail(kRunningFull);
      return -1;
    }
    most = greatest<i64>(most, ++held);
    return running.free_slot[--running.free_slots];
  }

  // Starts never go back, so more than `most_waiting` wait at this submit if the job so many places before does.
  HD_IN void line_up(Tick submit) {
    const u32 at = ++last & mask;
    const Tick tick = start;
    Tick* ring = starts;
    S::once([=] { ring[at] = tick; });
    if (ring[(last - most_waiting) & mask] <= submit) return;
    most_waiting = how_many(ring, last, most_waiting, mask, submit);
    if (most_waiting > mask) center->fail(kQueueFull);
  }
  static HD_CALL u32 how_many(const Tick* ring, u32 last, u32 most, u32 mask, Tick submit) {
    ROLLED
    while (most <= mask && ring[(last - most) & mask] > submit) ++most;
    return most;
  }
};

// Serves jobs until the horizon, or kPaused when `budget` jobs have been served, or a block more. `kept`: the line between
// calls; here it is a copy, which can stay in registers.
template <class S>
HD_CALL Status serve_generated(Center<S>& center, JobStream<S>& jobs, FirstCome<S>* kept,
                               i64* budget) {
  FirstCome<S> line = *kept;
  const i64 first = jobs.position, pause = first + least(*budget, kNever - first);
  ROLLED
  while (jobs.next_submit() < line.horizon) {
    if (jobs.position >= pause) break;
    const auto piece = jobs.piece();
    const i64 index = jobs.position;
    i32 n = 0;
    ROLLED
    do {
      const Tick submit = key_tick(piece.key[n]);
      if (submit >= line.horizon) break;
      if (center.interrupted()) return center.status;
      line.serve(submit, piece.asked[n], index + n);
    } while (++n < piece.jobs);
    jobs.pass(n);
  }
  *budget -= jobs.position - first;
  if (jobs.next_submit() >= line.horizon) return line.close();
  *kept = line;
  return kPaused;
}

template <class S>
HD_CALL Status serve_stored(Center<S>& center, JobStream<S>& jobs, FirstCome<S>* kept,
                            i64* budget) {
  const StoredJobs& s = center.model->stored;
  FirstCome<S> line = *kept;
  const i64 first = jobs.position, end = first + least(*budget, jobs.end - first);
  bool over = end == jobs.end;
  i64 i = first;
  ROLLED
  for (; i < end; ++i) {
    const i64 j = jobs.first + i;
    const Tick submit = s.submit[j];
    if (submit >= line.horizon) {
      over = true;
      break;
    }
    if (center.interrupted()) return center.status;
    line.serve(submit, Asked{s.service[j], s.limit[j], s.gpus[j], static_cast<i32>(s.job_class[j])},
               i);
  }
  *budget -= i - first;
  jobs.position = i;
  if (over) return line.close();
  *kept = line;
  return kPaused;
}

template <class S>
HD_CALL Status serve_in_order(Center<S>& center, JobStream<S>& jobs, FirstCome<S>* kept,
                              i64* budget) {
  return jobs.stored() ? serve_stored(center, jobs, kept, budget)
                       : serve_generated(center, jobs, kept, budget);
}

}  // namespace gpusim

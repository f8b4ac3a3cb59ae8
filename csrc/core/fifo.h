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
  for (i32 k = 0; k < g.sources; ++k) plain &= g.segment[rows[k]] == 0;
  return plain;
}

template <class S>
struct FirstCome {
  Center<S>* center;
  Tick horizon;
  Tick start;  // of the last job; from the horizon on: it waits to the end of the run
  i64 free;    // GPUs of nobody, and of jobs found to have ended
  i32 capacity;
  i32 held;          // slots of jobs not found to have ended: never more than ever ran at once
  i32 most_waiting;  // at once, so far
  i32 last;          // in the ring: place of the last job's start
  i32 far;           // and of the start that came `most_waiting` before it
  i32 slots;         // of the ring
  bool kills;        // at the limit
  bool recorded;     // somebody asks for records
  i32* gang;         // (slots of running jobs,) GPUs
  Tick* starts;      // ring: of the last jobs

  HD void open(Center<S>* of) {
    center = of;
    horizon = of->model->windows.horizon;
    kills = of->model->policy.kill_at_limit != 0;
    recorded = of->tally.out.records.submit != nullptr;
    start = 0;
    free = capacity = of->capacity[0];
    held = most_waiting = 0;
    slots = of->queue.slots;
    last = far = slots - 1;
    gang = of->running.gang;
    starts = of->queue.expiry;
    Tick* ring = starts;
    S::each(slots, [=](i32 i) { ring[i] = 0; });
  }

  // One job, from its submit to its end.
  HD_IN void serve(const Job& job) {
    Tally<S>& tally = center->tally;
    if (job.gpus > capacity) return reject(center, Job(job));
    const bool killed = kills && job.service > job.limit;
    const Tick length = killed ? job.limit : job.service;
    seat(job.submit, job.gpus, length);
    line_up(job.submit);
    const Tick end = start + length;
    if (end >= horizon || recorded) return account(center, Job(job), start, end, killed);
    tally.end_tick = greatest(tally.end_tick, end);  // a job ends after its submit
    tally.lived(job, start, end, killed);
  }

 private:
  static HD_CALL void reject(Center<S>* center, const Job& job) {
    Tally<S>& tally = center->tally;
    tally.submitted(job);
    tally.turned_away(job, kRejectedCount, kRejected);
    tally.end_tick = greatest(tally.end_tick, job.submit);
  }

  // A job with records, or one that the horizon finds waiting or running.
  static HD_CALL void account(Center<S>* center, const Job& job, Tick start, Tick end,
                              bool killed) {
    Tally<S>& tally = center->tally;
    const Tick horizon = center->model->windows.horizon;
    tally.submitted(job);
    tally.joined(job);
    tally.end_tick = greatest(tally.end_tick, job.submit);
    tally.waited(job, least(start, horizon));
    if (start >= horizon) return tally.still_waiting(job, horizon);
    tally.started(job, start, 0);
    const Run run{job.submit,    job.eligible, job.service, start, job.index,     job.gpus,
                  job.job_class, job.chain,    job.part,    0,     killed ? 1 : 0};
    if (end < horizon) {
      tally.end_tick = greatest(tally.end_tick, end);
      tally.ended(run, end);
    } else {
      tally.has_run(run, horizon);
      tally.still_running(run, horizon);
    }
  }

  // Finds the start of a job, which keeps its GPUs from then on.
  HD_IN void seat(Tick submit, i32 gpus, Tick length) {
    auto& calendar = center->running.calendar;
    start = greatest(start, submit);
    if (start >= horizon) return;
    i32 slot = -1;
    ROLLED
    while (free < gpus) {
      if (slot >= 0) leave(slot);
      const u64 next = calendar.top();
      slot = key_slot(next);
      free += gang[slot];
      start = greatest(start, key_tick(next));
    }
    if (slot >= 0) {
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

  HD void leave(i32 slot) {
    Running<S>& running = center->running;
    running.calendar.set(slot, kNoKey);
    const i32 top = running.free_slots++;
    S::once([&] { running.free_slot[top] = slot; });
    --held;
  }

  // A slot for one more. It may be more than ever ran at once; to know, all who have ended are found.
  HD i32 new_slot() {
    Running<S>& running = center->running;
    i64& most = center->tally.max_running;
    if (held >= most) {
      ROLLED
      while (running.next_end() <= start) {
        const i32 slot = key_slot(running.calendar.top());
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
  HD void line_up(Tick submit) {
    last = last + 1 < slots ? last + 1 : 0;
    far = far + 1 < slots ? far + 1 : 0;
    const i32 at = last;
    const Tick tick = start;
    Tick* ring = starts;
    S::once([=] { ring[at] = tick; });
    ROLLED
    while (starts[far] > submit) {
      if (++most_waiting == slots) return center->fail(kQueueFull);
      far = far > 0 ? far - 1 : slots - 1;
    }
  }
};

// All jobs until the horizon, one after the other.
template <class S>
HD_CALL Status serve_in_order(Center<S>& center, JobStream<S>& jobs) {
  FirstCome<S> line;
  line.open(&center);
  ROLLED
  while (jobs.next_submit() < line.horizon) {
    if (center.interrupted()) return center.status;
    line.serve(jobs.take());
  }
  if (center.status != kOk) return center.status;
  center.tally.max_waiting = line.most_waiting;
  center.tally.finish();
  return kOk;
}

}  // namespace gpusim

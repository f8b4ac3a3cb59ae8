// Running jobs: who ends when, and when their GPUs are expected back.
//
// A running job owns a slot. The calendar orders slots by true end; the release list of its pool knows
// their estimated ends (start + limit), which is what reservations may know (R8). The lists are kept only
// where the policy reserves.
#pragma once
#include "calendar.h"
#include "job.h"
#include "release.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

struct Run {  // one running job: 64 bytes, one cache line, like a Job
  Tick submit;
  Tick eligible;
  Tick service;
  Tick start;
  i64 index;
  i32 gpus;
  i32 job_class;
  i32 chain;
  i32 part;  // as a Job's
  i32 pool;
  i32 killed;  // 1: will be ended by its limit
};

template <class S>
struct Running {
  Calendar<S> calendar;
  i32 slots;
  i32 free_slots;       // how many stand in free_slot
  i32 n;                // running jobs
  i32 pools;            // P
  i32 reserves;         // 1: keep the release lists
  i32* free_slot;       // (slots,) stack of empty slots
  Run* run;             // (slots,)
  i32* gang;            // (slots,) GPUs, where jobs are served in order (fifo.h)
  Release<S>* release;  // (P,)

  HD void clear() {
    calendar.clear();
    n = 0;
    free_slots = slots;
    const i32 last = slots - 1;
    S::each(slots, [&](i32 i) { free_slot[i] = last - i; });
    if (!reserves) return;
    ROLLED
    for (i32 p = 0; p < pools; ++p) release[p].clear();
  }
  HD bool full() const { return free_slots == 0; }
  // Without a running job a tick later than every horizon.
  HD Tick next_end() const { return key_tick(calendar.top()); }

  // The job starts in a pool. Requires !full().
  HD_IN void start_job(const Job& job, Tick now, i32 pool, bool killed) {
    start_until(job, now, pool, killed, now + (killed ? job.limit : job.service), now + job.limit);
  }
  // The same with its true end and the one expected; returns its slot.
  HD_IN i32 start_until(const Job& job, Tick now, i32 pool, bool killed, Tick end, Tick expected) {
    const i32 slot = free_slot[--free_slots];
    S::once([&] {
      run[slot] = Run{job.submit,    job.eligible, job.service, now,  job.index,     job.gpus,
                      job.job_class, job.chain,    job.part,    pool, killed ? 1 : 0};
    });
    calendar.add(slot, make_key(end, slot));
    if (reserves) release[pool].insert(slot, expected, job.gpus, now);
    ++n;
    return slot;
  }

  HD void end_job(i32 slot) {
    calendar.set(slot, kNoKey);
    if (reserves) release[run[slot].pool].remove(slot);
    const i32 top = free_slots++;
    S::once([&] { free_slot[top] = slot; });
    --n;
    // The next job to end will be read when it does. On a device top() is a reduction, and no lane waits
    // for memory alone.
    if (!S::wide) expect(run + (key_slot(calendar.top()) & (slots - 1)));
  }
};

}  // namespace gpusim

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

struct Run {  // one running job
  Job job;
  Tick start;
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
  HD Tick next_end() const { return calendar.top() == kNoKey ? kNever : key_tick(calendar.top()); }

  // Requires !full().
  HD void start_job(const Run& one, Tick duration) {
    const i32 slot = free_slot[--free_slots];
    S::once([&] { run[slot] = one; });
    calendar.set(slot, make_key(one.start + duration, slot));
    if (reserves)
      release[one.pool].insert(slot, one.start + one.job.limit, one.job.gpus, one.start);
    ++n;
    expect_next();
  }

  HD void end_job(i32 slot) {
    calendar.set(slot, kNoKey);
    if (reserves) release[run[slot].pool].remove(slot);
    const i32 top = free_slots++;
    S::once([&] { free_slot[top] = slot; });
    --n;
    expect_next();
  }

 private:
  // The next job to end will be read when it does. On a device top() is a reduction, and no lane waits
  // for memory alone.
  HD void expect_next() const {
    if (!S::wide) expect(run + (key_slot(calendar.top()) & (slots - 1)), sizeof(Run));
  }
};

}  // namespace gpusim

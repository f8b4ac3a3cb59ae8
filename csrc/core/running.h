// Running jobs: who ends when, and when their GPUs are expected back.
//
// A running job owns a slot. The calendar orders slots by true end; the release strip orders them
// by estimated end (start + limit), which is what reservations may know (R8). The strip is kept
// only where the policy reserves.
#pragma once
#include "calendar.h"
#include "jobs.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

template <class S>
struct Running {
  Calendar<S> calendar;
  i32 slots;
  i32 free_slots;     // how many stand in free_slot
  i32 n;              // running jobs
  i32 reserves;       // 1: keep the release strip
  i32* free_slot;     // (slots,) stack of empty slots
  i32* gpus;          // (slots,)
  i32* job_class;     // (slots,)
  Tick* submit;       // (slots,)
  Tick* start;        // (slots,)
  Tick* estimate;     // (slots,) start + limit
  u8* killed;         // (slots,) 1: will be ended by its limit
  i64* index;         // (slots,) job index
  u64* release;       // (n,) keys (estimate, slot), ascending
  i32* release_gpus;  // (n,) GPUs that come back

  HD void clear() {
    calendar.clear();
    n = 0;
    free_slots = slots;
    const i32 last = slots - 1;
    S::each(slots, [&](i32 i) { free_slot[i] = last - i; });
  }
  HD bool full() const { return free_slots == 0; }
  HD Tick next_end() const { return calendar.top() == kNoKey ? kNever : key_tick(calendar.top()); }

  // Requires !full().
  HD void start_job(Tick now, Tick submitted, Tick duration, Tick limit, i32 g, i32 c, i64 job,
                    bool is_killed) {
    const i32 slot = free_slot[--free_slots];
    S::once([&] {
      gpus[slot] = g;
      job_class[slot] = c;
      submit[slot] = submitted;
      start[slot] = now;
      estimate[slot] = now + limit;
      killed[slot] = is_killed ? 1 : 0;
      index[slot] = job;
    });
    calendar.set(slot, make_key(now + duration, slot));
    if (reserves) {
      const u64 key = make_key(now + limit, slot);
      const i32 place = release_place(key);
      S::shift_insert(release, n, place, key);
      S::shift_insert(release_gpus, n, place, g);
    }
    ++n;
  }

  HD void end_job(i32 slot) {
    calendar.set(slot, kNoKey);
    if (reserves) {
      const i32 place = release_place(make_key(estimate[slot], slot));
      S::shift_remove(release, n, place);
      S::shift_remove(release_gpus, n, place);
    }
    const i32 top = free_slots++;
    S::once([&] { free_slot[top] = slot; });
    --n;
  }

 private:
  HD i32 release_place(u64 key) const {  // first place whose key is not smaller: binary search
    i32 low = 0, high = n;
    while (low < high) {
      const i32 mid = (low + high) >> 1;
      if (release[mid] < key)
        low = mid + 1;
      else
        high = mid;
    }
    return low;
  }
};

}  // namespace gpusim

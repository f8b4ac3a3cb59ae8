// Chains: jobs that become eligible when their predecessor has ended (R39, S11); and whoever else is held (S35).
//
// A chain has one active job at most: waiting, running, or held until a known tick. Its later jobs,
// already submitted, are held in a list in order of submission. Held jobs own a slot here; those
// that know their tick, of a chain or of none, stand in a calendar.
#pragma once
#include "calendar.h"
#include "job.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

struct Chain {
  Tick submit;  // of its first job
  Tick ready;   // end of the last job that ended, while no successor has been submitted; or kNever
  i32 gpus;     // of its first job, which decides the levels that count the chain
  i32 job_class;   //
  i32 first_held;  // slots of held jobs without a known tick, or -1
  i32 last_held;
  i32 dead;  // 1: broken, what is submitted later is cancelled
  i32 open;  // 1: neither its last job has ended nor has it been broken
};

template <class S>
struct Chains {
  i32 slots;             // chains there is room for; 0: nobody is ever held
  i32 n;                 // chains so far
  i32 held_slots;        // a power of two
  i32 free_held;         // how many stand in free_slot
  Chain* chain;          // (slots,)
  Job* held;             // (held_slots,)
  i32* next;             // (held_slots,) next held job of the chain, or -1
  i32* free_slot;        // (held_slots,) stack
  u8* taken;             // (held_slots,) 1: holds a job
  Calendar<S> calendar;  // held jobs by eligible tick

  HD void clear() {
    n = 0;
    if (slots == 0) return;
    free_held = held_slots;
    const i32 last = held_slots - 1;
    S::each(held_slots, [&](i32 i) {
      free_slot[i] = last - i;
      taken[i] = 0;
    });
    calendar.clear();
  }
  HD Tick next_eligible() const {
    return slots == 0 || calendar.top() == kNoKey ? kNever : key_tick(calendar.top());
  }

  // The first job of a chain is submitted. False: no room.
  HD bool open(const Job& first) {
    const i32 c = first.chain;
    if (c >= slots) return false;
    S::once(
        [&] { chain[c] = Chain{first.submit, kNever, first.gpus, first.job_class, -1, -1, 0, 1}; });
    n = greatest(n, c + 1);
    return true;
  }

  HD bool full() const { return free_held == 0; }

  // Holds a job until `tick`, or behind its chain (kNever). Requires !full().
  HD void hold(const Job& job, Tick tick) {
    const i32 slot = free_slot[--free_held];
    S::once([&] {
      held[slot] = job;
      next[slot] = -1;
      taken[slot] = 1;
      if (tick != kNever) return;
      Chain& c = chain[job.chain];
      if (c.last_held >= 0)
        next[c.last_held] = slot;
      else
        c.first_held = slot;
      c.last_held = slot;
    });
    if (tick != kNever) calendar.set(slot, make_key(tick, slot));
  }

  // Takes the first job held behind chain c out of the list; its slot stays taken.
  HD i32 pop(i32 c) {
    const i32 slot = chain[c].first_held;
    S::once([&] {
      chain[c].first_held = next[slot];
      if (next[slot] < 0) chain[c].last_held = -1;
    });
    return slot;
  }

  HD void drop(i32 slot) {
    const i32 top = free_held++;
    S::once([&] {
      taken[slot] = 0;
      free_slot[top] = slot;
    });
  }
};

}  // namespace gpusim

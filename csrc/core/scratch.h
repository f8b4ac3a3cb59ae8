// Working memory of one run: how much, and where each structure lies in it. One block, carved in a
// fixed order; nothing is allocated by the core. Fixed sizes are chosen per launch; a full
// structure is a status, never a dropped job.
#pragma once
#include "center.h"
#include "jobs.h"
#include "model.h"
#include "types.h"

namespace gpusim {

struct Sizes {
  i32 running;  // slots of running jobs: a power of two, 32 .. 2^20
  i32 queue;    // slots of waiting jobs per tier
  i32 profile;  // steps of the profile of free GPUs
};

// Hands out aligned pieces of a block; with a null block it only measures.
struct Carver {
  char* base;
  i64 used;
  template <class T>
  HD_BOTH T* take(i64 n) {
    used = (used + 63) & ~static_cast<i64>(63);
    T* piece = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += n * static_cast<i64>(sizeof(T));
    return piece;
  }
};

template <class S>
struct Scratch {
  Center<S> center;
  SourceBlocks blocks;
  bool budgeted;   // early runs: tally.budget is set
  i64* counted;    // (C,) counted arrivals of the replication
  i64* submitted;  // (S,) counted jobs submitted so far
  i64* late;       // (S,) violations, and waiting jobs that are late already
  Tick* block;     // (kBlock,)
};

template <class S>
HD_BOTH i64 carve_scratch(const Model& m, const Sizes& sizes, char* memory, Scratch<S>* out) {
  Carver carver{memory, 0};
  const i64 classes = m.classes.n, tiers = m.classes.tiers, tenants = m.classes.tenants;
  const i64 slos = m.slos.n;
  const i64 r = sizes.running, q = tiers * static_cast<i64>(sizes.queue), p = sizes.profile;
  const bool reserves = m.policy.backfill >= 1 || m.policy.backfill == kAll;
  Center<S>& c = out->center;
  c.queue.tiers = m.classes.tiers;
  c.queue.slots = sizes.queue;
  c.queue.head = carver.take<i32>(tiers);
  c.queue.tail = carver.take<i32>(tiers);
  c.queue.live = carver.take<i32>(tiers);
  c.queue.fresh = carver.take<i32>(tiers);
  c.queue.visited = carver.take<i32>(tiers);
  c.queue.gpus = carver.take<i32>(q);
  c.queue.limit = carver.take<Tick>(q);
  c.queue.submit = carver.take<Tick>(q);
  c.queue.service = carver.take<Tick>(q);
  c.queue.expiry = carver.take<Tick>(q);
  c.queue.job_class = carver.take<i32>(q);
  c.queue.index = carver.take<i64>(q);
  c.running.slots = c.running.calendar.slots = sizes.running;
  c.running.reserves = reserves;
  c.running.calendar.keys = carver.take<u64>(calendar_keys(r));
  c.running.free_slot = carver.take<i32>(r);
  c.running.gpus = carver.take<i32>(r);
  c.running.job_class = carver.take<i32>(r);
  c.running.submit = carver.take<Tick>(r);
  c.running.start = carver.take<Tick>(r);
  c.running.estimate = carver.take<Tick>(r);
  c.running.killed = carver.take<u8>(r);
  c.running.index = carver.take<i64>(r);
  c.running.release = carver.take<u64>(reserves ? r : 0);
  c.running.release_gpus = carver.take<i32>(reserves ? r : 0);
  c.profile.slots = sizes.profile;
  c.profile.time = carver.take<Tick>(p);
  c.profile.free = carver.take<i32>(p);
  c.tenant_waiting = carver.take<i64>(tenants);
  c.tally.budget = carver.take<i64>(slos);
  const i64 sources = m.stored.submit ? 0 : classes;
  out->blocks.head = carver.take<u64>(sources);
  out->blocks.clock = carver.take<Tick>(sources);
  out->blocks.next = carver.take<i64>(sources);
  out->blocks.position = carver.take<i32>(sources);
  out->blocks.submit = carver.take<Tick>(sources * kBlock);
  out->blocks.service = carver.take<Tick>(sources * kBlock);
  out->blocks.limit = carver.take<Tick>(sources * kBlock);
  out->blocks.gpus = carver.take<i32>(sources * kBlock);
  out->counted = carver.take<i64>(classes);
  out->submitted = carver.take<i64>(slos);
  out->late = carver.take<i64>(slos);
  out->block = carver.take<Tick>(kBlock);
  return (carver.used + 63) & ~static_cast<i64>(63);
}

}  // namespace gpusim

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
  i32 queue;    // slots of waiting jobs per tier: a multiple of kChunk
  i32 profile;  // steps of the profile of free GPUs
  i32 held;     // slots of held jobs: a power of two from 32 on
  i32 chains;   // slots of chains
};

// Memory that is nearer than the rest, for what is asked at every event: a device's shared memory.
struct Near {
  char* base;
  i64 bytes;  // a multiple of 64
};

// Hands out aligned pieces of a block; with a null block it only measures.
struct Carver {
  char* base;
  i64 used;
  Near near;
  i64 near_used;
  template <class T>
  HD_BOTH T* take(i64 n) {
    used = (used + 63) & ~static_cast<i64>(63);
    T* piece = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += n * static_cast<i64>(sizeof(T));
    return piece;
  }
  template <class T>
  HD_BOTH T* take_near(i64 n) {  // as far as there is room
    const i64 at = (near_used + 15) & ~static_cast<i64>(15);
    if (at + n * static_cast<i64>(sizeof(T)) > near.bytes) return take<T>(n);
    near_used = at + n * static_cast<i64>(sizeof(T));
    return near.base ? reinterpret_cast<T*>(near.base + at) : nullptr;
  }
};

template <class S>
struct Scratch {
  Center<S> center;
  SourceBlocks blocks;
  SourceBlocks preview;  // early runs: memory of `ahead`
  JobStream<S> ahead;    // early runs: a second stream of the same jobs
  bool counting;         // early runs: `ahead` is being counted
  bool budgeted;         // early runs: tally.budget is set
  i64 events;            // early runs: ticks with events so far
  i64 next_look;         // early runs: number of the tick with events at which to look
  i64* late;             // (S,) violations, and waiting jobs that are late already
};

template <class S>
HD_BOTH void carve_blocks(Carver* carver, const Generator& g, i64 sources, SourceBlocks* b) {
  const i32 slots = source_slots(static_cast<i32>(sources));
  b->next = carver->take_near<u64>(sources ? Calendar<S>::keys_of(slots) : 0);
  b->clock = carver->take<Tick>(sources);
  b->reached = carver->take<Tick>(sources);
  b->arrival = carver->take<i64>(sources);
  b->made = carver->take<i64>(sources);
  b->member = carver->take<i32>(sources);
  b->part = carver->take<i32>(sources);
  b->whole = carver->take<i32>(sources);
  b->size = carver->take<i32>(sources);
  b->position = carver->take<i32>(sources);
  b->chain = carver->take<i32>(sources);
  b->marks = carver->take<u8>(sources);
  b->key = carver->take<u64>(sources * kBlock);
  b->asked = carver->take<Asked>(sources * kBlock);
  b->delay = carver->take<Tick>(g.decides ? sources * kBlock : 0);
  b->user = carver->take<i32>(g.decides ? sources * kBlock : 0);
  b->batch_submit = carver->take<Tick>(sources * kArrivals);
  b->batch_size = carver->take<i32>(sources * kArrivals);
  b->batch_gpus = carver->take<i32>(sources * kArrivals);
  b->batch_word = carver->take<u32>(sources * kArrivals);
  b->submit = carver->take<Tick>(sources ? kBlock : 0);
  b->offset = carver->take<Tick>(sources ? kBlock : 0);
  b->brief = carver->take<i32>(sources ? kBlock : 0);
  b->rank = carver->take<i32>(sources ? kBlock : 0);
  b->common = carver->take<u32>(sources ? kBlock : 0);
  b->word = carver->take<u32>(sources ? 4 * kBlock : 0);
}

template <class S>
HD_BOTH void carve_queue(Carver* carver, const Model& m, const Sizes& sizes, Queue<S>* q) {
  const i64 tiers = m.classes.lines, all = tiers * sizes.queue;
  q->tiers = m.classes.lines;
  q->slots = sizes.queue;
  q->order = m.policy.order;
  q->head = carver->take_near<i32>(tiers);
  q->tail = carver->take_near<i32>(tiers);
  q->live = carver->take_near<i32>(tiers);
  q->index.slots = sizes.queue;
  q->index.nodes = index_nodes(sizes.queue);
  q->index.levels = index_levels(sizes.queue);
  q->index.gpus = carver->take<i32>(all);
  q->index.brief = carver->take<i32>(all);
  q->index.least_limit = carver->take<i32>(tiers * index_nodes(sizes.queue) * kGroups);
  q->index.longest = carver->take_near<i32>(kGroups);
  q->expiry = carver->take<Tick>(all);
  q->place = carver->take<i32>(all);
  q->job = carver->take<Job>(all);
  q->past = carver->take<Past>(m.sharing.on ? all : 0);
  if (!m.sharing.on) q->past = nullptr;
  q->key = carver->take<i64>(m.policy.order == kMultifactor ? all : 0);
  q->here = carver->take<u8>(all);
  q->free_place = carver->take<i32>(all);
  q->newcomer = carver->take<i32>(all);
}

template <class S>
HD_BOTH void carve_running(Carver* carver, const Model& m, const Sizes& sizes, Running<S>* r) {
  const bool reserves = m.policy.backfill >= 1 || m.policy.backfill == kAll || m.closures.n > 0;
  const i64 n = sizes.running;
  const i32 buckets = release_buckets(n);
  r->calendar.slots = r->slots = sizes.running;
  r->calendar.keys = carver->take_near<u64>(Calendar<S>::keys_of(n));
  r->pools = m.classes.pools;
  r->reserves = reserves ? 1 : 0;
  r->free_slot = carver->take<i32>(n);
  r->run = carver->take<Run>(n);
  r->gang = carver->take<i32>(n);
  r->release = carver->take<Release<S>>(m.classes.pools);
  ReleaseNode* node = carver->take<ReleaseNode>(reserves ? n + 1 : 0);
  if (carver->base) ++node;  // see Release::node
  for (i32 p = 0; reserves && p < m.classes.pools; ++p) {
    i32* group = carver->take_near<i32>(buckets / kGroup + 2);
    i32* head = carver->take<i32>(buckets + 2);
    if (!carver->base) continue;
    Release<S>& list = r->release[p];  // its other fields are set by clear()
    list.buckets = buckets;
    list.group = group;
    list.head = head;
    list.node = node;
  }
}

template <class S>
HD_BOTH void carve_fairness(Carver* carver, const Model& m, Fair<S>* f) {
  const i64 nodes = m.fairness.nodes, tenants = nodes > 0 ? m.classes.tenants : 0;
  f->key = carver->take_near<i64>(tenants);
  f->usage = carver->take_near<i64>(nodes);
  f->recent = carver->take_near<i64>(tenants);
  f->since = carver->take_near<Tick>(tenants);
  f->until = carver->take_near<Tick>(tenants);
  f->busy = carver->take_near<i64>(tenants);
  f->level = carver->take_near<i64>(nodes);
  f->depth = carver->take_near<i32>(nodes);
  f->ranked = carver->take_near<i32>(tenants);
}

template <class S>
HD_BOTH void carve_tenants(Carver* carver, const Model& m, const Sizes& sizes, Tenants<S>* t) {
  const bool on = m.sharing.on != 0;
  const i64 pools = m.classes.pools, classes = on ? m.classes.n : 0,
            tenants = on ? m.classes.tenants : 0, nodes = on ? m.sharing.nodes : 0,
            slots = on ? sizes.running : 0, lines = on ? m.classes.lines : 0;
  Quota<S>& q = t->quota;
  q.pools = m.classes.pools;
  t->classes = m.classes.n;
  q.used = carver->take_near<i64>(nodes * pools);
  q.local = carver->take_near<i64>(nodes * pools);
  q.subtree = carver->take_near<i64>(nodes * pools);
  q.reach = carver->take_near<i64>(nodes * pools);
  q.borrow = carver->take_near<i64>(nodes * pools);
  q.nominal = carver->take_near<i64>(nodes * pools);
  q.reserved = carver->take_near<i64>(tenants * pools);
  q.reserved_gpus = carver->take_near<i64>(tenants);
  q.reserved_jobs = carver->take_near<i64>(tenants);
  q.tenant_gpus = carver->take_near<i64>(tenants);
  q.tenant_jobs = carver->take_near<i64>(tenants);
  const i64 users = on && m.sharing.limits_users ? m.sharing.user_offset[tenants] : 0;
  q.user_gpus = carver->take<i64>(users);
  q.user_jobs = carver->take<i64>(users);
  q.ceiling = carver->take<i64>(tenants * pools);
  q.remainder = carver->take<i64>(nodes);
  t->hot = carver->take_near<i32>(lines);
  t->hot_most = carver->take_near<i32>(lines);
  t->front = carver->take_near<i32>(lines);
  t->front_most = carver->take_near<i32>(lines);
  t->share = carver->take_near<i64>(m.policy.order == kWeightedShare ? lines : 0);
  t->change = carver->take<Change>(slots);
  t->newest = carver->take_near<i32>(pools * classes);
  t->candidate = carver->take_near<Candidate>(classes);
  t->closed = carver->take_near<u8>(on ? pools : 0);
  t->stopped = carver->take_near<u8>(tenants * pools);
  t->put_off = carver->take_near<u8>(tenants);
  t->smallest = carver->take_near<i32>(lines + kBlockOf);
  t->lower = carver->take_near<i32>(pools * lines + kBlockOf);
  t->in_over = carver->take<i64>(tenants * pools);
  t->may_own = carver->take_near<i64>(tenants * pools);
  t->spare = carver->take_near<i32>(on ? tenants + kBlockOf : 0);
  t->reach = carver->take_near<i32>(on ? tenants + kBlockOf : 0);
  t->owned = carver->take_near<i32>(on ? tenants + kBlockOf : 0);
  t->takes = carver->take_near<i32>(on ? tenants + kBlockOf : 0);
  t->over = carver->take<i64>(nodes * pools);
  t->over_all = carver->take_near<i64>(on ? pools : 0);
  t->evictable = carver->take<i64>(tenants * pools);
  t->has_urgent = carver->take<u8>(lines);
  t->lines = m.classes.lines;
  t->unripe = carver->take<i32>(pools * classes);
  t->held = carver->take<i64>(tenants * pools);
  t->class_waiting = carver->take<i64>(classes);
  t->tenure = carver->take<Tenure>(slots);
  t->victim = carver->take<i32>(slots);
  t->back = carver->take<Job>(slots);
  t->behind = carver->take<Past>(slots);
  t->head_index = carver->take<i64>(lines);
  t->head_gpus = carver->take<i64>(lines);
  t->head_place = carver->take<i32>(lines);
  t->head_cause = carver->take<i32>(lines);
  t->head_class = carver->take<i32>(lines);
  t->idle_cause = carver->take<i32>(on ? pools : 0);
  t->idle_gpus = carver->take<i32>(on ? pools : 0);
  t->idle_closed = carver->take<i32>(on ? pools : 0);
}

template <class S>
HD_BOTH void carve_closures(Carver* carver, const Model& m, Closures<S>* c) {
  c->pools = m.classes.pools;
  c->passed = carver->take_near<i32>(m.closures.n > 0 ? m.classes.pools : 0);
  c->closed = carver->take_near<i32>(m.closures.n > 0 ? m.classes.pools : 0);
  c->carved = carver->take_near<i32>(m.closures.n > 0 ? m.classes.pools : 0);
}

// Scratch of one run at `memory` (null: only measure); returns its size. On a device all lanes carve, and write the same.
// Only pointers and sizes are set, so that carving anew in the middle of a run keeps it.
template <class S>
HD_BOTH i64 carve_scratch(const Model& m, const Sizes& sizes, char* memory, Scratch<S>* out,
                          Near near = {}) {
  Carver carver{memory, 0, near, 0};
  const i64 pools = m.classes.pools, slos = m.slos.n;
  Center<S>& c = out->center;
  c.free = carver.take_near<i32>(pools);
  c.shadow = carver.take_near<Tick>(pools);
  c.spare = carver.take_near<i64>(pools);
  carve_queue(&carver, m, sizes, &c.queue);
  carve_running(&carver, m, sizes, &c.running);
  carve_tenants(&carver, m, sizes, &c.tenants);
  carve_fairness(&carver, m, &c.tenants.fair);
  carve_closures(&carver, m, &c.closures);
  c.chains.slots = sizes.chains;
  c.chains.held_slots = c.chains.calendar.slots = sizes.held;
  c.chains.chain = carver.take<Chain>(sizes.chains);
  c.chains.held = carver.take<Job>(sizes.held);
  c.chains.next = carver.take<i32>(sizes.held);
  c.chains.free_slot = carver.take<i32>(sizes.held);
  c.chains.taken = carver.take<u8>(sizes.held);
  c.chains.calendar.keys = carver.take_near<u64>(Calendar<S>::keys_of(sizes.held));
  c.walk_in = carver.take<Job>(kWalkIns);
  c.largest = carver.take<i32>(m.classes.n);
  c.profile = carver.take<Profile<S>>(pools);
  for (i64 p = 0; c.running.reserves && p < pools; ++p) {
    Tick* time = carver.take<Tick>(sizes.profile);
    i32* free = carver.take<i32>((sizes.profile + kBlockOf - 1) / kBlockOf * kBlockOf);
    if (!memory) continue;
    c.profile[p].slots = sizes.profile;
    c.profile[p].time = time;
    c.profile[p].free = free;
  }
  c.tenant_waiting = carver.take<i64>(m.classes.tenants);
  c.tally.budget = carver.take<i64>(slos);
  c.tally.opened = carver.take<i64>(slos);
  c.tally.level = carver.take<Level>(slos);
  c.tally.lives = carver.take<Lives>(m.classes.n);
  c.tally.metrics = carver.take<u8>(m.classes.n);
  const i64 sources = m.stored.submit ? 0 : m.generator.sources;
  carve_blocks<S>(&carver, m.generator, sources, &out->blocks);
  carve_blocks<S>(&carver, m.generator, m.early ? sources : 0, &out->preview);
  out->late = carver.take<i64>(slos);
  return (carver.used + 63) & ~static_cast<i64>(63);
}

}  // namespace gpusim

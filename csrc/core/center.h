// The center during one run: clock, free GPUs, waiting, held and running jobs, tally; and the moves
// between them.
//
// Flat pools: the count of free GPUs is the only thing placement needs. Every state change of a job is
// one function here; which job moves is decided by the pass (backfill.h) and by the loop (simulate.h).
#pragma once
#include "chains.h"
#include "closures.h"
#include "jobs.h"
#include "model.h"
#include "profile.h"
#include "queue.h"
#include "running.h"
#include "status.h"
#include "tally.h"
#include "tenants.h"
#include "types.h"

namespace gpusim {

// What one pass leaves behind for the next: while nothing but arrivals happens, the jobs it
// passed over stay where they are. With more reservations than one it does so only if all of them fail the test
// against the first.
struct Calm {
  i32 valid;    // 1: the reservation below stands, and every waiting job but newcomers was refused
  i32 tier;     // of the reserved job
  Tick shadow;  // tick from which it is reserved
  i64 spare;    // GPUs that are left over then
};

constexpr i32 kWalkIns = 32;  // jobs of one tick that are kept out of the queue
constexpr i32 kPolls = 64;    // calls of interrupted() for one look at the caller's request

template <class S>
struct Center {
  const Model* model;
  const i32* capacity;  // (P,) GPUs of each pool
  i32* free;            // (P,) GPUs neither allocated nor closed
  i32* largest;         // (C,) GPUs of the largest pool that a class may use
  i32 pools;            // P
  Tick now;
  Status status;  // set by fail()
  i32 polls;  // calls of interrupted() until the caller is asked whether to stop; 0 after fail()
  Tick next_expiry;  // no live patience ends before this tick
  Tick next_pass;    // with a scheduler period: a pass is due, or kNever
  Tick
      timer;  // the least of these two and of the ticks at which held jobs become eligible, and of others
  i32 has_bounds;      // some max_waiting is set
  i32 counts_waiting;  // who waits is counted by tenant, or by class
  i32 shared;          // tenants share the center
  i32 walks_in;        // a job that meets no queue and has room starts under any rule (see seat)
  i32 comes_alone;  // where tenants share: who joins alone in its tick is kept out of the queue until the pass
  i32 one_pool_easy;  // passes are pass_easy_one_pool
  i32 calms;          // passes may leave a calm behind
  i32 walk_ins;       // jobs that became eligible in this tick while nobody waited
  i64 walk_in_gpus;   // of these
  Job* walk_in;       // (kWalkIns,)
  Calm calm;
  i64* tenant_waiting;  // (T,) waiting jobs by tenant
  Tick* shadow;         // (P,) reservations of the present pass of EASY: kNever = none
  i64* spare;           // (P,)
  Queue<S> queue;
  Running<S> running;
  Chains<S> chains;
  Profile<S>* profile;  // (P,)
  Tally<S> tally;
  Tenants<S> tenants;    // where they share the center
  Closures<S> closures;  // likewise

  // Whether tenants share the center: then shared_pass.h rules.
  HD bool shares() const { return built_for<S>(kSharedFamily) || (may_share<S>() && shared); }

  // What the run is about, and where its result goes.
  HD void bind(const Model& m, const Cell& cell, const RunResult& result) {
    model = tally.model = &m;
    capacity = cell.gpus;
    tally.out = result;
    queue.index.requests = &m.requests;
    tenants.model = tenants.quota.model = tenants.fair.model = &m;
    closures.steps = &m.closures;
    closures.capacity = cell.gpus;
  }

  HD void clear() {
    pools = model->classes.pools;
    now = 0;
    status = kOk;
    polls = 0;  // at once, then rarely
    shared = model->sharing.on;
    next_expiry = next_pass = timer = kNever;
    calm = Calm{0, 0, 0, 0};
    walk_ins = 0;
    walk_in_gpus = 0;
    const Policy& rules = model->policy;
    walks_in = !shares() && pools == 1 && rules.period == 1 && rules.max_tests < 0 &&
               !rules.always_profile;
    comes_alone =
        shares() && rules.max_tests < 0 && !rules.always_profile && closures.steps->n == 0;
    one_pool_easy = easy_in_one_pool(*model);
    calms = rules.order == kFifo && rules.period == 1 && rules.max_tests < 0;
    has_bounds = rules.max_waiting >= 0;
    ROLLED
    for (i32 t = 0; t < model->classes.tenants; ++t) has_bounds |= rules.tenant_max_waiting[t] >= 0;
    counts_waiting = has_bounds || shared;
    S::each(model->classes.tenants, [&](i32 t) { tenant_waiting[t] = 0; });
    S::each(pools, [&](i32 p) { free[p] = capacity[p]; });
    if (shares()) {
      tenants.clear(*model, capacity);
      closures.clear();
      timer = closures.next;
    }
    S::each(model->classes.n, [&](i32 c) { largest[c] = largest_pool(c); });
    queue.clear();
    running.clear();
    chains.clear();
    tally.clear();
  }

  // Whether the run must end here: a structure is full, or the caller asked to stop, which is looked up
  // once in a while.
  HD bool interrupted() { return --polls < 0 && must_end(); }

  HD void fail(Status why) {
    status = why;
    polls = 0;
  }

  // Whether more jobs wait than the bounds that a job of tenant t meets (R4).
  HD bool over_bounds_of(i32 t) const {
    const Policy& p = model->policy;
    const i64 own = p.tenant_max_waiting[t];
    return (p.max_waiting >= 0 && queue.waiting > p.max_waiting) ||
           (own >= 0 && tenant_waiting[t] > own);
  }
  HD bool over_bounds() const {
    if (!has_bounds) return false;
    bool over = false;
    ROLLED
    for (i32 t = 0; t < model->classes.tenants; ++t) over |= over_bounds_of(t);
    return over;
  }

  HD i32 most_free() const {
    i32 most = free[0];
    ROLLED
    for (i32 p = 1; p < pools; ++p) most = greatest(most, free[p]);
    return most;
  }

  // First allowed pool of class c that satisfies f, in order of preference; -1: none.
  template <class F>
  HD i32 allowed_pool(i32 c, F f) const {
    const Classes& classes = model->classes;
    ROLLED
    for (i32 k = classes.pool_offset[c]; k < classes.pool_offset[c + 1]; ++k)
      if (f(classes.pool_list[k])) return classes.pool_list[k];
    return -1;
  }

  HD Tick next_event() const { return least(running.next_end(), timer); }

  HD void set_timer() {
    timer = least(chains.next_eligible(), least(next_expiry, next_pass));
    if (!shares()) return;
    tenants.fair.wake = queue.waiting > 0 ? tenants.fair.next : kNever;
    timer = least(timer, least(tenants.next_ripe, least(tenants.fair.wake, closures.next)));
  }

  // The timer after a settlement. Whatever is due earlier has lowered it; what is not due any more leaves it too early, which
  // costs a look at that tick and changes nothing.
  HD void check_timer() {
    if (timer <= now || (shares() && tenants.fair.keyed())) set_timer();
  }

  // With a scheduler period, passes come at its multiples from a change on (S9). Whether one is due now.
  HD bool due(bool changed) {
    const Tick period = model->policy.period;
    if (changed) next_pass = least(next_pass, (now + period - 1) / period * period);
    const bool now_due = next_pass == now;
    if (now_due) next_pass = kNever;
    set_timer();
    return now_due;
  }

  // A job is submitted. Returns whether something changed for the scheduler: it joined the queue. One
  // larger than every allowed pool is rejected at once (R9); one of a chain, or that comes later, may be held (S11, S35).
  HD_JOB bool admit(Job& job) {
    tally.submitted(job);
    if (job.part & (kFollows | kLeads | kLater)) return admit_later(job);
    if (job.gpus <= largest[job.job_class]) return join(job);
    tally.turned_away(job, kRejectedCount, kRejected);
    return false;
  }
  HD_CALL bool admit_later(Job& job) {
    const bool follows = (job.part & kFollows) != 0;
    if (job.chain >= 0 && !follows && !chains.open(job)) {
      fail(kChainsFull);
      return false;
    }
    if (job.gpus > largest[job.job_class]) {
      tally.turned_away(job, kRejectedCount, kRejected);
      if (job.chain >= 0) break_chain(job.chain);
      return false;
    }
    if (!follows) return become_eligible(job, job.submit + job.delay);
    const Chain& chain = chains.chain[job.chain];
    if (chain.dead) {
      tally.turned_away(job, kCancelledCount, kCancelledJob);
      return false;
    }
    const Tick ready = chain.ready;
    if (ready == kNever) return hold(job, kNever);
    S::once([&] { chains.chain[job.chain].ready = kNever; });
    return become_eligible(job, greatest(job.submit, ready + job.delay));
  }

  // Jobs held until now join the queue. Returns whether there were any.
  HD_CALL bool release_held() {
    bool any = false;
    ROLLED
    while (chains.next_eligible() == now && !interrupted()) {
      const i32 slot = key_slot(chains.calendar.top());
      Job job = chains.held[slot];
      job.eligible = now;
      chains.calendar.set(slot, kNoKey);
      chains.drop(slot);
      if (shares()) tally.held(job, now);
      any |= join(job);
    }
    return any;
  }

  // The waiting job at (tier, position) starts now in a pool. Requires its GPUs to be free.
  HD_CALL void start(i32 tier, i32 position, i32 pool) {
    const Job& job = queue.job_at(tier, position);  // stays as it is until the next job joins
    if (begin(job, pool)) leave_queue(tier, position, job);
  }

  // Whether a job of class c could ever start in pool p (R9, R18).
  HD bool may_ever(i32 c, i32 p, i32 gpus) const { return gpus <= most_ever(c, p); }

  // start() where tenants share the center: the work begins after `delay` ticks (R30).
  HD void start_shared(i32 line, i32 position, i32 pool, Tick delay);
  // The same for a job that is in no line. False: there is no slot for it.
  HD_CALL bool begin_shared(const Job& job, const Past& past, i32 pool, Tick delay);

  // When a running job is expected to end, as far as its limit tells.
  HD Tick expected_end(i32 slot) const {
    const Tenure& t = tenants.tenure[slot];
    return running.run[slot].start + t.delay + t.limit;
  }

  // A running job is evicted; its GPUs and its share of the quota have been given back already (victims.h). It waits again
  // after the pass, or ends (R28).
  HD_CALL void evict(i32 slot);

  HD_CALL void put_back(const Job& job, const Past& behind);

  // What wakes those who wait (R2): keys are computed anew, or running jobs become victims. Returns whether anything did.
  HD bool wake_up() {
    const bool anew = tenants.fair.wake == now;
    if (anew) order_again();
    return (tenants.next_ripe == now && ripen()) || anew;
  }

  // The keys of all that wait, at a multiple of the calculation period (S30).
  HD_CALL void order_again();

  // Running jobs that become victims now wake whoever could evict them (S24). Returns whether anybody could.
  HD_CALL bool ripen();

  // Closures begin and end (S36).
  HD_CALL void open_and_close() {
    closures.step([&](i32 p, i32 more) { S::once([&] { free[p] -= more; }); });
    tenants.slack = 0;
  }

  // Whoever became eligible in this tick while nobody waited: if there is room for all of them, every
  // policy starts them all, else they queue. Returns whether there was anybody.
  HD_JOB bool seat() {
    const i32 jobs = walk_ins;
    if (jobs == 0) return false;
    const bool room = walk_in_gpus <= free[0];
    walk_ins = 0;
    walk_in_gpus = 0;
    ROLLED
    for (i32 i = 0; i < jobs && status == kOk; ++i) {
      if (room)
        begin(walk_in[i], 0);
      else
        enqueue(walk_in[i]);
    }
    return true;
  }

  // A waiting job leaves without having started; so does the rest of its chain (R39).
  HD_CALL void turn_away(i32 tier, i32 position, Count why, Outcome outcome) {
    const Job job = queue.job_at(tier, position);
    leave_queue(tier, position, job);
    calm.valid = 0;
    tally.turned_away(job, why, outcome);
    cancel_chain(job.chain);
  }

  HD_JOB void complete(i32 slot) {
    const Run& run = running.run[slot];  // stays as it is until the next job starts
    if (shares())
      end_shared(slot);
    else
      tally.ended(run, now);
    S::once([&] { free[run.pool] += run.gpus; });
    running.end_job(slot);
    calm.valid = 0;
    if (run.chain >= 0) go_on(run);
  }

  // Whoever came alone joins its line. False: there is no place left.
  HD_CALL bool enqueue_walk_in() {
    if (walk_ins == 0) return true;
    walk_ins = 0;
    return enqueue(walk_in[0]);
  }

 private:
  // The key of a job that joins the queue now: what orders it beside its tenant's.
  HD i64 key_of(const Job& job, Tick queued) {
    tenants.fair.refresh(now);
    if (model->policy.order != kMultifactor) return 0;
    return tenants.fair.priority_key(job.job_class, job.gpus, queued, now);
  }
  HD void note_size(const Job& job) {
    i32* smallest = tenants.smallest + model->classes.line[job.job_class];
    S::once([&] { *smallest = least(*smallest, job.gpus); });
    tenants.slack = 0;
  }

  HD_CALL void end_shared(i32 slot);

  // How long the own work of a running job has gone on: its victims' grace comes first, and its restart.
  HD Tick own_time(const Run& run, const Tenure& past) const {
    const Tick before =
        past.delay + (past.evictions > 0 ? model->sharing.restart[run.job_class] : 0);
    return greatest<Tick>(0, now - run.start - before);
  }

  // The rest of a chain, of which a job will not end as it should (R39).
  HD_CALL void cancel_chain(i32 chain) {
    if (chain < 0) return;
    break_chain(chain);
    ROLLED
    while (chains.chain[chain].first_held >= 0) {
      const i32 slot = chains.pop(chain);
      tally.held(chains.held[slot], now);
      tally.turned_away(chains.held[slot], kCancelledCount, kCancelledJob);
      chains.drop(slot);
    }
  }

  HD_CALL bool must_end() {
    if (status == kOk && stop_requested<S>(*model)) status = kCancelled;
    polls = status == kOk ? kPolls : 0;
    return status != kOk;
  }

  HD i32 largest_pool(i32 c) const {
    i32 most = 0;
    ROLLED
    for (i32 k = model->classes.pool_offset[c]; k < model->classes.pool_offset[c + 1]; ++k)
      most = greatest(most, most_ever(c, model->classes.pool_list[k]));
    return most;
  }
  // GPUs of a pool that a class may ever have: those that are there, and what its tenant may have of them (R18).
  HD i32 most_ever(i32 c, i32 p) const {
    if (!shares() || model->sharing.urgent[c]) return capacity[p];
    const i64 may = tenants.quota.ceiling[tenants.quota.at(model->classes.tenant[c], p)];
    return static_cast<i32>(greatest<i64>(0, least<i64>(may, capacity[p])));
  }

  // A job is eligible now, as it says.
  HD_JOB bool join(const Job& job) {
    tally.joined(job);
    if (!walks_in) return join_line(job);
    if (queue.waiting > 0) return enqueue(job);
    if (walk_ins == kWalkIns) {
      walk_in_gpus = kNever;  // too many to be seated
      seat();
      return status == kOk && enqueue(job);
    }
    const i32 at = walk_ins++;
    S::once([&] { walk_in[at] = job; });
    walk_in_gpus += job.gpus;
    return true;
  }

  HD_JOB bool join_line(const Job& job) {
    if (!comes_alone) return enqueue(job);
    if (walk_ins == 0 && queue.newcomers == 0) {
      walk_ins = 1;
      S::once([&] { walk_in[0] = job; });
      return true;
    }
    return enqueue_walk_in() && enqueue(job);
  }

  HD_CALL bool enqueue(const Job& job) {
    const Tick patience = model->classes.patience[job.job_class];
    const Tick leaves = patience < 0 ? kNever : now + patience;
    if (!queue.push(model->classes.line[job.job_class], job, leaves,
                    [&] { return key_of(job, now); })) {
      fail(kQueueFull);
      return false;
    }
    if (shares()) note_size(job);
    next_expiry = least(next_expiry, leaves);
    timer = least(timer, leaves);
    count_tenant(job.job_class, 1);
    return true;
  }

  HD_JOB bool begin(const Job& job, i32 pool) {
    if (running.full()) {
      fail(kRunningFull);
      return false;
    }
    const bool killed = model->policy.kill_at_limit && job.service > job.limit;
    S::once([&] { free[pool] -= job.gpus; });
    running.start_job(job, now, pool, killed);
    tally.started(job, now, pool);
    return true;
  }

  HD bool hold(const Job& job, Tick tick) {
    if (chains.full())
      fail(kHeldFull);
    else
      chains.hold(job, tick);
    timer = least(timer, tick);
    return false;
  }

  HD_CALL bool become_eligible(Job& job, Tick tick) {
    if (tick > now) return hold(job, tick);
    job.eligible = now;
    return join(job);
  }

  // A job of a chain has ended: its successor is next (R39).
  HD_CALL void go_on(const Run& run) {
    Chain& chain = chains.chain[run.chain];
    if (!(run.part & kLeads)) {
      const bool failed = run.killed && !model->classes.killed_ok[run.job_class];
      const i32 open = chain.open;
      S::once([&] { chain.open = 0; });
      if (open) tally.chain_decided(chain, now, failed);
    } else if (chain.first_held < 0) {
      const Tick end = now;
      S::once([&] { chain.ready = end; });
    } else {
      const i32 slot = chains.pop(run.chain);
      Job next = chains.held[slot];
      chains.drop(slot);
      if (shares() && next.delay == 0) tally.held(next, now);
      become_eligible(next, now + next.delay);
    }
  }

  HD void break_chain(i32 c) {
    Chain& chain = chains.chain[c];
    const i32 open = chain.open;
    S::once([&] {
      chain.dead = 1;
      chain.open = 0;
    });
    if (open) tally.chain_decided(chain, now, true);
  }

  HD void leave_queue(i32 tier, i32 position, const Job& job) {
    const Tick since = shares() ? queue.since(tier, position) : job.eligible;
    queue.remove(tier, position);
    tally.waited(job, since, now);
    count_tenant(job.job_class, -1);
    if (!shares()) return;
    tally.waits(job, since, now);
    if (queue.live[tier] == 0) S::once([&] { tenants.smallest[tier] = kHole; });
  }
  HD void count_tenant(i32 c, i32 change) {
    if (!counts_waiting) return;
    if (shares()) S::once([&] { tenants.class_waiting[c] += change; });
    const i32 t = model->classes.tenant[c];
    S::once([&] { tenant_waiting[t] += change; });
  }
};

}  // namespace gpusim

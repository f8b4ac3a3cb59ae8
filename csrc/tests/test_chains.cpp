// Chains: held jobs leave in order of submission, their slots come back, and small schedules by hand.
#include "../core/chains.h"

#include "check.h"
#include "runs.h"
#include "support.h"

namespace gpusim::test {

template <class S>
static void hold_and_release() {
  World world;
  world.store({{0, 1, 1, 1}});
  const Model model = world.model();
  Memory<S> memory(model, Sizes{32, 64, 4, 32, 2});
  Chains<S>& chains = memory.scratch.center.chains;
  chains.clear();
  CHECK_EQUAL(chains.next_eligible(), kNever);
  Job job{};
  for (i32 c = 0; c < 2; ++c) {
    job.chain = c;
    job.submit = 5 + c;
    job.gpus = 3;
    CHECK(chains.open(job));
    CHECK_EQUAL(chains.chain[c].ready, kNever);
    CHECK_EQUAL(chains.chain[c].submit, 5 + c);
  }
  CHECK_EQUAL(chains.n, 2);
  job.chain = 2;
  CHECK(!chains.open(job));  // no room
  for (i64 i = 0; i < 32; ++i) {
    CHECK(!chains.full());
    job.chain = static_cast<i32>(i % 2);
    job.index = i;
    chains.hold(job, kNever);
  }
  CHECK(chains.full());
  CHECK_EQUAL(chains.next_eligible(), kNever);
  for (i64 i = 0; i < 32; ++i) {  // the two chains in turn
    const i32 slot = chains.pop(static_cast<i32>(i % 2));
    CHECK_EQUAL(chains.held[slot].index, i);
    CHECK_EQUAL(static_cast<i32>(chains.taken[slot]), 1);
    chains.drop(slot);
    CHECK_EQUAL(static_cast<i32>(chains.taken[slot]), 0);
    if (i < 30) continue;
    CHECK_EQUAL(chains.chain[i % 2].first_held, -1);
    CHECK_EQUAL(chains.chain[i % 2].last_held, -1);
  }
  for (Tick tick : {90, 40, 70}) {  // known ticks stand in the calendar, not behind the chain
    job.index = tick;
    job.chain = 0;
    chains.hold(job, tick);
  }
  for (Tick tick : {40, 70, 90}) {
    CHECK_EQUAL(chains.next_eligible(), tick);
    const i32 slot = key_slot(chains.calendar.top());
    CHECK_EQUAL(chains.held[slot].index, tick);
    chains.calendar.set(slot, kNoKey);
    chains.drop(slot);
  }
  CHECK_EQUAL(chains.chain[0].first_held, -1);
  CHECK_EQUAL(chains.free_held, 32);
}

TEST(held_jobs_leave_in_order_and_give_their_slots_back) {
  hold_and_release<OneLane>();
  hold_and_release<Lanes>();
}

// One GPU. A chain of three with delays 3 and 0, and a job that slips into the first gap:
//   chain 0-4, delay until 7; the other 4-9; chain 9-11 (eligible 7), 11-12 (eligible at 11)
TEST(a_chain_by_hand) {
  World world;
  const i32 first = kLeads, middle = kFollows | kLeads, last = kFollows;
  world.store(
      {{0, 1, 4, 4, 0, first}, {0, 1, 2, 2, 0, middle, 3}, {0, 1, 1, 1, 0, last}, {1, 1, 5, 5}});
  for (i32 lanes : {1, 32}) {
    const Recorded out = lanes == 1 ? record<OneLane>(world, {1}) : record<Lanes>(world, {1});
    CHECK_EQUAL(out.status, static_cast<i32>(kOk));
    CHECK(out.eligible == (std::vector<Tick>{0, 7, 11, 1}));
    CHECK(out.start == (std::vector<Tick>{0, 9, 11, 4}));
    CHECK(out.end == (std::vector<Tick>{4, 11, 12, 9}));
  }
}

// The second job is larger than the center: it is rejected when submitted, and the third is cancelled.
// The first, which waits, goes on.
TEST(a_rejected_segment_kills_its_chain) {
  World world;
  const i32 first = kLeads, middle = kFollows | kLeads, last = kFollows;
  world.judge(kTurnaroundMetric, 500000, 100);
  world.store({{0, 1, 9, 9, 0, first}, {2, 2, 1, 1, 0, middle}, {3, 1, 1, 1, 0, last}});
  const Recorded out = record<Lanes>(world, {1});
  CHECK(out.outcome == (std::vector<u8>{kFinished, kRejected, kCancelledJob}));
  CHECK(out.end == (std::vector<Tick>{9, -1, -1}));
  CHECK(out.rows.slo == (std::vector<i64>{0, 1, 0}));  // violated once
}

// One GPU. Two jobs alone and a chain of two, all held at first.
//   alone 3-7 (eligible 3), chain 7-9 (eligible 5), alone 9-10 (eligible 8), chain 11-12 (eligible 9 + 2)
TEST(jobs_without_predecessor_are_held_from_their_submit_on) {
  World world;
  world.store({{0, 1, 4, 4, -1, kLater, 3},
               {0, 1, 2, 2, 0, kLeads | kLater, 5},
               {1, 1, 1, 1, 0, kFollows, 2},
               {2, 1, 1, 1, -1, kLater, 6}});
  for (i32 lanes : {1, 32}) {
    const Recorded out = lanes == 1 ? record<OneLane>(world, {1}) : record<Lanes>(world, {1});
    CHECK_EQUAL(out.status, static_cast<i32>(kOk));
    CHECK(out.eligible == (std::vector<Tick>{3, 5, 11, 8}));
    CHECK(out.end == (std::vector<Tick>{7, 9, 12, 10}));
  }
}

TEST(who_is_held_at_the_horizon_has_a_turnaround_that_counts_from_its_submit) {
  World world;
  world.store({{0, 1, 4, 4, -1, kLater, 500}, {60, 1, 4, 4, -1, kLater, 500}});
  world.windows = Windows{0, 100, 100, 86400, 0};
  world.judge(kTurnaroundMetric, 500000, 50);
  const Recorded out = record<OneLane>(world, {1});
  CHECK_EQUAL(out.rows.counts[kHeldCount], 2);
  CHECK(out.rows.slo == (std::vector<i64>{0, 1, 1}));  // the first has lasted longer already
}

TEST(too_few_slots_for_chains_are_a_status) {
  World world;
  for (i32 c = 0; c < 40; ++c) world.store({{0, 1, 1, 1, c, kLeads}});
  for (i32 c = 0; c < 40; ++c) world.store({{0, 1, 1, 1, c, kFollows}});
  const Model m = world.model();
  const i32 one = 1;
  const Cell cell{0, 0, 1000000, &one};
  CHECK_EQUAL(run<Lanes>(m, cell, Sizes{32, 64, 4, 64, 39}).status[0],
              static_cast<i32>(kChainsFull));
  CHECK_EQUAL(run<Lanes>(m, cell, Sizes{32, 64, 4, 32, 40}).status[0], static_cast<i32>(kHeldFull));
  CHECK_EQUAL(run<Lanes>(m, cell, Sizes{32, 64, 4, 64, 40}).status[0], static_cast<i32>(kOk));
}

}  // namespace gpusim::test

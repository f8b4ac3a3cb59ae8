// The queue against plain lists: holes, closing up, order, bounds.
#include "../core/queue.h"

#include <algorithm>

#include "check.h"
#include "support.h"

namespace gpusim::test {

struct Entry {
  Job job;
  Tick expiry;
  i64 index;
};

typedef std::vector<std::vector<Entry>> Lists;  // live jobs by tier, in order

template <class S>
static i32 place(const Queue<S>& queue, i32 tier,
                 i64 nth) {  // of the nth live entry, found as a pass would
  i32 i = queue.head[tier] - 1;
  do i = queue.first_that(tier, i + 1, [](i32 g, Tick) { return g != kHole; });
  while (nth-- > 0);
  return i;
}

template <class S>
static bool same(const Queue<S>& queue, const Lists& expected) {
  i64 waiting = 0;
  i32 smallest = kHole;
  Tick expiry = kNever;
  for (i32 t = 0; t < queue.tiers; ++t) {
    i32 i = queue.head[t];
    const std::vector<Entry>& list = expected[static_cast<size_t>(t)];
    if (list.empty() && !CHECK_EQUAL(queue.head[t], queue.tail[t])) return false;
    for (const Entry& e : list) {
      i = queue.first_that(t, i, [](i32 g, Tick) { return g != kHole; });
      if (!CHECK(i < queue.tail[t])) return false;
      if (&e == &list.front() && !CHECK_EQUAL(queue.head[t], i)) return false;
      const i64 k = queue.at(t, i++);
      if (!CHECK(queue.index[k] == e.index && queue.gpus[k] == e.job.gpus &&
                 queue.limit[k] == e.job.limit && queue.submit[k] == e.job.submit &&
                 queue.service[k] == e.job.service && queue.job_class[k] == e.job.job_class &&
                 queue.expiry[k] == e.expiry))
        return false;
      smallest = least(smallest, e.job.gpus);
      expiry = least(expiry, e.expiry);
    }
    i = queue.first_that(t, i, [](i32 g, Tick) { return g != kHole; });
    if (!CHECK_EQUAL(i, queue.tail[t])) return false;
    if (!CHECK_EQUAL(static_cast<size_t>(queue.live[t]), list.size())) return false;
    waiting += queue.live[t];
  }
  return CHECK_EQUAL(queue.waiting, waiting) && CHECK_EQUAL(queue.smallest(), smallest) &&
         CHECK_EQUAL(queue.next_expiry(), expiry);
}

template <class S>
static void compare(i32 slots, u64 seed) {
  World world = busy_world(1000);
  const Model model = world.model();
  Memory<S> memory(model, Sizes{32, slots, 4});
  Queue<S>& queue = memory.scratch.center.queue;
  queue.clear();
  Lists expected(static_cast<size_t>(queue.tiers));
  Random random(seed);
  i32 refused = 0;
  for (i64 step = 0; step < 1500; ++step) {
    const i32 tier = random.small(0, queue.tiers - 1);
    std::vector<Entry>& list = expected[static_cast<size_t>(tier)];
    const i64 lives = static_cast<i64>(list.size());
    if (random.small(0, 9) < (step / 300 % 2 ? 3 : 9)) {
      const Entry e{
          Job{step, random.between(1, 99), random.between(1, 99), random.small(1, 64), tier},
          random.small(0, 1) ? step + random.between(0, 50) : kNever, step};
      const bool full = queue.tail[tier] == slots && queue.live[tier] > slots - slots / 4;
      if (!CHECK_EQUAL(queue.push(tier, e.job, e.expiry, e.index), !full)) return;
      if (full)
        ++refused;
      else
        list.push_back(e);
    } else if (lives > 0) {
      const i64 nth = random.small(0, 2) ? random.between(0, lives - 1) : 0;
      queue.remove(tier, place(queue, tier, nth));
      list.erase(list.begin() + nth);
    }
    if (!same(queue, expected)) return;
    const i32 late = queue.first_expired(tier, queue.head[tier], step);
    const bool any =
        std::any_of(list.begin(), list.end(), [&](const Entry& e) { return e.expiry <= step; });
    if (!CHECK_EQUAL(late < queue.tail[tier], any)) return;
  }
  CHECK(slots > 100 || refused > 0);
}

TEST(queue_keeps_order_through_holes_and_closing_up) {
  for (i32 slots : {4, 33, 64, 300}) {
    compare<OneLane>(slots, static_cast<u64>(slots));
    compare<Lanes>(slots, static_cast<u64>(slots));
  }
}

TEST(newcomers_are_the_last_entries) {
  World world;
  world.store({{0, 1, 1, 1}});
  const Model model = world.model();
  Memory<OneLane> memory(model, Sizes{32, 8, 4});
  Queue<OneLane>& queue = memory.scratch.center.queue;
  queue.clear();
  for (i64 i = 0; i < 8; ++i) queue.push(0, Job{0, 1, 1, 1, 0}, kNever, i);
  for (i32 i : {0, 1, 4}) queue.remove(0, i);
  queue.forget_newcomers();
  for (i64 i = 8; i < 10; ++i) CHECK(queue.push(0, Job{0, 1, 1, 1, 0}, kNever, i));  // closes up
  CHECK_EQUAL(queue.tail[0], 7);
  CHECK_EQUAL(queue.fresh[0], 2);
  CHECK_EQUAL(queue.index[5], 8);
  CHECK_EQUAL(queue.index[6], 9);
}

}  // namespace gpusim::test

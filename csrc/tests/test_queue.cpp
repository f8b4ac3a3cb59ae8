// The queue against plain lists: orders that keep their keys and one that does not, holes, closing up, searches, newcomers, bounds.
#include "../core/queue.h"

#include <algorithm>

#include "check.h"
#include "support.h"

namespace gpusim::test {

struct Entry {
  Job job;
  Tick expiry;
  i64 key;
};

typedef std::vector<Entry> List;  // live jobs of one tier, in order

static bool before(i32 order, const Entry& a, const Entry& b) {
  if (order == kMultifactor && a.key != b.key) return a.key < b.key;
  if (order == kSjf && a.job.limit != b.job.limit) return a.job.limit < b.job.limit;
  if (a.job.eligible != b.job.eligible) return a.job.eligible < b.job.eligible;
  return a.job.index < b.job.index;
}

static const Room anybody = room_of(kAnyGang);

template <class S>
static bool same(Queue<S>& queue, const std::vector<List>& expected) {
  i64 waiting = 0;
  i32 smallest = kHole;
  Tick expiry = kNever;
  for (i32 t = 0; t < queue.tiers; ++t) {
    const List& list = expected[static_cast<size_t>(t)];
    i32 i = queue.head[t];
    if (list.empty() && !CHECK_EQUAL(queue.head[t], queue.tail[t])) return false;
    for (const Entry& e : list) {
      i = queue.first_that(t, i, anybody);
      if (!CHECK(i < queue.tail[t])) return false;
      if (&e == &list.front() && !CHECK_EQUAL(queue.head[t], i)) return false;
      const i64 k = queue.at(t, i);
      const i32 p = queue.place[k];
      const Job& job = queue.job_at(t, i);
      if (!CHECK(job.index == e.job.index && job.service == e.job.service && queue.here[p] == 1 &&
                 queue.index.gpus[k] == e.job.gpus && queue.index.brief[k] == e.job.limit &&
                 queue.expiry[k] == e.expiry && queue.position_of(t, p) == i))
        return false;
      ++i;
      smallest = least(smallest, e.job.gpus);
      expiry = least(expiry, e.expiry);
    }
    if (!CHECK_EQUAL(queue.first_that(t, i, anybody), queue.tail[t])) return false;
    if (!CHECK_EQUAL(static_cast<size_t>(queue.live[t]), list.size())) return false;
    waiting += queue.live[t];
  }
  return CHECK_EQUAL(queue.waiting, waiting) && CHECK(queue.smallest() <= smallest) &&
         CHECK_EQUAL(queue.next_expiry(), expiry);
}

// A search by size and limit against one that looks at every entry.
template <class S>
static bool searches_agree(Queue<S>& queue, i32 tier, Random* random) {
  for (i32 k = 0; k < 6; ++k) {
    const Room room{random->small(0, 64), random->small(0, 64), random->between(0, 99)};
    const i32 from = random->small(queue.head[tier], queue.tail[tier]);
    i32 expected = from;
    for (; expected < queue.tail[tier]; ++expected) {
      if (queue.index.gpus[queue.at(tier, expected)] == kHole) continue;
      const Job& job = queue.job_at(tier, expected);
      if (job.gpus <= room.free && (job.limit <= room.window || job.gpus <= room.spare)) break;
    }
    if (!CHECK_EQUAL(queue.first_that(tier, from, room), expected)) return false;
  }
  return true;
}

// Keys that change: now and then, for a few.
static i64 key_of(const Job& job, Tick now) { return job.index % 5 == now / 7 % 5 ? now % 3 : 1; }

template <class S>
static void compare(i32 order, i32 slots, u64 seed) {
  World world = busy_world(1000);
  world.policy.order = order;
  Model model = world.model();
  model.sharing.on = order == kMultifactor;
  Memory<S> memory(model, Sizes{32, slots, 4, 32, 1});
  Queue<S>& queue = memory.scratch.center.queue;
  queue.index.requests = &model.requests;
  queue.clear();
  std::vector<List> expected(static_cast<size_t>(queue.tiers));
  Random random(seed);
  i64 index = 0;
  i32 refused = 0, most = 0;
  for (Tick now = 0; now < 900; ++now) {
    const bool filling = now / 180 % 2 == 0;
    queue.forget_newcomers();
    std::vector<i64> arrivals,
        joined;  // those that become eligible may have been submitted long ago
    for (i32 n = random.small(0, filling ? 6 : 2); n > 0; --n) arrivals.push_back(index++);
    std::shuffle(arrivals.begin(), arrivals.end(), random.engine);
    for (i64 i : arrivals) {
      const i32 tier = random.small(0, queue.tiers - 1);
      List& list = expected[static_cast<size_t>(tier)];
      Job job{};
      job.submit = job.eligible = now;
      job.service = random.between(1, 99);
      job.limit = random.between(1, 99);
      job.index = i;
      job.gpus = random.small(1, 64);
      const Entry e{job, random.small(0, 1) ? now + random.between(0, 50) : kNever,
                    key_of(job, now)};
      const bool full = queue.tail[tier] == slots && queue.live[tier] > slots - slots / 4;
      if (!CHECK_EQUAL(queue.push(tier, e.job, e.expiry, [&] { return e.key; }), !full)) return;
      if (full) {
        ++refused;
        continue;
      }
      joined.push_back(i);
      list.insert(
          std::upper_bound(list.begin(), list.end(), e,
                           [=](const Entry& a, const Entry& b) { return before(order, a, b); }),
          e);
      most = greatest(most, queue.tail[tier]);
    }
    std::sort(joined.begin(), joined.end());
    if (!CHECK_EQUAL(static_cast<size_t>(queue.newcomers), joined.size())) return;
    for (size_t i = 0; i < joined.size(); ++i)
      if (!CHECK_EQUAL(queue.job[queue.newcomer[i]].index, joined[i])) return;
    for (i32 n = random.small(0, filling ? 3 : 7); n > 0; --n) {
      const i32 tier = random.small(0, queue.tiers - 1);
      List& list = expected[static_cast<size_t>(tier)];
      if (list.empty()) continue;
      const i64 nth = random.small(0, 2) ? random.between(0, static_cast<i64>(list.size()) - 1) : 0;
      i32 at = queue.head[tier];
      for (i64 k = 0; k < nth; ++k) at = queue.first_that(tier, at + 1, anybody);
      const i32 p = queue.place[queue.at(tier, at)];
      queue.remove(tier, at);
      if (!CHECK_EQUAL(static_cast<i32>(queue.here[p]), 0)) return;
      list.erase(list.begin() + nth);
    }
    if (order == kMultifactor && now % 7 == 0) {
      for (i32 tier = 0; tier < queue.tiers; ++tier) {
        List& list = expected[static_cast<size_t>(tier)];
        for (Entry& e : list) e.key = key_of(e.job, now);
        std::stable_sort(list.begin(), list.end(),
                         [=](const Entry& a, const Entry& b) { return before(order, a, b); });
        if (!list.empty())
          queue.order_again(tier, [=](const Job& job, const Past&) { return key_of(job, now); });
      }
    }
    if (!same(queue, expected)) return;
    for (i32 tier = 0; tier < queue.tiers; ++tier) {
      if (!searches_agree(queue, tier, &random)) return;
      const List& list = expected[static_cast<size_t>(tier)];
      const i32 late = queue.first_expired(tier, queue.head[tier], now);
      const bool any =
          std::any_of(list.begin(), list.end(), [&](const Entry& e) { return e.expiry <= now; });
      if (!CHECK_EQUAL(late < queue.tail[tier], any)) return;
    }
  }
  CHECK(slots > 128 || refused > 0);
  CHECK(most > slots / 2);
}

TEST(queue_keeps_order_through_holes_and_closing_up) {
  for (i32 order :
       {static_cast<i32>(kFifo), static_cast<i32>(kSjf), static_cast<i32>(kMultifactor)})
    for (i32 slots : {64, 128, 320}) {
      compare<OneLane>(order, slots, static_cast<u64>(slots));
      compare<Lanes>(order, slots, static_cast<u64>(slots));
    }
}

TEST(a_strip_of_holes_is_closed_up_before_it_is_full) {
  World world;
  world.store({{0, 1, 1, 1}});
  const Model model = world.model();
  Memory<OneLane> memory(model, Sizes{32, 640, 4, 32, 0});
  Queue<OneLane>& queue = memory.scratch.center.queue;
  queue.index.requests = &model.requests;
  queue.clear();
  for (i32 i = 0; i < 5000; ++i) {  // ten wait; the second leaves from the middle each time
    Job job{};
    job.eligible = job.index = i;
    job.gpus = 8;
    job.limit = 10;
    queue.forget_newcomers();
    if (!CHECK(queue.push(0, job, kNever, [] { return i64{0}; }))) return;
    if (queue.live[0] <= 10) continue;
    queue.remove(0, queue.next_live(0, queue.head[0] + 1));
    if (!CHECK(queue.tail[0] <= 2 * 11 + kFewHoles + 1)) return;
  }
  CHECK_EQUAL(queue.job_at(0, queue.head[0]).index, 0);
}

}  // namespace gpusim::test

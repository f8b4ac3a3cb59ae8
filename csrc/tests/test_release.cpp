// The release list against an ordered map: what is back when, whatever is far, overdue or moved about.
#include "../core/release.h"

#include <map>

#include "check.h"
#include "support.h"

namespace gpusim::test {

typedef std::map<std::pair<Tick, i32>, i32> Map;  // (expected end, slot) -> GPUs

template <class S>
struct List {  // a list and its memory
  std::vector<i32> sum, group, head;
  std::vector<ReleaseNode> node;
  Release<S> list{};
  explicit List(i32 slots) {
    const size_t buckets = static_cast<size_t>(release_buckets(slots));
    sum.resize(buckets);
    group.resize(buckets / kGroup);
    head.resize(buckets + 2);
    node.resize(static_cast<size_t>(slots) + 1);
    list.buckets = static_cast<i32>(buckets);
    list.sum = sum.data();
    list.group = group.data();
    list.head = head.data();
    list.node = node.data() + 1;
    list.clear();
  }
};

template <class S>
static bool same_jobs(Release<S>& list, const Map& expected, Tick now) {
  if (!CHECK_EQUAL(static_cast<size_t>(list.n), expected.size())) return false;
  std::map<std::pair<Tick, i32>, i32> seen, wanted;  // (end, GPUs) -> how often
  Tick bucket = 0;
  bool ordered = true;
  list.each(now, [&](Tick end, i32 gpus) {
    ++seen[{end, gpus}];
    const bool in_ring =
        (end >> list.shift) >= list.origin && (end >> list.shift) - list.origin < list.buckets;
    if (!in_ring) return;
    ordered = ordered && end >> list.shift >= bucket;
    bucket = end >> list.shift;
  });
  for (const auto& [key, gpus] : expected) ++wanted[{key.first, gpus}];
  return CHECK(seen == wanted) && CHECK(ordered);
}

template <class S>
static bool same_answers(Release<S>& list, const Map& expected, Tick now, Random* random) {
  i64 total = 0;
  for (const auto& entry : expected) total += entry.second;
  if (total == 0) return true;
  for (i64 wanted :
       {static_cast<i64>(1), random->between(1, total), random->between(1, total), total}) {
    i64 sum = 0, given = -1;
    Tick back = now + 1;
    auto it = expected.begin();
    for (; sum < wanted; ++it) {
      sum += it->second;
      back = greatest(back, it->first.first);
    }
    for (; it != expected.end() && it->first.first <= back; ++it) sum += it->second;
    if (!CHECK_EQUAL(list.when_back(wanted, now, &given), back) || !CHECK_EQUAL(given, sum))
      return false;
  }
  return true;
}

// Jobs come and go. `request` sets how far ahead their ends lie, `rare` those of one in ten; a few stay
// beyond their request; the clock moves on by up to `pace`.
template <class S>
static void compare(i32 slots, Tick request, Tick rare, Tick pace, u64 seed) {
  List<S> memory(slots);
  Release<S>& list = memory.list;
  Random random(seed);
  Map expected;
  std::vector<Tick> end(static_cast<size_t>(slots), -1);
  Tick now = 0;
  for (i32 step = 0; step < 4000; ++step) {
    const bool filling = step / 1000 % 2 == 0;
    now += random.between(0, pace);
    for (i32 slot = 0; slot < slots; ++slot) {  // nearly all leave by their end
      const size_t k = static_cast<size_t>(slot);
      if (end[k] < 0 || end[k] > now || random.small(0, 9) == 0 || step % 8) continue;
      list.remove(slot);
      expected.erase({end[k], slot});
      end[k] = -1;
    }
    const i32 slot = random.small(0, slots - 1);
    const size_t k = static_cast<size_t>(slot);
    if (end[k] < 0) {
      if (random.small(0, 9) >= (filling ? 10 : 2)) continue;
      end[k] = now + 1 + random.between(0, random.small(0, 9) == 0 ? rare : request);
      const i32 gpus = random.small(1, 9);
      list.insert(slot, end[k], gpus, now);
      expected[{end[k], slot}] = gpus;
    } else if (random.small(0, 9) < (filling ? 2 : 10)) {
      list.remove(slot);
      expected.erase({end[k], slot});
      end[k] = -1;
    }
    if (step % 7 == 0 && !same_jobs(list, expected, now)) return;
    if (step % 5 == 0 && !same_answers(list, expected, now, &random)) return;
  }
}

TEST(release_list_equals_an_ordered_map) {
  for (i32 slots : {32, 256, 1024})
    for (Tick request : {0, 40, 3000, 100000})
      for (Tick rare : {request, 50 * request}) {
        compare<OneLane>(slots, request, rare, greatest<Tick>(1, request / 40), 7);
        compare<Lanes>(slots, request, rare, greatest<Tick>(1, request / 400), 8);
      }
}

TEST(a_clock_that_jumps_over_the_whole_ring_loses_nobody) {
  List<OneLane> memory(32);
  Release<OneLane>& list = memory.list;
  list.insert(3, 10, 4, 0);
  list.insert(5, 1000000, 2, 0);  // far
  list.insert(7, 1000001, 1, 0);
  i64 given = 0;
  CHECK_EQUAL(list.when_back(6, 0, &given), 1000000);
  CHECK_EQUAL(given, 6);
  CHECK_EQUAL(list.when_back(1, 999999, &given), 1000000);  // slot 3 is overdue, slot 5 due next
  CHECK_EQUAL(given, 6);
  CHECK_EQUAL(list.when_back(7, 999999, &given), 1000001);
  CHECK_EQUAL(list.when_back(7, 5000000, &given), 5000001);  // all are overdue
  CHECK_EQUAL(given, 7);
  list.remove(3);
  list.remove(5);
  list.remove(7);
  CHECK_EQUAL(list.n, 0);
  CHECK_EQUAL(list.overdue, 0);
}

TEST(buckets_are_as_wide_as_few_far_jobs_need) {
  List<OneLane> memory(1024);
  Release<OneLane>& list = memory.list;
  for (i32 i = 0; i < 1024; ++i) list.insert(i, 100000 + 97 * i, 1, 0);
  CHECK(list.far_jobs <= 1024 / 4);
  CHECK(list.shift > 0);
  i64 given = 0;
  for (i32 i : {1, 500, 1024}) {
    CHECK_EQUAL(list.when_back(i, 0, &given), 100000 + 97 * (i - 1));
    CHECK_EQUAL(given, i);
  }
}

}  // namespace gpusim::test

// The release list against an ordered map, and against a list that is read from end to end: what is back when,
// whatever is far, overdue or moved about.
#include "../core/release.h"

#include <algorithm>
#include <map>

#include "check.h"
#include "support.h"

namespace gpusim::test {

typedef std::map<std::pair<Tick, i32>, i32> Map;  // (expected end, slot) -> GPUs

template <class S>
struct List {  // a list and its memory
  std::vector<i32> group, head;
  std::vector<ReleaseNode> node;
  Release<S> list{};
  explicit List(i32 slots) {
    const size_t buckets = static_cast<size_t>(release_buckets(slots));
    group.resize(buckets / kGroup + 2);
    head.resize(buckets + 2);
    node.resize(static_cast<size_t>(slots) + 1);
    list.buckets = static_cast<i32>(buckets);
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

// Every slot's job in a plain array, and answers by reading all of it.
struct Naive {
  std::vector<Tick> end;  // -1: no job
  std::vector<i32> gpus;
  explicit Naive(i32 slots)
      : end(static_cast<size_t>(slots), -1), gpus(static_cast<size_t>(slots)) {}
  i64 given(Tick tick) const {  // GPUs back at a tick
    i64 sum = 0;
    for (size_t k = 0; k < end.size(); ++k) sum += end[k] >= 0 && end[k] <= tick ? gpus[k] : 0;
    return sum;
  }
  Tick when_back(i64 wanted, Tick now) const {
    if (given(now + 1) >= wanted) return now + 1;
    Tick best = kNever;
    for (Tick tick : end)
      if (tick > now && tick < best && given(tick) >= wanted) best = tick;
    return best;
  }
  bool holds(Tick tick, i32 g) const {
    for (size_t k = 0; k < end.size(); ++k)
      if (end[k] == tick && gpus[k] == g) return true;
    return false;
  }
};

// An end after `now` where something changes in the list: at a border of buckets, of groups or of the ring, at
// the last answer, on a job that is there; or anywhere.
template <class S>
static Tick next_end(const Release<S>& list, const Naive& naive, Tick now, Tick request,
                     Random* random) {
  const Tick width = 1LL << list.shift, group = kGroup * width;
  Tick tick = now + 1 + random->between(0, request);
  switch (random->small(0, 7)) {
    case 0:
      tick = tick / width * width;
      break;
    case 1:
      tick = tick / group * group;
      break;
    case 2:
      tick = list.end;
      break;
    case 3:
      tick = list.mark;
      break;
    case 4:
      tick =
          naive.end[static_cast<size_t>(random->small(0, static_cast<i32>(naive.end.size()) - 1))];
      tick += random->small(0, 1) * random->small(-20, 20);
      break;
    case 5:
      tick = now + 1;
      break;
    default:
      return tick;
  }
  return greatest(now + 1, tick + random->small(-1, 1));
}

template <class S>
static bool same_question(Release<S>& list, const Naive& naive, i64 wanted, Tick now) {
  i64 given = -1;
  const Tick back = naive.when_back(wanted, now);
  return CHECK_EQUAL(list.when_back(wanted, now, &given), back) &&
         CHECK_EQUAL(given, naive.given(back));
}

// Jobs come and go, one at a time, most often with the same question asked again as its GPUs ask for it; the
// number of jobs swings between none and all, so that widths change again and again.
template <class S>
static void compare_naive(i32 slots, Tick request, Tick pace, i32 steps, u64 seed) {
  List<S> memory(slots);
  Release<S>& list = memory.list;
  Naive naive(slots);
  Random random(seed);
  Tick now = 0;
  i64 total = 0, wanted = 0;
  i32 widths = 0, far = 0, late = 0, kept = 0;
  for (i32 step = 0; step < steps; ++step) {
    const bool filling = step / (8 * slots) % 2 == 0;
    const i32 shift = list.shift;
    if (random.small(0, 3) == 0) now += random.between(0, pace);
    if (random.small(0, 999) == 0) now += random.between(0, 3 * request);
    const i32 slot = random.small(0, slots - 1);
    const size_t k = static_cast<size_t>(slot);
    if (naive.end[k] < 0 && random.small(0, 9) < (filling ? 9 : 2)) {
      const Tick end =
          next_end(list, naive, now, random.small(0, 20) ? request : 40 * request, &random);
      naive.end[k] = end;
      naive.gpus[k] = random.small(0, 3) ? random.small(1, 8) : 512;
      total += naive.gpus[k];
      list.insert(slot, end, naive.gpus[k], now);
      far += end >= list.end;
    } else if (naive.end[k] >= 0 && random.small(0, 9) < (filling ? 2 : 9)) {
      list.remove(slot);
      if (naive.end[k] < list.mark) wanted -= naive.gpus[k];  // as at the end of a running job
      late += naive.end[k] < now;
      total -= naive.gpus[k];
      naive.end[k] = -1;
    }
    widths += list.shift != shift;
    if (!CHECK_EQUAL(list.n,
                     slots - static_cast<i32>(std::count(naive.end.begin(), naive.end.end(), -1))))
      return;
    if (!CHECK_EQUAL(list.sooner, naive.given(list.mark - 1)) ||
        !CHECK_EQUAL(list.back, naive.given(list.mark)))
      return;
    if (random.small(0, 2) == 0) continue;  // the clock and the jobs go on unseen
    if (random.small(0, 19) == 0) wanted = random.between(0, total);
    wanted = least(greatest<i64>(wanted, 0), total);
    kept += list.mark > now && wanted > list.sooner && wanted <= list.back;
    if (!same_question(list, naive, wanted, now)) return;
    if (random.small(0, 9)) continue;
    const i64 near = naive.given(now + random.between(0, request));
    for (i64 other : {static_cast<i64>(0), total, near, near + 1, wanted, wanted + 1, wanted - 1})
      if (other <= total && !same_question(list, naive, other, now)) return;
    i32 jobs = 0;
    i64 gpus = 0;
    list.each(now, [&](Tick end, i32 g) {
      ++jobs;
      gpus += g;
      CHECK(naive.holds(end, g));
    });
    if (!CHECK_EQUAL(jobs, list.n) || !CHECK_EQUAL(gpus, total)) return;
  }
  CHECK(far > steps / 100 && late > steps / 100 && kept > steps / 100);
  CHECK(request < 4 * list.buckets || widths > 0);
}

TEST(release_list_equals_a_list_read_from_end_to_end) {
  for (i32 slots : {32, 128})
    for (Tick request : {3, 600, 20000, 3000000}) {
      compare_naive<OneLane>(slots, request, request / 100 + 1, 20000, 11);
      compare_naive<Lanes>(slots, request, request / 100 + 1, 10000, 12);
      compare_naive<OneLane>(slots, request, request / 3 + 1, 10000, 13);
    }
}

TEST(an_answer_that_is_kept_counts_who_comes_and_goes) {
  List<OneLane> memory(32);
  Release<OneLane>& list = memory.list;
  list.insert(0, 100, 4, 0);
  list.insert(1, 200, 8, 0);
  list.insert(2, 300, 16, 0);
  i64 given = 0;
  CHECK_EQUAL(list.when_back(12, 0, &given), 200);
  CHECK_EQUAL(given, 12);
  list.insert(3, 150, 2, 10);  // before the answer
  CHECK_EQUAL(list.when_back(14, 10, &given), 200);
  CHECK_EQUAL(given, 14);
  list.insert(4, 200, 1, 20);  // at it
  CHECK_EQUAL(list.when_back(14, 20, &given), 200);
  CHECK_EQUAL(given, 15);
  list.insert(5, 201, 32, 30);  // after it
  CHECK_EQUAL(list.when_back(15, 30, &given), 200);
  CHECK_EQUAL(given, 15);
  list.remove(0);
  CHECK_EQUAL(list.when_back(11, 40, &given), 200);
  CHECK_EQUAL(given, 11);
  list.remove(1);
  CHECK_EQUAL(list.when_back(3, 50, &given), 200);
  CHECK_EQUAL(given, 3);
  CHECK_EQUAL(list.when_back(2, 50, &given), 150);  // an earlier one
  CHECK_EQUAL(given, 2);
  list.remove(4);
  list.remove(3);
  CHECK_EQUAL(list.when_back(1, 60, &given), 201);  // the next one
  CHECK_EQUAL(given, 32);
  CHECK_EQUAL(list.when_back(32, 201, &given),
              202);  // who should be back by now is at the next tick
  CHECK_EQUAL(given, 32);
  CHECK_EQUAL(list.when_back(0, 201, &given), 202);
  CHECK_EQUAL(given, 32);
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

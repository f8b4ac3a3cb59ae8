// Every strip operation through one lane and through 32, against the standard algorithms.
#include <algorithm>
#include <limits>
#include <numeric>

#include "check.h"
#include "support.h"

namespace gpusim::test {

constexpr i32 kLengths[] = {0, 1, 31, 32, 33, 64, 65, 1000};

template <class T>
static std::vector<T> numbers(i32 n, Random* random) {  // few distinct values, so that ties occur
  std::vector<T> a(static_cast<size_t>(n));
  for (T& x : a) x = static_cast<T>(random->between(0, 40));
  return a;
}

static i32 index(std::ptrdiff_t i) { return static_cast<i32>(i); }

template <class S, class T>
static void compare_minima(i32 n, Random* random) {
  const std::vector<T> a = numbers<T>(n, random);
  const T none = std::numeric_limits<T>::max();
  const auto least_one = std::min_element(a.begin(), a.end());
  CHECK_EQUAL(S::min(a.data(), n, none), n ? *least_one : none);
  const T* p = a.data();
  CHECK_EQUAL(S::min_of(n, none, [=](i32 i) { return p[i]; }), n ? *least_one : none);
  if (n) CHECK_EQUAL(S::argmin(a.data(), n), index(least_one - a.begin()));
}

template <class S>
static void compare_searches(i32 n, Random* random) {
  const std::vector<i32> a = numbers<i32>(n, random);
  std::vector<i32> whole_blocks = a;  // what stands behind the end is asked about, but not found
  whole_blocks.resize(a.size() + kBlockOf, 7);
  const i32 *p = a.data(), *b = whole_blocks.data();
  for (i32 from : {0, 1, n / 2, n - 1, n})
    for (i32 wanted : {0, 7, 99}) {
      if (from < 0 || from > n) continue;
      const i32 found = S::prefix_until(from, n, [=](i32 i) { return p[i] == wanted; });
      CHECK_EQUAL(found, index(std::find(a.begin() + from, a.end(), wanted) - a.begin()));
      CHECK_EQUAL(S::short_until(from, n, [=](i32 i) { return p[i] == wanted; }), found);
      CHECK_EQUAL(S::block_until(from, n, [=](i32 i) { return b[i] == wanted; }), found);
    }
  std::vector<i32> sorted = a;
  std::sort(sorted.begin(), sorted.end());
  for (i32 x = -1; x <= 42; ++x)
    CHECK_EQUAL(S::lower_bound(sorted.data(), n, x),
                index(std::lower_bound(sorted.begin(), sorted.end(), x) - sorted.begin()));
  std::vector<i64> sums(a.size());
  std::partial_sum(a.begin(), a.end(), sums.begin(), [](i64 s, i64 x) { return s + x; });
  const i64 total = n ? sums.back() : 0;
  for (i64 x : {static_cast<i64>(0), static_cast<i64>(1), total / 2, total, total + 1}) {
    i64 sum = -1;
    const i32 k = S::prefix_sum_until(p, n, x, &sum);
    const i32 expected = index(std::lower_bound(sums.begin(), sums.end(), x) - sums.begin());
    CHECK_EQUAL(k, expected);
    CHECK_EQUAL(sum, expected < n ? sums[static_cast<size_t>(expected)] : total);
  }
}

template <class S, class T>
static void compare_changes(i32 n, Random* random) {
  const T guard = static_cast<T>(12345);  // stands behind the strip and must stay there
  std::vector<T> a = numbers<T>(n, random);
  std::vector<T> b = a;
  a.push_back(guard);
  S::each(n, [&](i32 i) { a[static_cast<size_t>(i)] += static_cast<T>(i); });
  for (i32 i = 0; i < n; ++i) b[static_cast<size_t>(i)] += static_cast<T>(i);
  b.push_back(guard);
  CHECK(a == b);
  S::prefix_sums(a.data(), n, static_cast<T>(17));
  if (n) b[0] += 17;
  std::partial_sum(b.begin(), b.end() - 1, b.begin());
  CHECK(a == b);
  for (i32 at : {0, 1, 31, 32, n / 2, n - 1, n}) {
    if (at < 0 || at > n) continue;
    a.insert(a.end() - 1, 0);  // room
    S::shift_insert(a.data(), n, at, static_cast<T>(99));
    b.insert(b.begin() + at, static_cast<T>(99));
    CHECK(a == b);
    S::shift_remove(a.data(), n + 1, at);
    a.erase(a.end() - 2);
    b.erase(b.begin() + at);
    CHECK(a == b);
  }
}

template <class S>
static void compare_all(u64 seed) {
  Random random(seed);
  for (i32 n : kLengths) {
    compare_minima<S, i32>(n, &random);
    compare_minima<S, i64>(n, &random);
    compare_minima<S, u64>(n, &random);
    compare_searches<S>(n, &random);
    compare_changes<S, i32>(n, &random);
    compare_changes<S, i64>(n, &random);
    compare_changes<S, u64>(n, &random);
  }
}

TEST(one_lane_equals_the_standard_algorithms) { compare_all<OneLane>(1); }

TEST(thirty_two_lanes_equal_the_standard_algorithms) { compare_all<Lanes>(1); }

TEST(every_insertion_and_removal_place_is_right) {
  for (i32 n : {31, 32, 33, 64, 65, 97})
    for (i32 at = 0; at <= n; ++at) {
      std::vector<i32> a(static_cast<size_t>(n) + 1);
      std::iota(a.begin(), a.end(), 0);
      std::vector<i32> b(a.begin(), a.end() - 1);
      Lanes::shift_insert(a.data(), n, at, -1);
      b.insert(b.begin() + at, -1);
      if (!CHECK(a == b)) return;
      Lanes::shift_remove(a.data(), n + 1, at);
      b.erase(b.begin() + at);
      if (!CHECK(std::equal(b.begin(), b.end(), a.begin()))) return;
    }
}

TEST(lanes_agree_on_lane_zero) {
  i32 runs = 0;
  Lanes::once([&] { ++runs; });
  CHECK_EQUAL(runs, 1);
  CHECK_EQUAL(Lanes::agree(42), 42);
  CHECK_EQUAL(OneLane::agree(42), 42);
}

}  // namespace gpusim::test

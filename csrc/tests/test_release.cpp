// The release list against an ordered map: order, sums, splits and joins, and the bound on its chunks.
#include "../core/release.h"

#include <map>

#include "check.h"
#include "support.h"

namespace gpusim::test {

typedef std::map<u64, i32> Map;

template <class S>
struct List {  // a list and its memory
  std::vector<u64> last, key;
  std::vector<i64> sum;
  std::vector<i32> size, id, free_id, gpus;
  Release<S> list{};
  explicit List(i32 slots) {
    const size_t chunks = static_cast<size_t>(release_chunks(slots));
    for (std::vector<i32>* v : {&size, &id, &free_id}) v->resize(chunks);
    last.resize(chunks);
    sum.resize(chunks);
    key.resize(chunks * kShelf);
    gpus.resize(chunks * kShelf);
    list.last = last.data();
    list.sum = sum.data();
    list.size = size.data();
    list.id = id.data();
    list.free_id = free_id.data();
    list.key = key.data();
    list.gpus = gpus.data();
    list.all_chunks = static_cast<i32>(chunks);
    list.clear();
  }
};

template <class S>
static bool same(const Release<S>& list, const Map& expected) {
  if (!CHECK_EQUAL(static_cast<size_t>(list.n), expected.size())) return false;
  if (!CHECK(list.chunks <= 4 * list.n / kShelf + 2)) return false;
  if (!CHECK_EQUAL(list.chunks + list.free_ids, list.all_chunks)) return false;
  ReleasePlace p{0, 0};
  i64 inside = 0;
  for (const auto& [key, gpus] : expected) {
    if (!CHECK(!list.ended(p))) return false;
    if (!CHECK_EQUAL(list.keys_of(p.chunk)[p.at], key)) return false;
    if (!CHECK_EQUAL(list.tick_at(p), key_tick(key)) || !CHECK_EQUAL(list.gpus_at(p), gpus))
      return false;
    inside += gpus;
    const ReleasePlace next = list.next(p);
    if (next.chunk != p.chunk) {  // the directory's entry of the chunk that ends here
      if (!CHECK_EQUAL(list.last[p.chunk], key) || !CHECK_EQUAL(list.sum[p.chunk], inside) ||
          !CHECK_EQUAL(list.size[p.chunk], p.at + 1))
        return false;
      inside = 0;
    }
    p = next;
  }
  return CHECK(list.ended(p));
}

template <class S>
static bool reaches_agree(const Release<S>& list, const Map& expected, Random* random) {
  i64 total = 0;
  for (const auto& entry : expected) total += entry.second;
  for (i64 wanted : {static_cast<i64>(1), random->between(1, total + 1), total, total + 1}) {
    if (wanted < 1) continue;
    i64 given = -1, sum = 0;
    const ReleasePlace p = list.reach(wanted, &given);
    auto it = expected.begin();
    for (; it != expected.end(); ++it)
      if ((sum += it->second) >= wanted) break;
    if (!CHECK_EQUAL(given, sum) || !CHECK_EQUAL(list.ended(p), it == expected.end())) return false;
    if (it != expected.end() && !CHECK_EQUAL(list.keys_of(p.chunk)[p.at], it->first)) return false;
  }
  return true;
}

// Slots come and go at random; `spread` sets where keys fall, from all behind the others to anywhere.
template <class S>
static void compare(i32 slots, Tick spread, u64 seed) {
  List<S> memory(slots);
  Release<S>& list = memory.list;
  Random random(seed);
  Map expected;
  std::vector<u64> of_slot(static_cast<size_t>(slots), kNoKey);
  i32 most = 0;
  for (i32 step = 0; step < 6000; ++step) {
    const bool filling = step / 1500 % 2 == 0;
    const size_t slot = static_cast<size_t>(random.small(0, slots - 1));
    if (of_slot[slot] == kNoKey) {
      if (random.small(0, 9) >= (filling ? 10 : 2)) continue;
      const u64 key = make_key(step + random.between(0, spread), static_cast<i32>(slot));
      const i32 gpus = random.small(1, 9);
      list.insert(key, gpus);
      expected[key] = gpus;
      of_slot[slot] = key;
    } else if (random.small(0, 9) < (filling ? 2 : 10)) {
      list.remove(of_slot[slot]);
      expected.erase(of_slot[slot]);
      of_slot[slot] = kNoKey;
    }
    most = greatest(most, list.chunks);
    if (step % 7 == 0 && !same(list, expected)) return;
    if (step % 50 == 0 && !reaches_agree(list, expected, &random)) return;
  }
  while (!expected.empty()) {  // from the front, as jobs end
    list.remove(expected.begin()->first);
    expected.erase(expected.begin());
    if (!same(list, expected)) return;
  }
  CHECK_EQUAL(list.chunks, 0);
  CHECK(slots < 256 || most > slots / kShelf);  // chunks were split
}

TEST(release_list_equals_an_ordered_map) {
  for (i32 slots : {32, 64, 256, 1024})
    for (Tick spread : {0, 40, 100000}) {
      compare<OneLane>(slots, spread, static_cast<u64>(slots + spread));
      compare<Lanes>(slots, spread, static_cast<u64>(slots + spread));
    }
}

TEST(chunks_never_run_out_even_when_most_keys_leave_again) {
  const i32 slots = 4096;
  List<OneLane> memory(slots);
  Release<OneLane>& list = memory.list;
  Map expected;
  for (i32 i = 0; i < slots; ++i) {  // descending: every split is of the first chunk
    const u64 key = make_key(100000 - i, i);
    list.insert(key, 1);
    expected[key] = 1;
  }
  CHECK(same(list, expected));
  i32 i = 0;
  for (auto it = expected.begin(); it != expected.end(); ++i) {  // a few keys stay in each chunk
    if (i % 17 == 0) {
      ++it;
      continue;
    }
    list.remove(it->first);
    it = expected.erase(it);
  }
  CHECK(same(list, expected));
}

}  // namespace gpusim::test

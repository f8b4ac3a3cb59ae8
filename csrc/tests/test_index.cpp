// The index of the queue against a look at every entry: long strips, holes, sizes between the powers of two, limits
// that do not fit their 31 bits.
#include "../core/index.h"

#include <algorithm>

#include "check.h"
#include "support.h"

namespace gpusim::test {

static Requests requests_of(const std::vector<i32>& low, i32 shift) {
  Requests requests{};
  for (i32& size : requests.low) size = kHole;
  std::copy(low.begin(), low.end(), requests.low);
  requests.shift = shift;
  return requests;
}

template <class S>
struct Strips {  // an index over tiers that were never written
  Requests requests;
  std::vector<i32> gpus, brief, least_limit, longest;
  std::vector<Tick> limit;
  Index<S> index;

  Strips(i32 tiers, i32 slots, i32 shift, const std::vector<i32>& low)
      : requests(requests_of(low, shift)),
        gpus(static_cast<size_t>(tiers * slots), 77),
        brief(gpus.size(), 0),
        least_limit(static_cast<size_t>(tiers * index_nodes(slots) * kGroups), -7),
        longest(kGroups),
        limit(gpus.size()),
        index{} {
    index.slots = slots;
    index.nodes = index_nodes(slots);
    index.levels = index_levels(slots);
    index.gpus = gpus.data();
    index.brief = brief.data();
    index.least_limit = least_limit.data();
    index.longest = longest.data();
    index.requests = &requests;
    index.clear(tiers);
  }
  void write(i32 tier, i32 position, i32 g, Tick l) {
    const size_t k = static_cast<size_t>(index.at(tier, position));
    gpus[k] = g;
    limit[k] = l;
    brief[k] = index.shorten(l);
  }
  i32 first(i32 tier, i32 from, i32 tail, const Room& room) {
    return index.first(tier, from, tail, room,
                       [&](i64 k) { return limit[static_cast<size_t>(k)]; });
  }
  i32 first_by_looking(i32 tier, i32 from, i32 tail, const Room& room) const {
    i32 i = from;
    for (; i < tail; ++i) {
      const size_t k = static_cast<size_t>(index.at(tier, i));
      if (gpus[k] <= room.free && (limit[k] <= room.window || gpus[k] <= room.spare)) break;
    }
    return i;
  }
  bool nodes_are_true(i32 tier, i32 tail) const {
    if (tail <= kLeaf) return true;
    size_t node = static_cast<size_t>(tier * index.nodes);
    for (i32 level = 1; level <= index.levels; ++level) {
      for (i32 i = 0; i < nodes_over(tail, level); ++i)
        for (i32 g = 0; g < kGroups; ++g) {
          i32 least_of = kNobody;
          const i32 end = least(tail, (i + 1) << level_bits(level));
          for (i32 e = i << level_bits(level); e < end; ++e) {
            const size_t k = static_cast<size_t>(index.at(tier, e));
            if (gpus[k] == kHole || requests.group(gpus[k]) != g) continue;
            least_of = least(least_of, brief[k]);
          }
          const size_t at = (node + static_cast<size_t>(i)) * kGroups + static_cast<size_t>(g);
          if (!CHECK_EQUAL(least_limit[at], least_of)) return false;
        }
      node += static_cast<size_t>(nodes_over(index.slots, level));
    }
    return true;
  }
};

template <class S>
static void compare(i32 slots, i32 shift, Tick longest, i32 largest, const std::vector<i32>& low,
                    u64 seed) {
  constexpr i32 tiers = 2;
  Strips<S> strips(tiers, slots, shift, low);
  Random random(seed);
  std::vector<i32> tail(tiers, 0);
  for (i32 round = 0; round < 6; ++round)
    for (i32 tier = 0; tier < tiers; ++tier) {
      i32& end = tail[static_cast<size_t>(tier)];
      const auto hole = [&](i32 i) {
        return strips.gpus[static_cast<size_t>(strips.index.at(tier, i))] == kHole;
      };
      for (i32 n = random.small(0, slots / 4); n > 0 && end < slots; --n) {
        const Tick l = random.small(0, 9) ? random.between(1, longest) : kNever;
        strips.write(tier, end,
                     random.small(0, 3) ? 1 << random.small(0, 5) : random.small(1, largest), l);
        strips.index.append(tier, end++);
      }
      for (i32 n = end / 3; n > 0; --n) {
        const i32 i = random.small(0, end - 1);
        if (!hole(i)) strips.index.remove(tier, i, end);
      }
      if (round == 3 && end > 1) {  // an entry is inserted: those behind it move on
        const i32 to = random.small(0, end - 1);
        if (end < slots) {
          for (i32 i = end; i > to; --i) {
            const size_t k = static_cast<size_t>(strips.index.at(tier, i));
            strips.gpus[k] = strips.gpus[k - 1];
            strips.brief[k] = strips.brief[k - 1];
            strips.limit[k] = strips.limit[k - 1];
          }
          strips.write(tier, to, 3, 1);
          strips.index.rebuild(tier, to, ++end);
        }
      }
      if (!strips.nodes_are_true(tier, end)) return;
      i32 smallest = kHole;
      for (i32 i = 0; i < end; ++i)
        smallest = least(smallest, strips.gpus[static_cast<size_t>(strips.index.at(tier, i))]);
      const i32 promised = strips.index.smallest(tier, end);
      CHECK(promised <= smallest);
      if (end > kLeaf && smallest < kHole) {
        const i32 group = strips.requests.group(smallest);
        CHECK_EQUAL(promised, group > 0 ? low[static_cast<size_t>(group)] : 1);
      }
      for (i32 k = 0; k < 60; ++k) {
        // windows from a few ticks to for ever, so that hits are near, far away, and nowhere
        const Tick window =
            random.small(0, 7)
                ? random.between(1, greatest<Tick>(1, longest >> random.small(0, 20)))
                : kNever;
        const i32 free = random.small(0, 3) ? random.small(0, 40) : random.small(0, largest);
        const Room room{free, random.small(0, 2) ? 0 : random.small(0, free), window};
        const i32 from = random.small(0, 2) ? random.small(0, end) : 0;
        if (!CHECK_EQUAL(strips.first(tier, from, end, room),
                         strips.first_by_looking(tier, from, end, room)))
          return;
      }
    }
}

TEST(the_index_finds_whom_a_look_at_every_entry_finds) {
  std::vector<i32> every;  // size has a group of its own
  for (i32 size = 1; size <= 64; ++size) every.push_back(size);
  const std::vector<i32> powers{1, 2, 4, 8, 16, 32, 64, 1024, 1 << 16}, few{5, 40}, one{3};
  for (i32 slots : {64, 192, 1024, 4096, 20480}) {
    const u64 seed = static_cast<u64>(slots);
    compare<OneLane>(slots, 0, 100000, 64, every, seed);
    compare<OneLane>(slots, 0, 1LL << 40, 100000, powers, seed + 1);  // most limits exceed 31 bits
    compare<OneLane>(slots, 10, 1LL << 40, 64, few, seed + 2);
    compare<Lanes>(slots, 3, 1LL << 33, 64, every, seed + 3);
    compare<Lanes>(slots, 0, 1000, 90, one, seed + 4);
  }
}

TEST(an_index_of_many_leaves_finds_the_only_job_that_fits) {
  constexpr i32 slots = 1 << 17;
  Strips<OneLane> strips(1, slots, 0, {4, 8});
  for (i32 i = 0; i < slots; ++i) {
    strips.write(0, i, i == 100003 ? 4 : 8, i == 100003 ? 10 : 1 + i % 7);
    strips.index.append(0, i);
  }
  CHECK_EQUAL(strips.first(0, 0, slots, Room{7, 0, 10}), 100003);
  CHECK_EQUAL(strips.first(0, 0, slots, Room{7, 0, 9}), slots);
  CHECK_EQUAL(strips.first(0, 0, slots, Room{7, 4, 9}), 100003);
  CHECK_EQUAL(strips.first(0, 100004, slots, Room{7, 4, 9}), slots);
  CHECK_EQUAL(strips.index.smallest(0, slots), 1);  // the first group might have smaller ones
  strips.index.remove(0, 100003, slots);
  CHECK_EQUAL(strips.first(0, 0, slots, Room{7, 7, 100}), slots);
  CHECK_EQUAL(strips.index.smallest(0, slots), 8);
}

TEST(every_size_has_a_group_of_its_own_while_there_are_no_more_than_groups) {
  World world;
  for (i32 i = 0; i < 200; ++i) world.store({{i, 1 + 37 * (i % kGroups), 1, 1}});
  const Requests few = world.model().requests;
  for (i32 k = 0; k < kGroups; ++k) {
    CHECK_EQUAL(few.low[k], 1 + 37 * k);
    CHECK_EQUAL(few.group(1 + 37 * k), k);
    CHECK_EQUAL(few.group(37 * (k + 1)), k);
  }
  World many;
  for (i32 i = 0; i < 20000; ++i) many.store({{i, 1 + i, 1, 1}});
  const Requests shared = many.model().requests;
  CHECK_EQUAL(shared.low[0], 1);
  for (i32 k = 0; k + 1 < kGroups; ++k)
    CHECK(shared.low[k + 1] - shared.low[k] <= 20000 / kGroups + 1);
  CHECK_EQUAL(shared.group(20000), kGroups - 1);
  CHECK_EQUAL(shared.low[kGroups], kHole);
}

}  // namespace gpusim::test

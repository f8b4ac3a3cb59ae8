// The index of the queue: which waiting job is the first that may start.
//
// A pass asks for the first job from a place on that has room: few enough GPUs, and either a limit that is
// short enough or so few GPUs that it is in nobody's way. Over the entries of a strip stands a tree: kLeaf entries
// to a node of the lowest level, kFan nodes to one of the next. A node knows the least limit below it of each group of
// gang sizes (Requests); so one look at the groups that are small enough tells whether a job below may fit. A search
// climbs over what cannot: O(log n), however long the queue. A group of several sizes may send a search into a node
// for nothing, which costs time and changes no answer.
// Limits are kept in 31 bits, in units of 2^shift ticks; where that leaves a doubt, the job itself is asked.
// Nodes are always true: when an entry becomes a hole, its leaf is put right, and what stands above as far as it
// changes. A strip of a single leaf has none.
#pragma once
#include "index_avx2.h"
#include "model.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kLeafBits = 6;
constexpr i32 kLeaf = 1 << kLeafBits;
constexpr i32 kFanBits = 4;
constexpr i32 kFan = 1 << kFanBits;

// Who has room: g <= free and (limit <= window or g <= spare).
struct Room {
  i32 free;
  i32 spare;
  Tick window;
};
HD Room room_of(i32 most) { return Room{most, most, kNever}; }

// First entry in [from, end) that has room, or end; limits in units of 2^shift ticks. All blocks of kBlockOf entries
// that meet [from, end) may be read.
template <class S>
HD i32 first_with_room(const i32* gpus, const i32* limit, i32 from, i32 end, i32 free, i32 spare,
                       i32 window) {
#if defined(GPUSIM_INDEX_AVX2)
  if (!S::wide) return first_with_room_avx2(gpus, limit, from, end, free, spare, window);
#endif
  return S::block_until(from, end, [=](i32 e) {
    return (gpus[e] <= free) & ((gpus[e] <= spare) | (limit[e] <= window));
  });
}

// A node of level 1, 2, .. covers 2^bits entries; so many nodes are over n > 0 of them.
HD_BOTH i32 level_bits(i32 level) { return kLeafBits + kFanBits * (level - 1); }
HD_BOTH i32 nodes_over(i32 n, i32 level) { return ((n - 1) >> level_bits(level)) + 1; }
HD_BOTH i32 index_levels(i32 slots) {  // so many that the highest has no more than kFan nodes
  i32 levels = 1;
  while (nodes_over(slots, levels) > kFan) ++levels;
  return levels;
}
HD_BOTH i32 index_nodes(i32 slots) {  // of a strip
  i32 n = 0;
  for (i32 level = index_levels(slots); level > 0; --level) n += nodes_over(slots, level);
  return n;
}

template <class S>
struct Index {
  i32 slots;   // entries of a strip
  i32 nodes;   // of a strip
  i32 levels;  // of these
  const Requests* requests;
  i32* gpus;   // (tiers, slots) gang size, or kHole: its job has left; only holes behind the tail
  i32* brief;  // (tiers, slots) limit in units of 2^shift ticks, at most kLongest
  i32* least_limit;  // (tiers, nodes, kGroups), lower levels first
  i32* longest;      // (kGroups,) up to which limit a job may fit, in the present search
  i32 looks;         // so many of the groups may fit, rounded up to whole blocks

  HD void clear(i32 tiers) {
    i32* all = gpus;
    S::each(tiers * slots, [=](i32 i) { all[i] = kHole; });
  }
  HD i64 at(i32 tier, i32 position) const { return static_cast<i64>(tier) * slots + position; }
  HD i32 shorten(Tick limit) const { return requests->shorten(limit); }

  // The entry behind the last one of a strip has been written.
  HD void append(i32 tier, i32 position) {
    if (position < kLeaf) return;
    if (position == kLeaf) return rebuild(tier, 0, kLeaf + 1);
    const i64 k = at(tier, position);
    const i32 group = requests->group(gpus[k]), limit = brief[k];
    i32* level_nodes = strip(tier);
    ROLLED
    for (i32 level = 1; level <= levels; ++level) {
      const i32 bits = level_bits(level), i = position >> bits;
      i32* node = level_nodes + i * kGroups;
      if (position == i << bits) S::each(kGroups, [=](i32 g) { node[g] = kNobody; });
      S::once([=] { node[group] = least(node[group], limit); });
      level_nodes += nodes_over(slots, level) * kGroups;
    }
  }

  // The job of an entry leaves.
  HD void remove(i32 tier, i32 position, i32 tail) {
    const i64 k = at(tier, position);
    i32* entry = gpus + k;
    const i32 group = requests->group(*entry), limit = brief[k];
    S::once([=] { *entry = kHole; });
    if (tail <= kLeaf) return;
    i32 *level_nodes = strip(tier), *below = nullptr;
    ROLLED
    for (i32 level = 1; level <= levels; ++level) {
      const i32 i = position >> level_bits(level);
      i32* of = level_nodes + i * kGroups + group;
      if (*of < limit) return;
      const i32 now = level == 1
                          ? least_entry(at(tier, i << kLeafBits), group)
                          : least_child(below, i << kFanBits, nodes_over(tail, level - 1), group);
      if (now == limit) return;
      S::once([=] { *of = now; });
      below = level_nodes;
      level_nodes += nodes_over(slots, level) * kGroups;
    }
  }

  // Entries from a position on have been written anew; the last one stands before `tail`.
  HD_CALL void rebuild(i32 tier, i32 from, i32 tail) {
    if (tail <= kLeaf) return;
    i32 *level_nodes = strip(tier), *below = nullptr;
    ROLLED
    for (i32 level = 1; level <= levels; ++level) {
      const i32 bits = level_bits(level);
      ROLLED
      for (i32 i = from >> bits; i < nodes_over(tail, level); ++i) {
        i32* node = level_nodes + i * kGroups;
        S::each(kGroups, [=](i32 g) { node[g] = kNobody; });
        if (level == 1)
          add_entries(at(tier, i << bits), node);
        else
          add_children(below, i << kFanBits, nodes_over(tail, level - 1), node);
      }
      below = level_nodes;
      level_nodes += nodes_over(slots, level) * kGroups;
    }
  }

  // First entry in [from, tail) that has room, or tail. limit_of(k): of the job of entry k.
  template <class L>
  HD i32 first(i32 tier, i32 from, i32 tail, const Room& room, L limit_of) {
    const i32 near = least(tail, (from | (kLeaf - 1)) + 1);
    const i32 hit = from < near ? first_entry(tier, from, near, room, limit_of) : near;
    return hit < near || near == tail ? hit : first_beyond(tier, near, tail, room, limit_of);
  }

  // No job of a strip has fewer GPUs.
  HD i32 smallest(i32 tier, i32 tail) const {
    if (tail <= kLeaf) return S::min(gpus + at(tier, 0), tail, kHole);
    const i32* top = strip(tier) + (nodes - nodes_over(slots, levels)) * kGroups;
    const i32 n = nodes_over(tail, levels);
    const i32 group = S::prefix_until(0, kGroups, [=](i32 g) {
      i32 limit = kNobody;
      for (i32 i = 0; i < n; ++i) limit = least(limit, top[i * kGroups + g]);
      return limit != kNobody;
    });
    return group < kGroups ? (group > 0 ? requests->low[group] : 1) : kHole;
  }

 private:
  HD i32* strip(i32 tier) const { return least_limit + static_cast<i64>(tier) * nodes * kGroups; }

  HD i32 least_entry(i64 k, i32 group) const {
    const i32 *g = gpus + k, *limit = brief + k;
    const i32 low = group > 0 ? requests->low[group] : 0, high = requests->low[group + 1] - 1;
    return S::min_of(kLeaf, kNobody,
                     [=](i32 i) {  // bits in place of a branch, so that it vectorises
                       return (limit[i] | ((g[i] >= low) & (g[i] <= high) ? 0 : kNobody)) & kNobody;
                     });
  }
  HD static i32 least_child(const i32* below, i32 first, i32 all, i32 group) {
    const i32* of = below + first * kGroups + group;
    return S::min_of(least(kFan, all - first), kNobody, [=](i32 i) { return of[i * kGroups]; });
  }
  HD void add_entries(i64 first, i32* node) const {
    ROLLED
    for (i64 k = first; k < first + kLeaf; ++k) {
      if (gpus[k] == kHole) continue;
      const i32 group = requests->group(gpus[k]), limit = brief[k];
      S::once([=] { node[group] = least(node[group], limit); });
    }
  }
  HD static void add_children(const i32* below, i32 first, i32 all, i32* node) {
    ROLLED
    for (i32 i = first; i < least(all, first + kFan); ++i) {
      const i32* child = below + i * kGroups;
      S::each(kGroups, [=](i32 g) { node[g] = least(node[g], child[g]); });
    }
  }

  // In one leaf, from `from` on.
  template <class L>
  HD i32 first_entry(i32 tier, i32 from, i32 end, const Room& room, L limit_of) const {
    const i32 *g = gpus + at(tier, 0), *limit = brief + at(tier, 0);
    const i32 free = room.free, spare = room.spare, window = shorten(room.window);
    ROLLED
    for (i32 i = from;; ++i) {
      i = first_with_room<S>(g, limit, i, end, free, spare, window);
      if (i >= end) return end;
      if (g[i] <= spare || limit[i] < window || limit_of(at(tier, i)) <= room.window) return i;
    }
  }

  // From the beginning of a leaf on.
  template <class L>
  HD_CALL i32 first_beyond(i32 tier, i32 from, i32 tail, const Room& room, L limit_of) {
    ask(room);
    i32 level = 1, i = from >> kLeafBits;
    const i32* level_nodes = strip(tier);
    ROLLED
    for (;;) {
      const i32 all = nodes_over(tail, level);
      if (i >= all) return tail;
      const i32 end = level == levels ? all : least(all, (i | (kFan - 1)) + 1);
      i32 hit = first_node(level_nodes, i, end);
      if (hit == all) return tail;
      if (hit == end) {
        level_nodes += nodes_over(slots, level) * kGroups;
        ++level;
        i = end >> kFanBits;
      } else if (level > 1) {
        --level;
        level_nodes -= nodes_over(slots, level) * kGroups;
        i = hit << kFanBits;
      } else {
        const i32 start = hit << kLeafBits, behind = least(tail, start + kLeaf);
        const i32 found = first_entry(tier, start, behind, room, limit_of);
        if (found < behind) return found;
        i = hit + 1;
      }
    }
  }
  HD void ask(const Room& room) {
    const i32 fit = room.free > 0 ? requests->group(room.free) : -1;
    const i32 spare = room.spare > 0 ? requests->group(room.spare) : -1;
    const i32 window = shorten(room.window);
    i32* most = longest;
    looks = (fit / kBlockOf + 1) * kBlockOf;
    S::each(kGroups, [=](i32 g) { most[g] = g <= spare ? kLongest : g <= fit ? window : -1; });
  }
  HD i32 first_node(const i32* of, i32 from, i32 end) const {
    const i32* most = longest;
    const i32 n = looks;
    return S::short_until(from, end, [=](i32 i) {
      const i32* node = of + i * kGroups;
      i32 any = 0;
      ROLLED
      for (i32 start = 0; any == 0 && start < n; start += kBlockOf) {
        WIDE for (i32 g = start; g < start + kBlockOf; ++g) any |= node[g] <= most[g] ? 1 : 0;
      }
      return any != 0;
    });
  }
};

}  // namespace gpusim

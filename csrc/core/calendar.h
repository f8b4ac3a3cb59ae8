// The calendar: running jobs by end tick.
//
// Slots hold keys (end tick, slot); kNoKey marks an empty slot. Keys are unique, so the two shapes
// below give the same order. Both answer the earliest key in O(1), change any slot in one update (a
// preempted or failed job is an update, not a search), never allocate, and are bounded by their
// number of slots (a power of two from 32 to 2^20).
//
//   BinaryCalendar   host: a winner tree, log2(largest slot used) branch-free steps an update
//   WideCalendar     device: 32-way minima, one strip operation a level, 2 levels for 1,024 slots
//
// memory: `keys` has keys_of(slots) elements.
#pragma once
#include "strips.h"
#include "types.h"

namespace gpusim {

struct BinaryCalendar {
  static HD_BOTH i64 keys_of(i64 slots) { return 2 * slots; }
  u64* keys;  // (2 * slots,) heap order: root at 1, leaf of slot s at slots + s
  i32 slots;
  i32 used;  // a power of two: no slot from here on has had a key
  u64 root;  // of the subtree over the used slots; indices as wide as addresses need no conversion

  HD void clear() {
    for (i32 i = 0; i < 2 * slots; ++i) keys[i] = kNoKey;
    used = 1;
    root = static_cast<u64>(slots);
  }
  HD u64 top() const { return keys[root]; }
  HD u64 leaf(i32 slot) const { return keys[slots + slot]; }
  HD_IN void set(i32 slot, u64 key) {
    if (slot >= used) use(slot);
    u64* tree = keys;
    const u64 end = root;
    u64 i = static_cast<u64>(slots + slot);
    tree[i] = key;
    while (i > end) {
      const u64 beside = i ^ 1;
      key = least(key, tree[beside]);
      i = beside >> 1;  // that of i as well, without a copy of i
      tree[i] = key;
    }
  }
  // set() of an empty slot: once an earlier key is met, nothing changes above. That takes two steps on average,
  // but no telling when; so the first steps are taken without looking.
  HD_IN void add(i32 slot, u64 key) {
    if (slot >= used) use(slot);
    u64* tree = keys;
    const u64 end = root;
    u64 i = static_cast<u64>(slots + slot);
    tree[i] = key;
    for (i32 step = 0; step < 4; ++step) {
      i >>= 1;
      tree[i] = least(tree[i], key);
    }
    for (i >>= 1; i >= end && key < tree[i]; i >>= 1) tree[i] = key;
  }

 private:
  HD void use(i32 slot) {
    root = higher(keys, root, used, slot);
    while (slot >= used) used *= 2;
  }
  // The root of the subtree over slots that include this one. The calendar itself is not shown: its fields can stay in
  // registers.
  static HD_CALL u64 higher(u64* keys, u64 root, i32 used, i32 slot) {
    for (; slot >= used; used *= 2) {
      const u64 first = keys[root];  // the other half of the next subtree is empty
      root /= 2;
      keys[root] = first;
    }
    return root;
  }
};

template <class S>
struct WideCalendar {
  static HD_BOTH i64 keys_of(i64 slots) {
    i64 keys = slots;
    while (slots > kLanes) keys += slots /= kLanes;
    return keys;
  }
  u64* keys;  // level 0: (slots,), level 1: (slots / 32,), .. up to a level of at most 32
  i32 slots;

  HD void clear() {
    u64* k = keys;
    S::each(static_cast<i32>(keys_of(slots)), [k](i32 i) { k[i] = kNoKey; });
  }
  HD u64 top() const {
    const u64* level = keys;
    i32 n = slots;
    ROLLED
    while (n > kLanes) {
      level += n;
      n /= kLanes;
    }
    return S::min(level, n, kNoKey);
  }
  HD u64 leaf(i32 slot) const { return keys[slot]; }
  HD void add(i32 slot, u64 key) { set(slot, key); }
  HD void set(i32 slot, u64 key) {
    u64* level = keys;
    i32 n = slots, at = slot;
    S::once([&] { level[at] = key; });
    ROLLED
    while (n > kLanes) {
      const u64 m = S::min(level + (at & ~(kLanes - 1)), least(n, kLanes), kNoKey);
      level += n;
      n /= kLanes;
      at /= kLanes;
      S::once([&] { level[at] = m; });
    }
  }
};

template <bool wide, class S>
struct CalendarShape {
  typedef BinaryCalendar type;
};
template <class S>
struct CalendarShape<true, S> {
  typedef WideCalendar<S> type;
};
template <class S>
using Calendar = typename CalendarShape<S::wide, S>::type;

}  // namespace gpusim

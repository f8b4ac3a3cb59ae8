// The calendar: running jobs by end tick.
//
// Slots hold keys (end tick, slot); kNoKey marks an empty slot. Keys are unique, so the two shapes
// below give the same order. Both answer the earliest key in O(1), change any slot in one update (a
// preempted or failed job is an update, not a search), never allocate, and are bounded by their
// number of slots (a power of two up to 2^20).
//
//   BinaryCalendar   host: a winner tree, log2(slots) branch-free steps an update
//   WideCalendar     device: 32-way minima, one strip operation a level, 2 levels for 1,024 slots
//
// memory: `keys` has calendar_keys(slots) elements; the leaves come first.
#pragma once
#include "strips.h"
#include "types.h"

namespace gpusim {

HD_BOTH i64 calendar_keys(i64 slots) { return 2 * slots; }  // enough for both shapes

struct BinaryCalendar {
  u64* keys;  // (2 * slots,) heap order: root at 1, leaf of slot s at slots + s
  i32 slots;

  HD void clear() {
    for (i32 i = 0; i < 2 * slots; ++i) keys[i] = kNoKey;
  }
  HD u64 top() const { return keys[1]; }
  HD u64 leaf(i32 slot) const { return keys[slots + slot]; }
  HD void set(i32 slot, u64 key) {
    u64* tree = keys;
    u64 i =
        static_cast<u64>(slots + slot);  // as wide as an address: nothing to convert at each step
    tree[i] = key;
    while (i > 1) {
      key = least(key, tree[i ^ 1]);
      i >>= 1;
      tree[i] = key;
    }
  }
  // set() of an empty slot: once an earlier key is met, nothing changes above. It takes two steps on average.
  HD void add(i32 slot, u64 key) {
    u64* tree = keys;
    for (u64 i = static_cast<u64>(slots + slot); i > 0 && key < tree[i]; i >>= 1) tree[i] = key;
  }
};

template <class S>
struct WideCalendar {
  u64* keys;  // level 0: (slots,), level 1: (slots / 32,), .. up to a level of at most 32
  i32 slots;

  HD void clear() {
    u64* k = keys;
    S::each(2 * slots, [k](i32 i) { k[i] = kNoKey; });
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

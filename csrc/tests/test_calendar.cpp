// Both shapes of the calendar against an ordered set of keys.
#include <set>

#include "../core/calendar.h"
#include "check.h"
#include "support.h"

namespace gpusim::test {

// Random starts, ends and changes of slots; the earliest key must be the set's at every step.
template <class C>
static void compare(i32 slots, u64 seed) {
  std::vector<u64> memory(static_cast<size_t>(C::keys_of(slots)));
  C calendar{};
  calendar.keys = memory.data();
  calendar.slots = slots;
  calendar.clear();
  std::multiset<u64> expected;
  CHECK_EQUAL(calendar.top(), kNoKey);
  Random random(seed);
  for (i32 step = 0; step < 6000; ++step) {
    const bool filling = step / 1500 % 2 == 0;  // to nearly full, to nearly empty, twice
    const i32 slot = random.small(0, slots - 1);
    const bool put = random.small(0, 9) < (filling ? 8 : 2);
    const u64 key = put ? make_key(random.between(0, 500), slot) : kNoKey;
    const u64 old = calendar.leaf(slot);
    if (old != kNoKey) expected.erase(expected.find(old));
    if (key != kNoKey) expected.insert(key);
    calendar.set(slot, key);
    if (!CHECK_EQUAL(calendar.leaf(slot), key)) return;
    if (!CHECK_EQUAL(calendar.top(), expected.empty() ? kNoKey : *expected.begin())) return;
  }
  while (!expected.empty()) {  // and drained in order
    if (!CHECK_EQUAL(calendar.top(), *expected.begin())) return;
    expected.erase(expected.begin());
    calendar.set(key_slot(calendar.top()), kNoKey);
  }
  CHECK_EQUAL(calendar.top(), kNoKey);
}

TEST(calendar_gives_the_order_of_a_set) {
  for (i32 slots = 32; slots <= 4096; slots *= 2) {
    compare<BinaryCalendar>(slots, static_cast<u64>(slots));
    compare<WideCalendar<OneLane>>(slots, static_cast<u64>(slots));
    compare<WideCalendar<Lanes>>(slots, static_cast<u64>(slots));
  }
}

TEST(calendar_breaks_ties_by_slot) {
  std::vector<u64> memory(128);
  WideCalendar<Lanes> calendar{memory.data(), 64};
  calendar.clear();
  for (i32 slot : {63, 5, 40, 0, 33}) calendar.set(slot, make_key(7, slot));
  for (i32 slot : {0, 5, 33, 40, 63}) {
    CHECK_EQUAL(key_slot(calendar.top()), slot);
    CHECK_EQUAL(key_tick(calendar.top()), 7);
    calendar.set(slot, kNoKey);
  }
}

TEST(keys_hold_the_latest_tick_and_the_last_slot) {
  const Tick last = (1LL << 43) - 1;
  const i32 slot = (1 << kSlotBits) - 1;
  const u64 key = make_key(last, slot);
  CHECK_EQUAL(key_tick(key), last);
  CHECK_EQUAL(key_slot(key), slot);
  CHECK(make_key(last, 0) < key && make_key(last - 1, slot) < make_key(last, 0));
}

}  // namespace gpusim::test

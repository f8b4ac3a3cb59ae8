// Scopes of service levels: every tick of a week against a calendar that is filled in hour by hour.
#include "../core/levels.h"

#include "check.h"
#include "support.h"

namespace gpusim::test {

constexpr Tick kDay = 24, kWeek = 7 * kDay;

// Ticks of the week in which the level counts submits: on each of its days from hours_from on, for as long as
// its hours last; equal hours are the whole calendar day.
static std::vector<char> calendar_of(Tick from, Tick to, i32 days) {
  std::vector<char> counts(static_cast<size_t>(kWeek), 0);
  for (Tick day = 0; day < 7; ++day) {
    if (!((days >> day) & 1)) continue;
    const Tick first = from == to ? 0 : from, lasts = from == to ? kDay : (to - from + kDay) % kDay;
    for (Tick h = 0; h < lasts; ++h)
      counts[static_cast<size_t>((day * kDay + first + h) % kWeek)] = 1;
  }
  return counts;
}

TEST(hours_and_weekdays_equal_a_calendar) {
  World world;
  world.judge(kWaitMetric, 0, 0);
  world.windows.day = kDay;
  for (Tick phase : {0, 5, 100})
    for (i32 days : {127, 1, 64, 31, 96, 0, 85})
      for (Tick from = 0; from <= kDay; from += 3)
        for (Tick to = 0; to <= kDay; to += 4) {
          if (to % kDay == from % kDay && to != from) continue;  // 0 to 24 is said as 0 to 0
          world.windows.week_phase = phase;
          world.hours_from[0] = from;
          world.hours_to[0] = to;
          world.days[0] = days;
          const Model m = world.model();
          const std::vector<char> expected = calendar_of(from, to, days);
          for (Tick t = 0; t < 2 * kWeek; ++t)
            if (!CHECK_EQUAL(in_scope(m, 0, level_of(m.slos, 0), t, 1),
                             expected[static_cast<size_t>((t + phase) % kWeek)] != 0))
              return;
        }
}

TEST(gang_sizes_are_counted_with_both_ends) {
  World world;
  world.judge(kWaitMetric, 0, 0);
  world.gpus_low[0] = 2;
  world.gpus_high[0] = 8;
  const Model m = world.model();
  for (i32 g = 1; g < 12; ++g)
    CHECK_EQUAL(in_scope(m, 0, level_of(m.slos, 0), 0, g), g >= 2 && g <= 8);
}

TEST(slowdown_is_met_at_its_limit_and_bounded_below) {
  CHECK(!too_slow(20, 10, 1, 2000));
  CHECK(too_slow(21, 10, 1, 2000));
  CHECK(!too_slow(200, 10, 100, 2000));  // counts as 100 ticks
  CHECK(too_slow(201, 10, 100, 2000));
  CHECK(!too_slow(1999, 1000, 1, 1999));
  CHECK(too_slow(2000, 1000, 1, 1999));
  const Tick latest = (1LL << 43) - 1;
  CHECK(too_slow(latest, latest, 1, 999));
  CHECK(!too_slow(latest, latest, 1, (1 << 20) - 1));  // nothing overflows
}

TEST(turnaround_judges_the_first_job_of_a_chain_and_the_others_judge_every_job) {
  for (i32 metric = kWaitMetric; metric <= kTurnedAwayMetric; ++metric) {
    CHECK(opens(metric, 0));
    CHECK(opens(metric, kLeads));
    CHECK_EQUAL(opens(metric, kFollows), metric != kTurnaroundMetric);
    CHECK_EQUAL(opens(metric, kFollows | kLeads), metric != kTurnaroundMetric);
  }
}

}  // namespace gpusim::test

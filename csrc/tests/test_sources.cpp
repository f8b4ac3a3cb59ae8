// Sources of generated jobs: both kinds of strips give one stream, and each kind has its shape.
#include "../core/jobs.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "check.h"
#include "support.h"

namespace gpusim::test {

template <class S>
static std::vector<Job> jobs_of(const World& world, u32 replication, i64 demand_ppm = kMillion) {
  const Model m = world.model();
  Memory<S> memory(m, Sizes{32, 64, 4, 32, 0});
  JobStream<S> stream;
  const i32 none = 0;
  stream.open(m, memory.scratch.blocks, Cell{replication, 0, demand_ppm, &none});
  std::vector<Job> jobs;
  while (stream.head != kNoKey) jobs.push_back(stream.take());
  return jobs;
}

static World only(const Origin& origin, Tick horizon) {
  World world;
  world.windows = Windows{0, horizon, horizon, 86400, 0};
  world.generate(origin);
  return world;
}

TEST(lanes_generate_the_jobs_of_one_lane) {
  const World world = busy_world(400000);
  for (i64 ppm : {300000LL, 1000000LL, 4000000LL}) {
    const std::vector<Job> one = jobs_of<OneLane>(world, 3, ppm),
                           all = jobs_of<Lanes>(world, 3, ppm);
    CHECK(one.size() > 300);
    CHECK_EQUAL(one.size(), all.size());
    for (size_t i = 0; i < least(one.size(), all.size()); ++i) {
      const Job &a = one[i], &b = all[i];
      if (!CHECK(a.submit == b.submit && a.service == b.service && a.limit == b.limit &&
                 a.gpus == b.gpus && a.job_class == b.job_class && a.delay == b.delay &&
                 a.chain == b.chain && a.part == b.part && a.index == b.index))
        return;
      if (!CHECK_EQUAL(a.index, static_cast<i64>(i))) return;
      if (i > 0 && !CHECK(one[i - 1].submit <= a.submit)) return;
    }
  }
}

// Each job of many sources comes once, in the order of (submit, source), through both shapes of the calendar.
TEST(many_sources_are_merged_in_order) {
  for (u32 sources : {2u, 31u, 33u, 100u}) {
    World world;
    world.windows = Windows{0, 30000, 30000, 86400, 0};
    std::multiset<std::pair<Tick, Tick>> expected;  // submit and run time
    for (u32 k = 0; k < sources; ++k) {
      Origin origin;
      origin.key += k;
      origin.until = k % 3 ? 30000 : 10000;  // some run dry early
      world.generate(origin);
      for (const Job& job : jobs_of<OneLane>(only(origin, 30000), 1))
        expected.insert({job.submit, job.service});
    }
    const std::vector<Job> one = jobs_of<OneLane>(world, 1), all = jobs_of<Lanes>(world, 1);
    CHECK_EQUAL(one.size(), expected.size());
    CHECK_EQUAL(all.size(), expected.size());
    for (size_t i = 0; i < least(one.size(), all.size()); ++i) {
      const Job& job = one[i];
      if (!CHECK(job.submit == all[i].submit && job.service == all[i].service)) return;
      if (i > 0 && !CHECK(one[i - 1].submit <= job.submit)) return;
      const auto found = expected.find({job.submit, job.service});
      if (!CHECK(found != expected.end())) return;
      expected.erase(found);
    }
  }
}

// Every kind of source with calls, users and claw-back; a decision takes no time in half of them.
TEST(jobs_are_held_to_a_call_have_users_and_are_clawed_back) {
  Origin plain;
  plain.call_period = 700;
  plain.call_phase = 33 - 1400;
  plain.users = 5;
  plain.claw_threshold = 1LL << 31;
  plain.claw_after = 90;
  Origin batch = plain, chain = plain, event = plain;
  batch.key += 1;
  batch.batch = {1, 3, 70};
  batch.spread = 500;
  chain.key += 2;
  chain.segment = 100;
  chain.delay = 7;
  event.key += 3;
  event.events = {100, 50, 20, 5000, 0, 60};
  for (Origin origin : {plain, batch, chain, event})
    for (const i64 hold : {-1LL, 0LL, 400LL << 4}) {
      origin.hold_most = hold;
      const World world = only(origin, 60000);
      const std::vector<Job> one = jobs_of<OneLane>(world, 2), all = jobs_of<Lanes>(world, 2);
      CHECK_EQUAL(one.size(), all.size());
      std::set<i32> users;
      i64 clawed = 0, held = 0;
      for (size_t i = 0; i < least(one.size(), all.size()); ++i) {
        const Job &job = one[i], &other = all[i];
        CHECK(job.delay == other.delay && job.part == other.part && job.service == other.service);
        users.insert(user_of(job.part));
        clawed += job.service < job.limit ? 1 : 0;
        CHECK(job.service == job.limit || job.service == 90);
        if (job.part & kFollows) {
          CHECK_EQUAL(job.delay, 7);
          continue;
        }
        CHECK_EQUAL((job.part & kLater) != 0, job.delay > 0);
        CHECK(job.delay >= 0 && job.delay < 700 + 400);
        held += job.delay > 0 ? 1 : 0;
        if (hold <= 0) CHECK_EQUAL((job.submit + job.delay) % 700, 33);
      }
      CHECK(held > 20);
      CHECK(clawed > 20);
      CHECK(users == (std::set<i32>{0, 1, 2, 3, 4}));
    }
}

TEST(chains_are_whole_and_numbered_in_order) {
  Origin origin;
  origin.segment = 10;  // up to 400 jobs, several blocks
  origin.delay = 7;
  origin.limit_mode = kFactor;
  origin.limit_a = origin.limit_b = 2 * 65536;
  const std::vector<Job> jobs = jobs_of<Lanes>(only(origin, 20000), 0);
  i32 chains = 0;
  size_t longest = 0;
  for (size_t i = 0; i < jobs.size();) {
    const Job& first = jobs[i];
    if (first.chain < 0) {  // so short that it needs no second job
      CHECK_EQUAL(first.part, 0);
      CHECK(first.service <= 10);
      ++i;
      continue;
    }
    CHECK_EQUAL(first.chain, chains++);
    CHECK_EQUAL(first.part, static_cast<i32>(kLeads));
    CHECK_EQUAL(first.delay, 0);
    size_t n = 0;
    for (; i + n < jobs.size() && jobs[i + n].chain == first.chain; ++n) {
      const Job& job = jobs[i + n];
      CHECK(job.submit == first.submit && job.gpus == first.gpus);
      CHECK_EQUAL((job.part & kFollows) != 0, n > 0);
      CHECK_EQUAL(job.delay, n > 0 ? 7 : 0);
      CHECK_EQUAL(job.limit, 2 * job.service);
      CHECK((job.part & kLeads) ? job.service == 10 : job.service <= 10);
    }
    CHECK(n > 1 && !(jobs[i + n - 1].part & kLeads));
    longest = greatest(longest, n);
    i += n;
  }
  CHECK(chains > 5);
  CHECK(longest > 2 * kBlock);
}

TEST(batches_are_whole_share_their_gang_and_never_overtake) {
  Origin origin;
  origin.batch = {1, 63, 64, 65, 200};
  origin.gpus = {1, 2, 3, 5, 8, 13, 21, 34};
  origin.spread = 900;  // longer than most gaps
  origin.gap_high = 1000LL << 8;
  const std::vector<Job> jobs = jobs_of<Lanes>(only(origin, 100000), 5);
  CHECK(jobs.size() > 2000);
  for (size_t i = 1; i < jobs.size(); ++i)
    if (!CHECK(jobs[i - 1].submit <= jobs[i].submit)) return;
  std::map<size_t, i32> runs;  // lengths of jobs with one gang
  for (size_t i = 0, n = 1; i + 1 < jobs.size(); ++i, ++n)
    if (jobs[i].gpus != jobs[i + 1].gpus) {
      ++runs[n];
      n = 0;
    }
  for (const auto& [length, times] : runs)  // neighbours with the same gang are longer
    if (length < 63) CHECK(length <= 8);
  CHECK(runs[63] + runs[64] + runs[65] + runs[200] > static_cast<i32>(runs.size()));
}

TEST(a_common_word_makes_the_run_times_of_a_batch_alike) {
  Origin origin;
  origin.batch = {50};
  const auto spread_within = [&](i64 common) {  // mean distance of neighbours in a batch
    origin.common = common;
    const std::vector<Job> jobs = jobs_of<OneLane>(only(origin, 100000), 2);
    i64 sum = 0, n = 0;
    for (size_t i = 1; i < jobs.size(); ++i)
      if (jobs[i].submit == jobs[i - 1].submit) {
        sum += jobs[i].service > jobs[i - 1].service ? jobs[i].service - jobs[i - 1].service
                                                     : jobs[i - 1].service - jobs[i].service;
        ++n;
      }
    return sum / greatest<i64>(n, 1);
  };
  CHECK(spread_within(0) > 1100);  // a third of the range
  CHECK(spread_within(32768) < spread_within(0) * 9 / 10);
  CHECK(spread_within(65535) < 5);
}

TEST(events_hold_their_counts_at_every_demand_and_their_offsets) {
  const i64 events[4][3] = {{100, 50, 3}, {150, 0, 5}, {160, 10, 1}, {400, 3, 10}};
  Origin origin;
  for (const auto& e : events) origin.events.insert(origin.events.end(), {e[0], e[1], e[2]});
  const World world = only(origin, 1000);
  std::vector<i64> before(4, 0);
  for (i64 ppm : {1LL, 300000LL, 999999LL, 1000000LL, 1500000LL, 4000000LL, 6399999LL}) {
    std::vector<i64> seen(4, 0);
    for (const Job& job : jobs_of<Lanes>(world, 0, ppm))
      for (size_t e = 0; e < 4; ++e)
        seen[e] += job.submit >= events[e][0] &&
                   job.submit < events[e][0] + greatest<Tick>(events[e][1], 1);
    for (size_t e = 0; e < 4; ++e) {
      const i64 rounding = static_cast<i64>(e) * 618034 % kMillion;
      CHECK_EQUAL(seen[e], (events[e][2] * ppm + rounding) / kMillion);
      CHECK(seen[e] >= before[e]);  // more demand takes no job away
    }
    before = seen;
  }
}

TEST(more_demand_brings_the_same_jobs_sooner) {
  Origin origin;
  const World world = only(origin, 100000);
  const std::vector<Job> once = jobs_of<OneLane>(world, 1),
                         twice = jobs_of<OneLane>(world, 1, 2 * kMillion);
  CHECK(twice.size() > 2 * once.size() - 20);
  for (size_t i = 0; i < once.size(); ++i) {
    CHECK_EQUAL(twice[i].service, once[i].service);
    CHECK(twice[i].submit <= once[i].submit / 2 &&
          twice[i].submit + static_cast<i64>(i) + 1 >= once[i].submit / 2);
  }
}

TEST(submits_stay_inside_from_and_until_and_avoid_empty_bins) {
  World world;
  world.windows = Windows{0, 7000, 7000, 100, 0};
  world.week = 700;
  world.profile_cum = {0, 0, 89600, 89600, 134400, 134400, 134400, 179200};  // 2nd day 3.5 x, ..
  world.profile_offset = {0, 8};
  Origin origin;
  origin.gap_high = 20LL << 8;
  origin.profile = 0;
  origin.from = 150;
  origin.until = 5000;
  origin.profile_start = 44800;  // in the middle of the second day
  world.generate(origin);
  const std::vector<Job> jobs = jobs_of<Lanes>(world, 0);
  CHECK(jobs.size() > 300);
  std::map<Tick, i32> by_day;
  for (const Job& job : jobs) {
    CHECK(job.submit >= 150 && job.submit < 5000);
    ++by_day[job.submit / 100 % 7];
  }
  CHECK_EQUAL(by_day.size(), 3u);
  CHECK(by_day[1] > by_day[3] && by_day[3] > 0 && by_day[6] > 0);
}

TEST(x_times_a_million_over_ppm_is_exact) {
  Random random(1);
  for (i32 k = 0; k < 2000; ++k) {
    const i64 ppm = random.between(1, 1LL << random.small(1, 32));
    const i64 x = random.between(0, 1LL << random.small(1, 40));
    const unsigned __int128 wide = static_cast<unsigned __int128>(x) * 1000000u;
    CHECK_EQUAL(per_demand(x, ppm), static_cast<i64>(wide / static_cast<unsigned __int128>(ppm)));
  }
}

}  // namespace gpusim::test

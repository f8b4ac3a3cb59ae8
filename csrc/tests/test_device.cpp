// The mapping of runs to a device, with emulated lanes: slices, slots, shared memory, the model's image. Every way to cut
// and place a batch must give the integers of one run after the other.
#include <algorithm>
#include <cstring>

#include "../cpu/emulate.h"
#include "../cpu/image.h"
#include "check.h"
#include "runs.h"
#include "support.h"

namespace gpusim::test {

constexpr i32 kGpus[] = {24, 9, 60, 30, 7, 9, 300, 300, 12, 14};
constexpr i64 kCells = 5;

static Cell cell_number(i64 i, i32 pools) { return Cell{i, 0, 1300000, kGpus + i * pools}; }

struct Cut {
  i64 workers;
  i64 budget;
  i64 near_bytes;
};

// Exactly as much memory as is asked for, so that a step beyond it is seen, and none of it zero.
static std::vector<char> block(i64 bytes) {
  return std::vector<char>(static_cast<size_t>(bytes + 64), static_cast<char>(0xa5));
}
static char* aligned(std::vector<char>& memory) {
  char* p = memory.data();
  return p + (64 - reinterpret_cast<size_t>(p) % 64) % 64;
}

// All cells in launches of at most `cut.budget` events a worker.
static Rows launch_all(const Model& model, i32 pools, const Sizes& sizes, const Cut& cut,
                       i64* launches) {
  using S = WarpStrips<EmulatedLanes>;
  std::vector<i64> replication, demand, order;
  std::vector<i32> draw, gpus(kGpus, kGpus + kCells * pools);
  std::vector<Cell> cells;
  for (i64 i = 0; i < kCells; ++i) {
    cells.push_back(cell_number(i, pools));
    replication.push_back(cells.back().replication);
    demand.push_back(cells.back().demand_ppm);
    draw.push_back(0);
    order.push_back(kCells - 1 - i);
  }
  Rows rows(model, kCells);
  std::fill(rows.status.begin(), rows.status.end(), kNotRun);
  const Near near{nullptr, cut.near_bytes};
  Scratch<S> measured;
  u64 next = 0, done = 0;

  KernelArguments a{};
  std::vector<char> image = block(image_bytes(model, 0));
  a.model = place_image(model, 0, aligned(image), reinterpret_cast<u64>(aligned(image)));
  a.sizes = sizes;
  a.n = kCells;
  a.workers = cut.workers;
  a.budget = cut.budget;
  a.replication = replication.data();
  a.draw = draw.data();
  a.demand_ppm = demand.data();
  a.gpus = gpus.data();
  a.order = order.data();
  a.scratch_bytes = carve_scratch(model, sizes, nullptr, &measured, near);
  a.slot_bytes = (static_cast<i64>(sizeof(EmulatedSlot)) + 63) & ~63LL;
  a.near_bytes = cut.near_bytes;
  std::vector<char> scratch = block(a.workers * a.scratch_bytes),
                    slots = block(a.workers * a.slot_bytes), kept = block(a.workers * a.near_bytes);
  std::memset(slots.data(), 0, slots.size());
  a.scratch = aligned(scratch);
  a.slots = aligned(slots);
  a.kept = aligned(kept);
  a.next = &next;
  a.done = &done;
  a.status = rows.status.data();
  a.rows = result_of(&rows, Records{});
  const Family family = family_of(model, cells.data(), kCells);
  for (*launches = 0; done < static_cast<u64>(kCells) && *launches < 1000000; ++*launches)
    emulate(family, (cut.workers + 3) / 4, a);
  return rows;
}

static Rows one_by_one(const Model& model, i32 pools, const Sizes& sizes) {
  Rows rows(model, kCells);
  Memory<OneLane> memory(model, sizes);
  KernelArguments a{};
  a.model = model;
  a.rows = result_of(&rows, Records{});
  for (i64 i = 0; i < kCells; ++i)
    rows.status[static_cast<size_t>(i)] =
        simulate<OneLane>(model, cell_number(i, pools), memory.scratch, row_at(a, i));
  return rows;
}

static void compare(const World& world, i32 pools, Family family) {
  constexpr Sizes room{256, 512, 1024, 256, 1024};
  const Model model = world.model();
  const Rows expected = one_by_one(model, pools, room);
  const Cell first = cell_number(0, pools);
  CHECK_EQUAL(family_of(model, &first, 1), family);
  for (const Cut& cut : {Cut{1, 1000000000, 0}, Cut{3, 17, 4096}, Cut{5, 1, 0}, Cut{9, 250, 64},
                         Cut{2, 64, 1 << 20}}) {
    i64 launches = 0;
    CHECK(launch_all(model, pools, room, cut, &launches) == expected);
    if (cut.budget < 100) CHECK(launches > 3);
  }
}

TEST(slices_and_workers_change_no_integer) {
  for (i32 pools : {1, 2})
    for (i32 backfill :
         {static_cast<i32>(kNone), static_cast<i32>(kSkip), 1, 2, static_cast<i32>(kAll)})
      for (i32 early : {0, 1}) {
        World world = busy_world(12000, pools);
        world.policy.backfill = backfill;
        world.early = early;
        compare(world, pools, pools == 1 && backfill == 1 ? kEasyFamily : kOtherFamily);
      }
}

TEST(slices_and_workers_change_no_integer_where_jobs_are_served_in_order) {
  World world = busy_world(30000);
  world.tier_rank = {0, 0, 0};
  world.patience = {-1, -1, -1};
  world.tenant_bound = {-1, -1};
  world.policy.max_waiting = -1;
  world.policy.backfill = kNone;
  for (Tick& segment : world.segment) segment = 0;
  compare(world, 1, kInOrderFamily);
}

TEST(a_worker_goes_on_after_a_run_that_was_too_large) {
  constexpr Sizes scarce{32, 64, 4, 32, 1};
  World world = busy_world(12000);
  world.policy.backfill = 2;
  const Model model = world.model();
  const Rows expected = one_by_one(model, 1, scarce);
  i64 launches = 0;
  const Rows found = launch_all(model, 1, scarce, Cut{2, 40, 256}, &launches);
  CHECK(found.status == expected.status);
  CHECK(*std::max_element(found.status.begin(), found.status.end()) > kOk);
}

}  // namespace gpusim::test

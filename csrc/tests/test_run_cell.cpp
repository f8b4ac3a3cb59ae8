// The build of the core for newer machines gives what the one for all machines gives.
#include "../cpu/run_cell.h"

#include "check.h"
#include "runs.h"
#include "support.h"

namespace gpusim::test {

static Rows run_fast(const Model& m, const Cell& cell, const Sizes& sizes) {
  Memory<OneLane> memory(m, sizes);
  Rows rows(m, 1);
  rows.status[0] = run_cell(m, cell, memory.scratch, result_of(&rows, Records{}));
  return rows;
}

TEST(the_build_for_newer_machines_gives_the_same_integers) {
  constexpr Sizes room{256, 512, 1024, 256, 1024}, scarce{32, 64, 4, 32, 1};
  const i32 gpus[] = {24, 9};
  for (i32 pools : {1, 2})
    for (i32 backfill :
         {static_cast<i32>(kNone), static_cast<i32>(kSkip), 1, 2, static_cast<i32>(kAll)})
      for (i32 order : {static_cast<i32>(kFifo), static_cast<i32>(kSjf)})
        for (i32 early : {0, 1}) {
          World world = busy_world(3000, pools);
          world.policy.backfill = backfill;
          world.policy.order = order;
          world.early = early;
          const Model model = world.model();
          for (const Sizes& sizes : {room, scarce})
            for (i64 replication : {0, 7}) {
              const Cell cell{replication, 0, 1300000, gpus};
              CHECK(run_fast(model, cell, sizes) == run<OneLane>(model, cell, sizes));
            }
        }
}

}  // namespace gpusim::test

#include "read_ensemble.h"

#include <string>

#include "../core/demand.h"
#include "../cpu/check.h"
#include "read_model.h"

namespace gpusim::bind {
namespace {

// Whether anybody may ever be held.
bool holds(const Model& m) {
  const Generator& g = m.generator;
  if (m.stored.submit) return m.stored.chain != nullptr;
  for (i32 r = 0; r < g.tables; ++r)
    if (g.segment[r] > 0 || holds_jobs(g, r)) return true;
  return false;
}

}  // namespace

Sizes sizes_of(const Model& model, const Room& room) {
  return Sizes{room.running_slots, room.queue_slots, room.profile_slots, room.held_slots,
               holds(model) ? room.chain_slots : 0};
}

Ensemble read_ensemble(const py::dict& spec, const py::dict& cells, std::int64_t seed, bool early,
                       const Room& room) {
  py::ssize_t n = 0;
  Ensemble e{};
  e.model = read_model(spec, seed);
  e.model.early = early;
  e.replication = as_i64(array<std::int64_t>(cells, "replication", {-1}, &n));
  e.draw = array<std::int32_t>(cells, "draw", {n});
  e.demand_ppm = as_i64(array<std::int64_t>(cells, "demand_ppm", {n}));
  e.gpus = array<std::int32_t>(cells, "gpus", {n, e.model.classes.pools});
  e.n = n;
  e.sizes = sizes_of(e.model, room);
  if (e.model.stored.submit)
    for (py::ssize_t i = 0; i < n; ++i)
      if (e.replication[i] >= workloads(spec))
        throw py::index_error("a cell names a workload that does not exist");
  const std::string problem = first_problem(e);
  if (!problem.empty()) throw py::value_error(problem);
  return e;
}

}  // namespace gpusim::bind

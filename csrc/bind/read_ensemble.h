// The cells of a batch and the options of its runs, checked. The arrays must outlive it.
#pragma once
#include <cstdint>

#include "../cpu/ensemble.h"
#include "arrays.h"

namespace gpusim::bind {

struct Room {  // initial sizes; see Sizes
  int running_slots, queue_slots, profile_slots, held_slots, chain_slots;
};

Sizes sizes_of(const Model& model, const Room& room);

// Without outputs, lanes and threads.
Ensemble read_ensemble(const py::dict& spec, const py::dict& cells, std::int64_t seed, bool early,
                       const Room& room);

}  // namespace gpusim::bind

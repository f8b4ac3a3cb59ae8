// The jobs of one replication without scheduling them: f(job) for each, in job-index order.
#pragma once
#include <cstddef>
#include <vector>

#include "../core/jobs.h"
#include "../core/model.h"
#include "../core/scratch.h"

namespace gpusim {

// Memory that the stream of one replication needs, to be used for many in turn.
class StreamMemory {
 public:
  explicit StreamMemory(const Model& model) {
    const Sizes least{kLanes, kChunk, 4, kLanes, 0};
    bytes_.resize(static_cast<size_t>(carve_scratch<OneLane>(model, least, nullptr, &scratch_)) +
                  64);
    char* aligned = bytes_.data() + (64 - reinterpret_cast<size_t>(bytes_.data()) % 64);
    carve_scratch<OneLane>(model, least, aligned, &scratch_);
  }
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

  const SourceBlocks& blocks() const { return scratch_.blocks; }

 private:
  std::vector<char> bytes_;
  Scratch<OneLane> scratch_;
};

// Ends early when the flag `stop` is raised.
template <class F>
void each_job(const Model& model, const Cell& cell, const StreamMemory& memory,
              const volatile i32* stop, F f) {
  JobStream<OneLane> stream;
  stream.open(model, memory.blocks(), cell);
  while (stream.head != kNoKey && !read_flag(stop)) f(stream.take());
}

}  // namespace gpusim

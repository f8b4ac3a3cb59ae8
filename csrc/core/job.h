// A job in the center: 64 bytes, one cache line, moved whole from stream to queue to running set.
#pragma once
#include "types.h"

namespace gpusim {

struct Job {
  Tick submit;
  Tick eligible;  // submit, or later in a chain
  Tick service;   // true run time
  Tick limit;     // what the user asked for
  Tick delay;     // ticks after the predecessor's end; without one: after its submit
  i64 index;      // job index (R6)
  i32 gpus;
  i32 job_class;
  i32 chain;  // number of its chain in this run, or -1
  i32 part;   // Part, and in the bits above it the number of its user (S34)
};

constexpr i32 kUserShift = 3;
HD i32 user_of(i32 part) { return part >> kUserShift; }
HD i32 part_of_user(i32 user) { return user << kUserShift; }

}  // namespace gpusim

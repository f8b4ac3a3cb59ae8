// Status of one run. One enum for every backend; retired codes keep their number.
//
// A run whose status is not kOk carries no usable result; those that end in Full mean that a
// fixed-size structure was too small: the caller repeats exactly that run with more room and gets
// the integers it would have got at once.
#pragma once

namespace gpusim {

enum Status : int {
  kOk = 0,           // complete
  kRunningFull = 1,  // more running jobs than slots
  kQueueFull = 2,    // more waiting jobs in one tier than slots
  kProfileFull = 3,  // more breakpoints in the profile of free GPUs than slots
  kCancelled = 4,    // the caller asked to stop
  kNotRun = 5,       // the run was never started (cancelled before its turn)
  kHeldFull = 6,     // more held jobs than slots
  kChainsFull = 7,   // more chains than slots
  kPaused = 8,       // not complete: goes on in the next slice (simulate.h)
};

enum Outcome : int {
  kUnsubmitted = 0,   // submit >= horizon
  kWaiting = 1,       // still waiting at the end of the run
  kRunning = 2,       // still running at the end of the run
  kFinished = 3,      // ran its whole service
  kKilledLimit = 4,   // ended at its limit (R7)
  kAbandoned = 5,     // left when its patience ended (R4)
  kRejected = 6,      // larger than every allowed pool (R9)
  kRejectedFull = 7,  // refused by max_waiting (R4)
  kHeld = 8,          // not yet eligible at the end of the run (R39)
  kCancelledJob = 9,  // its chain was broken (R39)
};

}  // namespace gpusim

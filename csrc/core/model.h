// What one run is: jobs, classes, policy, windows, service levels, and where results go. Plain
// structs of pointers and sizes; every array is owned by the caller, C-contiguous, and read-only
// unless it stands in RunResult.
//
// Shapes: C classes, T tenants, S service levels, J jobs. Units: ticks and GPUs.
#pragma once
#include "types.h"

namespace gpusim {

enum Backfill : i32 {
  kNone = 0,   // the first blocked job ends the scan
  kSkip = -1,  // blocked jobs are ignored
  kAll = -2,   // every blocked job gets a reservation (conservative), recomputed at each pass
};  // K >= 1: the first K blocked jobs get one; 1 is EASY (R14)

enum LimitMode : i32 { kExact = 0, kFixed = 1, kFactor = 2 };

enum Count : i32 {  // columns of RunResult::counts, over counted jobs
  kSubmittedCount,
  kRejectedCount,
  kRejectedFullCount,
  kAbandonedCount,
  kStartedCount,
  kFinishedCount,
  kKilledLimitCount,
  kWaitingCount,
  kRunningCount,
  kCounts
};
enum Sum : i32 { kWaitSum, kTurnaroundSum, kGpuTicksSum, kSums };
enum SloCount : i32 { kMet, kViolated, kCensored, kSloCounts };
enum Integral : i32 { kAllocated, kWaitingJobs, kWaitingGpus, kRunningJobs, kIntegrals };
enum Extreme : i32 { kMaxWaiting, kMaxRunning, kEndTick, kExtremes };

struct Classes {
  i32 n;                 // C
  i32 tiers;             // distinct priority tiers
  i32 tenants;           // T
  const i32* tier_rank;  // (C,) 0 = considered first
  const i32* tenant;     // (C,)
  const Tick* patience;  // (C,) ticks waited before leaving; -1 never
};

struct Policy {
  i32 backfill;                   // Backfill, or K >= 1
  i32 kill_at_limit;              // a run lasts min(service, limit) (R7), else its service
  i64 max_waiting;                // waiting jobs of the center; -1 no bound (R4)
  const i64* tenant_max_waiting;  // (T,) the same per tenant
  i32 always_profile;  // 1: EASY through the general profile (the proof of the fast path)
};

struct Windows {
  Tick warm_up;  // jobs submitted in [warm_up, count_end) are counted
  Tick count_end;
  Tick horizon;  // ticks [0, horizon) are simulated
};

struct Slos {
  i32 n;                    // S
  const Tick* limit;        // (S,) a wait within limit meets the level
  const i64* share_ppm;     // (S,) share of jobs that must, in millionths
  const i32* class_offset;  // (C + 1,) where each class begins in class_slo
  const i32* class_slo;     // levels of class 0, of class 1, ..
};

struct StoredJobs {      // sorted by (submit, id) inside each workload
  const Tick* submit;    // (J,)
  const Tick* service;   // (J,) >= 1
  const Tick* limit;     // (J,) >= 1
  const i32* gpus;       // (J,) >= 1
  const u16* job_class;  // (J,) < C
  i64 n;                 // J
  const i64* offset;     // (workloads + 1,)
};

struct Generator {  // one source per class; formats in ARCHITECTURE.md 3
  u64 seed;
  const u32* key;             // (C,) random-stream key of the source
  const u8* active;           // (C,) 0: the source has no jobs
  const i64* gap_nodes;       // (C, 2, kTableNodes)
  const i32* gap_shift;       // (C,)
  const i64* service_nodes;   // (C, 2, kTableNodes)
  const i32* service_shift;   // (C,)
  const i32* atom_offset;     // (C + 1,) where each class begins in the atoms
  const i32* atom_gpus;       // GPU counts of class 0, of class 1, ..
  const u64* atom_threshold;  // in [0, 2^32]
  const i32* atom_alias;      // atom of the same class, from 0
  const i32* limit_mode;      // (C,) LimitMode
  const i64* limit_a;         // (C,)
  const i64* limit_b;         // (C,)
  const i64* demand_nodes;    // (2, kTableNodes) scale of all gaps in 1/65536, or null
};

struct Model {
  Classes classes;
  Policy policy;
  Windows windows;
  Slos slos;
  StoredJobs stored;         // used when stored.submit is not null
  Generator generator;       // used otherwise
  i32 early;                 // stop as soon as the verdict is certain
  const volatile i32* stop;  // the caller's request to stop, or null
};

struct Cell {       // one run
  i64 replication;  // stored jobs: the workload
  i32 gpus;         // candidate capacity
};

struct Records {  // per job in submission order, or all null
  Tick* submit;
  Tick* start;  // -1 not started
  Tick* end;    // -1 not ended before the horizon
  i32* gpus;
  i32* job_class;
  u8* outcome;  // Outcome
};

struct RunResult {      // one row of each output array; zeroed by the run itself
  i64* counts;          // (C, kCounts)
  i64* sums;            // (C, kSums)
  i64* slo;             // (S, kSloCounts)
  i64* integrals;       // (kIntegrals,)
  i64* extremes;        // (kExtremes,)
  i64* jobs;            // (1,) submitted, counted or not
  u8* passed;           // (1,)
  i32* first_violated;  // (1,) the level that ended an early run, or -1
  i64* histogram;       // (C, kBins) or null
  Records records;
};

}  // namespace gpusim

// What one run is: jobs, classes, policy, windows, service levels, and where results go. Plain
// structs of pointers and sizes; every array is owned by the caller, C-contiguous, and read-only
// unless it stands in RunResult.
//
// Shapes: P pools, C classes, T tenants, S service levels, L pairs (class, level), J jobs, K sources,
// R rows of source tables, D draws. Units: ticks and GPUs.
#pragma once
#include "types.h"

namespace gpusim {

enum Order : i32 {     // inside a tier (R10)
  kFifo = 0,           // eligible time, then job index
  kSjf = 1,            // limit first: shortest job first
  kFairshare = 2,      // what the tenant has used by its weight (S30)
  kFairTree = 3,       // the same on a tree of accounts: the tenant's rank (S31)
  kMultifactor = 4,    // age, fair share, size and quality of service, weighted (S32)
  kWeightedShare = 5,  // what the tenant would borrow by its weight, anew at each step (S33)
};

enum Backfill : i32 {
  kNone = 0,   // a blocked job blocks its pools
  kSkip = -1,  // blocked jobs are ignored
  kAll = -2,   // every blocked job gets a reservation (conservative), recomputed at each pass
};  // K >= 1: the first K blocked jobs of each pool get one; 1 is EASY (R14)

enum LimitMode : i32 { kExact = 0, kFixed = 1, kFactor = 2, kPick = 3 };

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
  kHeldCount,
  kCancelledCount,
  kCounts
};
enum Sum : i32 { kWaitSum, kTurnaroundSum, kGpuTicksSum, kSums };
enum SloCount : i32 {
  kOpen = -1,
  kMet,
  kViolated,
  kCensored,
  kSloCounts
};  // kOpen: no verdict yet
enum EvictionSum : i32 { kPreemptions, kPreempted, kRequeuedWait, kLost, kEvictionSums };
enum Cause : i32 {  // why a job waits (R34)
  kHeldCause,
  kBehindOwn,
  kQuotaCause,
  kReservationCause,
  kPriorityCause,
  kCapacityCause,
  kFragmentation,
  kDownCause,
  kCauses
};
enum Idle : i32 {  // R36, S29, S36
  kReservedIdle,
  kQuotaIdle,
  kFreeIdle,
  kFragmentedIdle,
  kDrainedIdle,
  kClosedIdle,
  kIdles
};
enum Integral : i32 { kAllocated, kWaitingJobs, kWaitingGpus, kRunningJobs, kIntegrals };
enum Extreme : i32 { kMaxWaiting, kMaxRunning, kEndTick, kExtremes };

enum Metric : i32 {  // what a level judges (S12)
  kWaitMetric = 0,
  kTurnaroundMetric = 1,  // of a chain as a whole
  kSlowdownMetric = 2,    // limit in thousandths
  kTurnedAwayMetric = 3,
  kPreemptionsMetric = 4,  // evictions of a job (S27)
};

struct Classes {
  i32 n;                 // C
  i32 tiers;             // distinct priority tiers
  i32 lines;             // strips of the queue: a tier's, or one for each of its tenants
  i32 tenants;           // T
  i32 pools;             // P
  const i32* tier_rank;  // (C,) 0 = considered first
  const i32*
      line;  // (C,) strip of the queue: the tier's, or, where causes are told, the tenant's in it
  const i32* tenant;       // (C,)
  const Tick* patience;    // (C,) ticks waited before leaving; -1 never
  const u8* killed_ok;     // (C,) 1: a job killed at its limit counts as done
  const i32* pool_offset;  // (C + 1,) where each class begins in pool_list
  const i32* pool_list;    // allowed pools of class 0 in order of preference, of class 1, ..
};

// How tenants share the center (R16-R30, S13-S25). Nodes are the tenants, then the cohorts: N in all.
enum Amount : i32 { kNominal, kBorrow, kLend, kAmounts };
enum Within : i32 { kWithinNever, kWithinLower, kWithinLowerOrNewer };
enum Reclaim : i32 { kReclaimNever, kReclaimLower, kReclaimAny };
enum Requeue : i32 { kPlace, kTail, kCancel };  // R28

constexpr i64 kNoAmount = -1;  // no quota, or no limit

struct Sharing {
  i32 on;                  // 0: nobody owns anything, and nothing below is there
  i32 preempts;            // some job may have victims
  i32 nodes;               // N
  i32 unassigned;          // the tenant that owns what the others do not, or -1
  i32 borrowers_last;      // passes have two sweeps (R22)
  const i32* parent;       // (N,) a cohort, or -1
  const i32* root;         // (N,) the highest cohort above, or the node itself
  const i32* bottom_up;    // (N,) all nodes, each before its parent
  const i64* amount;       // (kAmounts, N, P) GPUs, or millionths of the pool; kNoAmount
  const u8* is_share;      // (kAmounts, N, P) 1: millionths
  const u8* strict;        // (T,) 1: a job blocked by quota stops the tenant's later ones (R19)
  const u8* within;        // (T,) Within
  const u8* reclaim;       // (T,) Reclaim
  const u8* borrows;       // (T,) 1: it may preempt while it borrows ..
  const i32* threshold;    // (T,) .. victims of this priority or less
  const i64* most_gpus;    // (T,) GPUs that it uses at most, or kNoAmount
  const i64* most_jobs;    // (T,) jobs that it runs at most, or kNoAmount
  i32 limits_users;        // some tenant's users have limits
  const i32* user_offset;  // (T + 1,) where each tenant's users begin; without limits it has none
  const i64* user_most_gpus;    // (T,) GPUs that each of its users uses at most, or kNoAmount
  const i64* user_most_jobs;    // (T,) jobs that each of them runs at most, or kNoAmount
  const i32* priority;          // (C,) of a class: larger is considered first
  const i32* rising;            // (C,) classes by ascending priority
  const u8* preemptible;        // (C,)
  const u8* urgent;             // (C,) quotas are ignored, victims are of any tenant
  const u8* requeue;            // (C,) Requeue
  const Tick* exempt;           // (C,) ticks from a start in which a job is no victim
  const Tick* grace;            // (C,) ticks that a victim has before its GPUs are of use (R30)
  const Tick* checkpoint;       // (C,) ticks of work between two checkpoints; 0 none
  const Tick* checkpoint_cost;  // (C,) ticks each
  const Tick* restart;          // (C,) ticks before work goes on at a later start
};

// What fair orders go by. Nodes are the tenants, then the accounts: N in all.
struct Fairness {
  i32 nodes;          // N; 0: the order is none of them
  const i64* weight;  // (N,)
  const i32* parent;  // (N,) an account, or -1
  const i64* qos;     // (C,) quality of service, in 1/kOne
  Tick period;        // keys are computed at its multiples
  i64 left;           // of usage after one period, in 2^-32
  i64 w_age;          // weights of the factors
  i64 w_fairshare;
  i64 w_size;
  i64 w_qos;
  Tick max_age;      // ticks after which a job grows no older
  i32 over_quota;    // only use beyond a tenant's nominal is usage
  i32 center_pools;  // pools whose GPUs are the center; 0: all
};

// What is closed of the pools over time (S36; closures.h): a step at each end of a closure, pool by pool.
struct ClosureSteps {
  i32 n;              // steps of all pools
  const i32* offset;  // (P + 1,) where each pool begins
  const Tick* tick;   // (n,) ascending in a pool
  const i64* gpus;    // (n,) closed from there on, if the pool has so many
  const Tick* start;  // (n,) first tick from there on at which one begins in the pool; kNever none
};

struct Policy {
  i32 order;                      // Order
  i32 backfill;                   // Backfill, or K >= 1
  i32 kill_at_limit;              // a run lasts min(service, limit) (R7), else its service
  Tick window;                    // reservations further ahead are not given (R15); -1 no bound
  i64 max_tests;                  // waiting jobs that a pass looks at (R15); -1 all
  Tick period;                    // passes come at multiples of it only; 1: at every change
  i64 max_waiting;                // waiting jobs of the center; -1 no bound (R4)
  const i64* tenant_max_waiting;  // (T,) the same per tenant
  i32 always_profile;  // 1: EASY through the general profile (the proof of the fast path)
  i32 always_events;   // 1: first come, first served through the loop over events (likewise)
};

struct Windows {
  Tick warm_up;  // jobs submitted in [warm_up, count_end) are counted
  Tick count_end;
  Tick horizon;     // ticks [0, horizon) are simulated
  Tick day;         // ticks a day
  Tick week_phase;  // ticks since Monday 00:00 at tick 0
};

struct Slos {
  i32 n;                    // S
  const i32* metric;        // (S,) Metric
  const i64* share_ppm;     // (S,) share of jobs that must, in millionths
  const Tick* bound;        // (S,) slowdown: run times below it count as it
  const i32* gpus_low;      // (S,) gang sizes in [gpus_low, gpus_high] are judged
  const i32* gpus_high;     // (S,)
  const Tick* hours_from;   // (S,) submitted in these hours of the day; equal: at any hour
  const Tick* hours_to;     // (S,)
  const i32* days;          // (S,) and on these weekdays: bit 0 is Monday
  const i32* class_offset;  // (C + 1,) where each class begins in the pairs
  const i32* class_slo;     // (L,) levels of class 0, of class 1, ..
  const i64* class_limit;   // (L,) the level's limit for the class
};

// How a job stands in a chain (R39), and whether it is held by itself (S35).
enum Part : i32 {
  kFollows = 1,  // has a predecessor
  kLeads = 2,    // has a successor
  kLater = 4,    // has no predecessor, and is eligible some time after its submit
};

constexpr i32 kHole = 0x7fffffff;  // more GPUs than any job has
constexpr i32 kAnyGang = kHole - 1;
constexpr i32 kNobody = 0x7fffffff;  // longer than the limit of any job, in units of 2^shift ticks
constexpr i32 kLongest = kNobody - 1;
constexpr i32 kGroups = 64;

// What jobs ask for, roughly: by this the queue is searched. It decides how fast, not what is found.
struct Requests {
  i32 low[kGroups + 1];  // least size of each group of gang sizes, ascending; kHole behind the last
  i32 shift;             // nearly all limits are below kLongest * 2^shift ticks

  HD i32 group(i32 gpus) const { return last_at_most<kGroups>(low, gpus); }
  HD i32 shorten(Tick limit) const {
    return static_cast<i32>(least<Tick>(limit >> shift, kLongest));
  }
};

struct StoredJobs {      // sorted by (submit, id) inside each workload
  const Tick* submit;    // (J,)
  const Tick* service;   // (J,) >= 1
  const Tick* limit;     // (J,) >= 1
  const i32* gpus;       // (J,) >= 1
  const u16* job_class;  // (J,) < C
  const Tick* delay;     // (J,) see Job; null where nobody is ever held, like the next two
  const i32* chain;      // (J,) number of its chain in the workload, from 0 in order; -1 none
  const u8* part;        // (J,) Part
  i64 n;                 // J
  const i64* offset;     // (workloads + 1,)
  const i32* user;       // (J,) of its tenant's users; null where no user has a limit
};

struct Generator {  // formats in ARCHITECTURE.md 3; (R,) per row of the source tables
  u64 seed;
  i32 sources;  // K
  i32 draws;    // D
  i32 tables;   // R
  i32 profiles;
  const i32* rows;              // (D, K) the row of each source
  const u32* key;               // (R,) random-stream key of the source
  const i32* job_class;         // (R,)
  const u8* active;             // (R,) 0: the source has no jobs
  const i64* gap_nodes;         // (R, 2, kTableNodes)
  const i32* gap_shift;         // (R,)
  const Tick* from;             // (R,) its jobs are submitted in [from, until)
  const Tick* until;            // (R,)
  const i32* profile;           // (R,) week profile, or -1
  const i64* profile_start;     // (R,) operational time at `from`
  const i32* event_offset;      // (R + 1,) scheduled arrivals; none: a renewal process
  const i64* events;            // (.., 3) tick, within, count
  const i32* batch_offset;      // (R + 1,) batch sizes; none: single jobs
  const i32* batch_sizes;       // alias table
  const u64* batch_threshold;   //
  const i32* batch_alias;       //
  const Tick* spread;           // (R,) ticks over which a batch is submitted
  const i64* common;            // (R,) weight of a batch's common word, in 1/65536
  const i64* service_nodes;     // (R, 2, kTableNodes)
  const i32* service_shift;     // (R,)
  const i64* service_cap;       // (R,) largest value, in the table's unit
  const i64* service_cap_from;  // (R,) words from here on give the cap
  const i32* atom_offset;       // (R + 1,) GPU counts
  const i32* atom_gpus;         // alias table
  const u64* atom_threshold;    //
  const i32* atom_alias;        //
  const i32* limit_mode;        // (R,) LimitMode
  const i64* limit_a;           // (R,)
  const i64* limit_b;           // (R,)
  const i32* choice_offset;     // (R + 1,) limits to pick from, or to round up to
  const i64* choices;           // ascending for rounding; alias table for picking
  const u64* choice_threshold;  //
  const i32* choice_alias;      //
  const Tick* segment;          // (R,) longest job of a chain; 0: no chains
  const Tick* delay;            // (R,) between the jobs of a chain
  i32 decides;                  // 1: jobs of some row may be held at first, or have users (S35)
  i32 holds;                    // tables of holds
  const i64* claw_threshold;    // (R,) words below it claw a lease back, of 2^32 ..
  const Tick* claw_after;       // (R,) .. after so long
  const Tick* call_period;    // (R,) jobs are held to the next call: ticks from one to the next ..
  const Tick* call_phase;     // (R,) .. of which one is here; 0 and 0: there are no calls
  const i32* hold;            // (R,) which of the tables, or -1: not held longer
  const i32* users;           // (R,) of its tenant
  const i64* hold_nodes;      // (holds, 2, kTableNodes)
  const i32* hold_shift;      // (holds,)
  const i64* hold_cap;        // (holds,) like service_cap
  const i64* hold_cap_from;   // (holds,)
  const i32* profile_offset;  // (profiles + 1,)
  const i64* profile_cum;     // cumulative relative rate of each week profile
  Tick week;                  // ticks; 0 without profiles
  Tick week_phase;            // ticks since Monday 00:00 at tick 0
  const i64* demand_nodes;    // (2, kTableNodes) scale of all gaps in 1/65536, or null
};

struct Model {
  Classes classes;
  Policy policy;
  Sharing sharing;
  Fairness fairness;
  ClosureSteps closures;  // where tenants share the center
  Windows windows;
  Slos slos;
  StoredJobs stored;         // used when stored.submit is not null
  Generator generator;       // used otherwise
  Requests requests;         // set by describe_requests (cpu/requests.h)
  i32 early;                 // stop as soon as the verdict is certain
  const volatile i32* stop;  // the caller's request to stop, or null
};

// Whether passes are those of EASY in a single pool, with no bound on what is looked at (pass_easy_one_pool).
HD bool easy_in_one_pool(const Model& m) {
  const Policy& p = m.policy;
  return !m.sharing.on && m.classes.pools == 1 && p.backfill == 1 && !p.always_profile &&
         p.window < 0 && p.max_tests < 0;
}

struct Cell {       // one run
  i64 replication;  // stored jobs: the workload
  i32 draw;         // of the source tables
  i64 demand_ppm;   // generated jobs: demand in millionths of the nominal one
  const i32* gpus;  // (P,) candidate capacity
};

struct Records {  // per job in submission order, or all null
  Tick* submit;
  Tick* eligible;  // -1 never
  Tick* start;     // -1 not started
  Tick* end;       // -1 not ended before the horizon
  i32* gpus;
  i32* job_class;
  i32* pool;    // -1 not started
  u8* outcome;  // Outcome
  i32* preemptions;
};

struct RunResult {      // one row of each output array; zeroed by the run itself
  i64* counts;          // (C, kCounts)
  i64* sums;            // (C, kSums)
  i64* slo;             // (S, kSloCounts)
  i64* pool_gpu_ticks;  // (P,)
  i64* integrals;       // (kIntegrals,)
  i64* extremes;        // (kExtremes,)
  i64* jobs;            // (1,) submitted, counted or not
  u8* passed;           // (1,)
  i32* first_violated;  // (1,) the level that ended an early run, or -1
  i64* histogram;       // (C, kBins) or null
  i64* evictions;       // (C, kEvictionSums) or null: nobody shares
  i64* cascade;         // (1,) most evictions in one tick; likewise
  i64* causes;          // (C, kCauses) GPU-ticks waited, or null: nobody asks
  i64* idle;            // (P, kIdles) GPU-ticks; likewise
  Records records;
};

}  // namespace gpusim

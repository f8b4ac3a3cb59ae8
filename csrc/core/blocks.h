// Working memory of the sources of generated jobs: where each source stands, the block of jobs that it has
// made and the batches that it has begun, and the columns of the block being made.
#pragma once
#include "types.h"

namespace gpusim {

constexpr i32 kBlock = 64;     // jobs a source makes at once
constexpr i32 kArrivals = 32;  // batches a source makes at once

struct Asked {  // what a job asks for; together, since the stream reads it at once
  Tick service;
  Tick limit;
  i32 gpus;
  i32 job_class;
};

// Slots of the calendar of so many sources: a power of two, 32 at least, and otherwise less than twice as many.
HD_BOTH i32 source_slots(i32 sources) {
  i32 slots = 32;
  while (slots < sources) slots *= 2;
  return slots;
}

enum Marks : i32 {  // what jobs of a source have besides
  kInChains = 1,
  kDecided = 2,  // they may be held at first, and have users (S35)
};

struct SourceBlocks {  // shapes (K,), (K, kBlock), (K, kArrivals) and (kBlock,)
  u64* next;    // calendar of the sources by the key (submit, source) of their next job; see jobs.h
  Tick* clock;  // (K,) operational time of the last arrival made
  Tick* reached;       // (K,) submit of the last job made
  i64* arrival;        // (K,) next arrival; scheduled: next event
  i64* made;           // (K,) jobs made before the block
  i32* member;         // (K,) scheduled chains: next of the event's chains
  i32* part;           // (K,) jobs of the current batch or chain made already
  i32* whole;          // (K,) jobs of the current chain
  i32* size;           // (K,) jobs in the block
  i32* position;       // (K,) next job inside the block
  i32* chain;          // (K,) number of the current chain
  u8* marks;           // (K,) Marks
  u64* key;            // (K, kBlock) of each job, or kNoKey: it does not exist
  Asked* asked;        // (K, kBlock)
  Tick* delay;         // (K, kBlock) from submit to eligible, where it is drawn
  i32* user;           // (K, kBlock) likewise
  Tick* batch_submit;  // (K, kArrivals) of its first job, or kNever: it does not exist
  i32* batch_size;     // (K, kArrivals)
  i32* batch_gpus;     // (K, kArrivals)
  u32* batch_word;     // (K, kArrivals) what its run times share
  Tick* submit;        // (kBlock,)
  Tick* offset;        // (kBlock,) of the jobs of an event
  i32* brief;          // (kBlock,) limits, at most kBrief
  i32* rank;           // (kBlock,) choices below the limit
  u32* common;         // (kBlock,) word shared with the batch
  u32* word;           // (4, kBlock) own words
};

}  // namespace gpusim

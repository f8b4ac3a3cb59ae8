// Philox4x32-10, the counter-based generator of Salmon et al. (SC'11): four random 32-bit words
// that are a pure function of a 128-bit counter and a 64-bit key. No state, so job i of a source in
// replication r is the same job for every candidate, policy, thread and backend.
//
// Streams: the one list of what random numbers are used for. Two uses never share a stream, so they
// never share numbers.
#pragma once
#include "types.h"

namespace gpusim {

enum Stream : u32 {
  kJobStream = 0,       // index: the job's word index; words: gap or offset, service, gpus, limit
  kDemandStream = 1,    // index 0, source key 0; word 0: the replication's demand scale
  kArrivalStream = 2,   // index: the arrival, a batch or a chain; words: gap, size, gpus, service
  kElicitedStream = 3,  // uncertain numbers; drawn in Python (workload/draws.py)
  kHoldStream = 4,      // index: that of the words of the job or of its arrival; words: hold, user
};

struct Words {
  u32 w[4];
};

HD Words philox(u32 index, u32 stream, u32 replication, u32 source_key, u64 seed) {
  u32 c0 = index, c1 = stream, c2 = replication, c3 = source_key;
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
  for (i32 round = 0; round < 10; ++round) {
    const u64 p0 = static_cast<u64>(0xD2511F53u) * c0;
    const u64 p1 = static_cast<u64>(0xCD9E8D57u) * c2;
    c0 = static_cast<u32>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<u32>(p1);
    c2 = static_cast<u32>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<u32>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return Words{{c0, c1, c2, c3}};
}

}  // namespace gpusim

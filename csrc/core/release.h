// The release list of a pool: when running jobs are expected to give their GPUs back, in order of
// (estimated end, slot). It is all that reservations may know about the future (R8).
//
// A sorted list in chunks of up to kShelf keys. A directory keeps each chunk's largest key and sum of
// GPUs, so that finding a place looks at one entry per chunk, and the time at which enough GPUs are
// back is found by adding up chunks. A full chunk is split; two neighbours that would fit into half
// a chunk are joined, so that n keys never take more than 4 n / kShelf + 2 chunks. Cost: O(log n + kShelf)
// an operation, O(n / kShelf) to find when GPUs are back.
#pragma once
#include "strips.h"
#include "types.h"

namespace gpusim {

constexpr i32 kShelf = 32;  // keys in a chunk

HD_BOTH i64 release_chunks(i64 slots) { return slots / (kShelf / 4) + 3; }

// Where a key stands: place `at` of the chunk at directory position `chunk`.
struct ReleasePlace {
  i32 chunk;
  i32 at;
};

// One per pool, in shared memory: its scalars are written inside once() like every array.
template <class S>
struct Release {
  i32 n;           // keys
  i32 chunks;      // in use
  i32 free_ids;    // how many stand in free_id
  u64* last;       // (chunks,) largest key of each chunk, ascending
  i64* sum;        // (chunks,) GPUs of each chunk
  i32* size;       // (chunks,) keys of each chunk
  i32* id;         // (chunks,) where its keys lie
  i32* free_id;    // stack of unused chunks
  u64* key;        // (.., kShelf)
  i32* gpus;       // (.., kShelf)
  i32 all_chunks;  // how many there are

  HD void clear() {
    S::once([&] {
      n = chunks = 0;
      free_ids = all_chunks;
    });
    const i32 top = all_chunks - 1;
    S::each(all_chunks, [&](i32 i) { free_id[i] = top - i; });
  }

  HD u64* keys_of(i32 chunk) const { return key + static_cast<i64>(id[chunk]) * kShelf; }
  HD i32* gpus_of(i32 chunk) const { return gpus + static_cast<i64>(id[chunk]) * kShelf; }

  HD_CALL void insert(u64 k, i32 g) {
    if (chunks == 0) open_chunk(0);
    i32 c = S::lower_bound(last, chunks, k);
    if (c == chunks) --c;
    if (size[c] == kShelf) {
      split(c);
      if (last[c] < k) ++c;
    }
    u64* keys = keys_of(c);
    const i32 held = size[c];
    expect(keys, kShelf * 8);
    expect(gpus_of(c), kShelf * 4);
    const i32 at = S::lower_bound(keys, held, k);
    S::shift_insert(keys, held, at, k);
    S::shift_insert(gpus_of(c), held, at, g);
    S::once([&] {
      ++size[c];
      sum[c] += g;
      if (at == held) last[c] = k;
      ++n;
    });
  }

  HD_CALL void remove(u64 k) {  // requires k to be in the list
    const i32 c = S::lower_bound(last, chunks, k);
    u64* keys = keys_of(c);
    const i32 held = size[c];
    expect(keys, kShelf * 8);
    expect(gpus_of(c), kShelf * 4);
    const i32 at = S::lower_bound(keys, held, k);
    const i32 g = gpus_of(c)[at];
    S::shift_remove(keys, held, at);
    S::shift_remove(gpus_of(c), held, at);
    S::once([&] {
      --size[c];
      sum[c] -= g;
      if (held > 1) last[c] = keys[held - 2];
      --n;
    });
    if (held == 1)
      close_chunk(c);
    else if (c + 1 < chunks && held - 1 + size[c + 1] <= kShelf / 2)
      join(c);
    else if (c > 0 && held - 1 + size[c - 1] <= kShelf / 2)
      join(c - 1);
  }

  // First place at which the GPUs given back so far, this key's included, reach `wanted` > 0; and their
  // sum. Past the end: chunk == chunks.
  HD ReleasePlace reach(i64 wanted, i64* given) const {
    i64 before = 0;
    i32 c = 0;
    ROLLED
    for (; c < chunks; ++c) {
      if (before + sum[c] >= wanted) break;
      before += sum[c];
    }
    *given = before;
    if (c == chunks) return ReleasePlace{c, 0};
    i64 inside = 0;
    const i32 at = S::prefix_sum_until(gpus_of(c), size[c], wanted - before, &inside);
    *given = before + inside;
    return ReleasePlace{c, at};
  }

  HD bool ended(ReleasePlace p) const { return p.chunk >= chunks; }
  HD Tick tick_at(ReleasePlace p) const { return key_tick(keys_of(p.chunk)[p.at]); }
  HD i32 gpus_at(ReleasePlace p) const { return gpus_of(p.chunk)[p.at]; }
  HD ReleasePlace next(ReleasePlace p) const {
    return p.at + 1 < size[p.chunk] ? ReleasePlace{p.chunk, p.at + 1}
                                    : ReleasePlace{p.chunk + 1, 0};
  }

 private:
  HD void open_chunk(i32 c) {  // an empty chunk at directory position c
    const i32 fresh = free_id[free_ids - 1];
    S::shift_insert(last, chunks, c, static_cast<u64>(0));
    S::shift_insert(sum, chunks, c, static_cast<i64>(0));
    S::shift_insert(size, chunks, c, 0);
    S::shift_insert(id, chunks, c, fresh);
    S::once([&] {
      --free_ids;
      ++chunks;
    });
  }
  HD void close_chunk(i32 c) {
    S::once([&] { free_id[free_ids++] = id[c]; });
    S::shift_remove(last, chunks, c);
    S::shift_remove(sum, chunks, c);
    S::shift_remove(size, chunks, c);
    S::shift_remove(id, chunks, c);
    S::once([&] { --chunks; });
  }
  HD_CALL void split(i32 c) {  // the upper half of chunk c moves to a new one behind it
    open_chunk(c + 1);
    u64 *from = keys_of(c), *to = keys_of(c + 1);
    i32 *from_gpus = gpus_of(c), *to_gpus = gpus_of(c + 1);
    constexpr i32 half = kShelf / 2;
    S::each(half, [=](i32 i) {
      to[i] = from[half + i];
      to_gpus[i] = from_gpus[half + i];
    });
    S::once([&] {
      i64 moved = 0;
      for (i32 i = 0; i < half; ++i) moved += to_gpus[i];
      last[c + 1] = last[c];
      last[c] = from[half - 1];
      sum[c + 1] = moved;
      sum[c] -= moved;
      size[c] = size[c + 1] = half;
    });
  }
  HD_CALL void join(i32 c) {  // chunk c takes the keys of its successor
    u64 *to = keys_of(c), *from = keys_of(c + 1);
    i32 *to_gpus = gpus_of(c), *from_gpus = gpus_of(c + 1);
    const i32 kept = size[c], moved = size[c + 1];
    S::each(moved, [=](i32 i) {
      to[kept + i] = from[i];
      to_gpus[kept + i] = from_gpus[i];
    });
    S::once([&] {
      size[c] = kept + moved;
      sum[c] += sum[c + 1];
      last[c] = last[c + 1];
    });
    close_chunk(c + 1);
  }
};

}  // namespace gpusim

// The next job: stored or generated, behind one interface.
//
// Jobs leave the stream in job-index order: (submit, source, order inside the source). A stored
// workload is one source, already sorted; generated jobs come from sources.h, merged by the key
// (submit, source) of each source's next job, which a calendar orders. Cost of take(): one update of the
// calendar if there are several sources, and a job's share of a block.
#pragma once
#include "calendar.h"
#include "job.h"
#include "model.h"
#include "sources.h"
#include "strips.h"
#include "types.h"

namespace gpusim {

// Whether the caller asked to stop.
template <class S>
HD bool stop_requested(const Model& m) {
  return m.stop && S::agree(read_flag(m.stop)) != 0;
}

template <class S>
struct JobStream {
  const Model* model;
  Sources<S> sources;
  i64 first;         // stored: the workload's first job
  i64 position;      // jobs taken
  i64 end;           // stored: jobs of the workload
  i32 chains;        // generated: chains begun
  u64 head;          // key of the next job, or kNoKey
  Calendar<S> next;  // generated: the sources by the key of their next job

  HD bool stored() const { return model->stored.submit != nullptr; }
  // Submit of the next job; after the last one a tick later than every horizon.
  HD Tick next_submit() const { return key_tick(head); }

  HD void bind(const Model& m, const SourceBlocks& memory) {
    model = &m;
    sources.b = memory;
    sources.d.g = &m.generator;
    next.keys = memory.next;
  }

  HD_CALL void open(const Model& m, const SourceBlocks& memory, const Cell& cell) {
    bind(m, memory);
    position = 0;
    chains = 0;
    if (stored()) {
      first = m.stored.offset[cell.replication];
      end = m.stored.offset[cell.replication + 1] - first;
      head = stored_head(0);
      return;
    }
    const Generator& g = m.generator;
    const u32 r = static_cast<u32>(cell.replication);
    sources.d = Demand{&g,
                       r,
                       g.rows + static_cast<i64>(cell.draw) * g.sources,
                       demand_scale(g, r),
                       cell.demand_ppm,
                       g.week_phase,
                       m.windows.horizon};
    next.slots = source_slots(g.sources);
    next.clear();
    ROLLED
    for (i32 k = 0; k < g.sources; ++k) next.set(k, sources.open(k));
    head = next.top();
  }

  HD_JOB Job take() {  // requires head != kNoKey
    Job job;
    if (stored())
      take_stored(&job);
    else
      take_generated(&job);
    ++position;
    return job;
  }

  // Generated jobs that come next, all of one source.
  struct Piece {
    const u64* key;
    const Asked* asked;
    i32 jobs;
  };
  HD Piece piece() const {  // requires head != kNoKey
    const SourceBlocks& b = sources.b;
    const i32 k = key_slot(head), at = b.position[k], from = k * kBlock + at;
    return Piece{b.key + from, b.asked + from, several() ? 1 : b.size[k] - at};
  }
  // The first n > 0 of the piece have been read, and are in no chain.
  HD_JOB void pass(i32 n) {
    const i32 k = key_slot(head);
    position += n;
    advance(k, sources.b.position[k] + n - 1);
  }

 private:
  HD bool several() const { return sources.d.g->sources > 1; }
  // Job `at` of the block of source k is taken.
  HD_JOB void advance(i32 k, i32 at) {
    head = sources.after(k, at);
    if (!several()) return;
    next.set(k, head);
    head = next.top();
    if (!S::wide && head != kNoKey) expect_job(key_slot(head));
  }
  // What the next job of source k asks for will be read soon, and the key behind it.
  HD void expect_job(i32 k) const {
    const SourceBlocks& b = sources.b;
    const i32 at = k * kBlock + b.position[k];
    expect(b.asked + at);
    expect(b.key + at + 1);
  }
  HD_JOB void take_generated(Job* job) {
    const SourceBlocks& b = sources.b;
    const i32 k = key_slot(head), at = b.position[k];
    const Tick submit = key_tick(head);
    const Asked& asked = b.asked[k * kBlock + at];
    *job = Job{submit,   submit,     asked.service,   asked.limit, 0,
               position, asked.gpus, asked.job_class, -1,          0};
    if (b.marks[k]) mark(k, at, job);
    advance(k, at);
  }

  HD u64 stored_head(i64 at) const {
    return at < end && model->stored.submit[first + at] < model->windows.horizon
               ? make_key(model->stored.submit[first + at], 0)
               : kNoKey;
  }

  HD_CALL void take_stored(Job* job) {
    const StoredJobs& s = model->stored;
    const i64 j = first + position;
    *job = Job{s.submit[j],
               s.submit[j],
               s.service[j],
               s.limit[j],
               0,
               position,
               s.gpus[j],
               static_cast<i32>(s.job_class[j]),
               -1,
               0};
    if (s.chain) {
      job->delay = s.delay[j];
      job->chain = s.chain[j];
      job->part = s.part[j];
    }
    if (s.user) job->part |= part_of_user(s.user[j]);
    head = stored_head(position + 1);
  }

  HD_CALL void mark(i32 k, i32 at, Job* job) {
    const SourceBlocks& b = sources.b;
    if (b.marks[k] & kInChains) mark_segment(k, at, job);
    if (!(b.marks[k] & kDecided)) return;
    job->part |= part_of_user(b.user[k * kBlock + at]);
    if (job->part & kFollows) return;
    job->delay = b.delay[k * kBlock + at];
    if (job->delay > 0) job->part |= kLater;
  }

  // The block holds jobs [part - size, part) of its chain, or its last ones if part is 0.
  HD void mark_segment(i32 k, i32 at, Job* job) {
    const SourceBlocks& b = sources.b;
    const i32 whole = b.whole[k], part = b.part[k];
    const i32 nth = (part == 0 ? whole : part) - b.size[k] + at;
    if (whole == 1) return;
    if (nth == 0) {
      const i32 number = chains++;
      S::once([&] { b.chain[k] = number; });
    } else {
      job->delay = sources.d.g->delay[sources.d.rows[k]];
    }
    job->chain = b.chain[k];
    job->part = (nth > 0 ? kFollows : 0) | (nth + 1 < whole ? kLeads : 0);
  }
};

}  // namespace gpusim

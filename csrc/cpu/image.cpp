#include "image.h"

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "../core/sampler.h"

namespace gpusim {
namespace {

// f(array, elements) for every array of a model; those that are absent are null.
template <class F>
void each_array(Model* m, i64 workloads, F f) {
  Classes& c = m->classes;
  const i64 classes = c.n, listed = c.pool_offset[c.n];
  f(&c.tier_rank, classes);
  f(&c.line, classes);
  f(&c.tenant, classes);
  f(&c.patience, classes);
  f(&c.killed_ok, classes);
  f(&c.pool_offset, classes + 1);
  f(&c.pool_list, listed);
  f(&m->policy.tenant_max_waiting, static_cast<i64>(c.tenants));

  Sharing& a = m->sharing;
  const i64 nodes = a.nodes, tenants = c.tenants, amounts = kAmounts * nodes * c.pools;
  f(&a.parent, nodes);
  f(&a.root, nodes);
  f(&a.bottom_up, nodes);
  f(&a.amount, amounts);
  f(&a.is_share, amounts);
  f(&a.strict, tenants);
  f(&a.within, tenants);
  f(&a.reclaim, tenants);
  f(&a.borrows, tenants);
  f(&a.threshold, tenants);
  f(&a.most_gpus, tenants);
  f(&a.most_jobs, tenants);
  f(&a.user_offset, tenants + 1);
  f(&a.user_most_gpus, tenants);
  f(&a.user_most_jobs, tenants);
  f(&a.priority, classes);
  f(&a.rising, classes);
  f(&a.preemptible, classes);
  f(&a.urgent, classes);
  f(&a.requeue, classes);
  f(&a.exempt, classes);
  f(&a.grace, classes);
  f(&a.checkpoint, classes);
  f(&a.checkpoint_cost, classes);
  f(&a.restart, classes);

  Fairness& w = m->fairness;
  f(&w.weight, static_cast<i64>(w.nodes));
  f(&w.parent, static_cast<i64>(w.nodes));
  f(&w.qos, classes);
  ClosureSteps& closures = m->closures;
  f(&closures.offset, c.pools + 1);
  f(&closures.tick, closures.n);
  f(&closures.gpus, closures.n);
  f(&closures.start, closures.n);

  Slos& l = m->slos;
  const i64 levels = l.n, pairs = l.class_offset[c.n];
  f(&l.metric, levels);
  f(&l.share_ppm, levels);
  f(&l.bound, levels);
  f(&l.gpus_low, levels);
  f(&l.gpus_high, levels);
  f(&l.hours_from, levels);
  f(&l.hours_to, levels);
  f(&l.days, levels);
  f(&l.class_offset, classes + 1);
  f(&l.class_slo, pairs);
  f(&l.class_limit, pairs);

  StoredJobs& s = m->stored;
  if (s.submit) {
    f(&s.submit, s.n);
    f(&s.service, s.n);
    f(&s.limit, s.n);
    f(&s.gpus, s.n);
    f(&s.job_class, s.n);
    f(&s.chain, s.n);
    f(&s.part, s.n);
    f(&s.user, s.n);
    f(&s.delay, s.n);
    f(&s.offset, workloads + 1);
    return;
  }
  Generator& g = m->generator;
  const i64 rows = g.tables, events = g.event_offset[rows], batches = g.batch_offset[rows],
            atoms = g.atom_offset[rows], choices = g.choice_offset[rows],
            bins = g.profile_offset[g.profiles];
  f(&g.key, rows);
  f(&g.rows, static_cast<i64>(g.draws) * g.sources);
  f(&g.job_class, rows);
  f(&g.active, rows);
  f(&g.gap_nodes, rows * 2 * kTableNodes);
  f(&g.gap_shift, rows);
  f(&g.from, rows);
  f(&g.until, rows);
  f(&g.profile, rows);
  f(&g.profile_start, rows);
  f(&g.event_offset, rows + 1);
  f(&g.events, 3 * events);
  f(&g.batch_offset, rows + 1);
  f(&g.batch_sizes, batches);
  f(&g.batch_threshold, batches);
  f(&g.batch_alias, batches);
  f(&g.spread, rows);
  f(&g.common, rows);
  f(&g.service_nodes, rows * 2 * kTableNodes);
  f(&g.service_shift, rows);
  f(&g.service_cap, rows);
  f(&g.service_cap_from, rows);
  f(&g.atom_offset, rows + 1);
  f(&g.atom_gpus, atoms);
  f(&g.atom_threshold, atoms);
  f(&g.atom_alias, atoms);
  f(&g.limit_mode, rows);
  f(&g.limit_a, rows);
  f(&g.limit_b, rows);
  f(&g.choice_offset, rows + 1);
  f(&g.choices, choices);
  f(&g.choice_threshold, choices);
  f(&g.choice_alias, choices);
  f(&g.segment, rows);
  f(&g.delay, rows);
  f(&g.claw_threshold, rows);
  f(&g.claw_after, rows);
  f(&g.call_period, rows);
  f(&g.call_phase, rows);
  f(&g.hold, rows);
  f(&g.users, rows);
  f(&g.hold_nodes, static_cast<i64>(g.holds) * 2 * kTableNodes);
  f(&g.hold_shift, static_cast<i64>(g.holds));
  f(&g.hold_cap, static_cast<i64>(g.holds));
  f(&g.hold_cap_from, static_cast<i64>(g.holds));
  f(&g.profile_offset, static_cast<i64>(g.profiles) + 1);
  f(&g.profile_cum, bins);
  f(&g.demand_nodes, static_cast<i64>(2 * kTableNodes));
}

i64 aligned(i64 bytes) { return (bytes + 63) & ~static_cast<i64>(63); }

}  // namespace

i64 image_bytes(const Model& model, i64 workloads) {
  i64 bytes = 64;  // never empty
  Model copy = model;
  each_array(&copy, workloads, [&](auto** array, i64 n) {
    if (*array) bytes += aligned(n * static_cast<i64>(sizeof(**array)));
  });
  return bytes;
}

Model place_image(const Model& model, i64 workloads, char* image, u64 base) {
  i64 used = 0;
  Model placed = model;
  each_array(&placed, workloads, [&](auto** array, i64 n) {
    if (!*array) return;
    const i64 bytes = n * static_cast<i64>(sizeof(**array));
    if (image) std::memcpy(image + used, *array, static_cast<std::size_t>(bytes));
    *array =
        reinterpret_cast<std::remove_reference_t<decltype(*array)>>(base + static_cast<u64>(used));
    used += aligned(bytes);
  });
  return placed;
}

}  // namespace gpusim

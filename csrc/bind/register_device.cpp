// gpusim._native.device_* and .emulate: what a launch on a device needs, and a launch on this host (ARCHITECTURE.md 4b).
// No device is known here, only layouts. No logic: check, call, wrap.
#include "register_device.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../cpu/emulate.h"
#include "../cpu/image.h"
#include "arrays.h"
#include "read_ensemble.h"
#include "read_model.h"
#include "register_jobs.h"

namespace gpusim::bind {
namespace {

using std::int64_t;
using std::uint64_t;
using std::uint8_t;

const char* const kFamilies[] = {"", "in_order", "easy", "any", "shared"};  // by Family

Family family_named(const std::string& name) {
  for (i32 f = kInOrderFamily; f <= kSharedFamily; ++f)
    if (name == kFamilies[f]) return static_cast<Family>(f);
  throw py::value_error("no family of runs is called '" + name + "'");
}

i64 workloads_of(const py::dict& spec, const Model& m) {
  return m.stored.submit ? workloads(spec) : 0;
}

i64 scratch_bytes(const Model& m, const Sizes& sizes, i64 near_bytes) {
  if (near_bytes < 0 || near_bytes % 64)
    throw py::value_error("near_bytes must be a multiple of 64");
  Scratch<WarpStrips<EmulatedLanes>> scratch;
  return carve_scratch(m, sizes, nullptr, &scratch, Near{nullptr, near_bytes});
}

i64 slot_bytes() { return (static_cast<i64>(sizeof(EmulatedSlot)) + 63) & ~static_cast<i64>(63); }

py::list outputs_of(const Model& m, i64 n, bool histogram, bool causes, int64_t records) {
  py::list all;
  const auto add = [&](const char* name, const char* dtype, std::initializer_list<i64> shape,
                       int fill = 0) {
    py::list sides;
    for (const i64 side : shape) sides.append(side);
    all.append(py::make_tuple(name, dtype, py::tuple(sides), fill));
  };
  const i64 c = m.classes.n;
  add("status", "int32", {n}, kNotRun);
  add("counts", "int64", {n, c, kCounts});
  add("sums", "int64", {n, c, kSums});
  add("slo", "int64", {n, m.slos.n, kSloCounts});
  add("pool_gpu_ticks", "int64", {n, m.classes.pools});
  add("passed", "uint8", {n});
  add("first_violated", "int32", {n});
  add("integrals", "int64", {n, kIntegrals});
  add("extremes", "int64", {n, kExtremes});
  add("jobs", "int64", {n});
  if (histogram) add("histogram", "int64", {n, c, kBins});
  if (m.sharing.on) {
    add("evictions", "int64", {n, c, kEvictionSums});
    add("longest_cascade", "int64", {n});
  }
  if (causes) {
    add("causes", "int64", {n, c, kCauses});
    add("idle", "int64", {n, m.classes.pools, kIdles});
  }
  if (records < 0) return all;
  for (const char* name : {"submit", "eligible", "start", "end"}) add(name, "int64", {records}, -1);
  add("record_gpus", "int32", {records});
  add("job_class", "int32", {records});
  add("pool", "int32", {records}, -1);
  add("outcome", "uint8", {records});
  add("preemptions", "int32", {records});
  return all;
}

py::dict device_plan(const py::dict& spec, const py::dict& cells, int64_t seed, bool early,
                     bool histogram, bool causes, int64_t records, int running_slots,
                     int queue_slots, int profile_slots, int held_slots, int chain_slots,
                     int64_t near_bytes) {
  const Ensemble e =
      read_ensemble(spec, cells, seed, early,
                    Room{running_slots, queue_slots, profile_slots, held_slots, chain_slots});
  if (records >= 0 && e.n != 1) throw py::value_error("records are kept for one cell at a time");
  if (records >= 0 && records < count_jobs(e)) throw py::value_error("fewer records than jobs");
  std::vector<Cell> all;
  for (i64 i = 0; i < e.n; ++i) all.push_back(cell_of(e, i));
  py::dict plan;
  plan["family"] = kFamilies[family_of(e.model, all.data(), e.n)];
  plan["image_bytes"] = image_bytes(e.model, workloads_of(spec, e.model));
  plan["worker_bytes"] = scratch_bytes(e.model, e.sizes, near_bytes);
  plan["slot_bytes"] = slot_bytes();
  plan["outputs"] = outputs_of(e.model, e.n, histogram, causes, records);
  return plan;
}

py::array_t<uint8_t> device_image(const py::dict& spec, int64_t seed, uint64_t base) {
  const Model m = read_model(spec, seed);
  const i64 n = workloads_of(spec, m);
  auto image = make<uint8_t>({static_cast<py::ssize_t>(image_bytes(m, n))});
  place_image(m, n, reinterpret_cast<char*>(image.mutable_data()), base);
  return image;
}

py::bytes device_arguments(const py::dict& spec, int64_t seed, bool early, int running_slots,
                           int queue_slots, int profile_slots, int held_slots, int chain_slots,
                           int64_t near_bytes, int64_t n, int64_t workers, uint64_t image,
                           const py::dict& addresses) {
  Model m = read_model(spec, seed);
  m.early = early;  // as in the plan: an early run has more scratch
  KernelArguments a;
  std::memset(static_cast<void*>(&a), 0, sizeof a);
  a.model = place_image(m, workloads_of(spec, m), nullptr, image);
  a.sizes = sizes_of(m, Room{running_slots, queue_slots, profile_slots, held_slots, chain_slots});
  a.n = n;
  a.workers = workers;
  const auto at = [&](auto** field, const char* name, bool needed = true) {
    if (!addresses.contains(name)) {
      if (needed) throw py::value_error(std::string("the address of '") + name + "' is missing");
      return;
    }
    *field = reinterpret_cast<std::remove_reference_t<decltype(*field)>>(
        py::cast<uint64_t>(addresses[name]));
  };
  at(&a.replication, "replication");
  at(&a.draw, "draw");
  at(&a.demand_ppm, "demand_ppm");
  at(&a.gpus, "gpus");
  at(&a.order, "order");
  at(&a.scratch, "scratch");
  a.scratch_bytes = scratch_bytes(m, a.sizes, near_bytes);
  at(&a.slots, "slots");
  a.slot_bytes = slot_bytes();
  at(&a.kept, "near");
  a.near_bytes = near_bytes;
  at(&a.next, "next");
  at(&a.done, "done");
  at(&a.status, "status");
  at(&a.rows.counts, "counts");
  at(&a.rows.sums, "sums");
  at(&a.rows.slo, "slo");
  at(&a.rows.pool_gpu_ticks, "pool_gpu_ticks");
  at(&a.rows.integrals, "integrals");
  at(&a.rows.extremes, "extremes");
  at(&a.rows.jobs, "jobs");
  at(&a.rows.passed, "passed");
  at(&a.rows.first_violated, "first_violated");
  at(&a.rows.histogram, "histogram", false);
  at(&a.rows.evictions, "evictions", false);
  at(&a.rows.cascade, "longest_cascade", false);
  at(&a.rows.causes, "causes", false);
  at(&a.rows.idle, "idle", false);
  Records& r = a.rows.records;
  const bool kept = addresses.contains("submit");
  if (kept) {
    at(&r.submit, "submit");
    at(&r.eligible, "eligible");
    at(&r.start, "start");
    at(&r.end, "end");
    // "gpus" is a column of cells, too
    at(&r.gpus, "record_gpus");
    at(&r.job_class, "job_class");
    at(&r.pool, "pool");
    at(&r.outcome, "outcome");
    at(&r.preemptions, "preemptions");
  }
  return py::bytes(reinterpret_cast<const char*>(&a), sizeof a);
}

void emulate_launch(const std::string& family, int64_t blocks, int64_t shared_bytes,
                    const py::bytes& arguments) {
  const auto text = static_cast<std::string_view>(arguments);
  if (text.size() != sizeof(KernelArguments))
    throw py::value_error("these are no kernel arguments");
  KernelArguments a;
  std::memcpy(static_cast<void*>(&a), text.data(), sizeof a);
  if (shared_bytes < 4 * a.near_bytes)
    throw py::value_error("less shared memory than four workers need");
  const Family which = family_named(family);
  py::gil_scoped_release unlocked;
  emulate(which, blocks, a);
}

}  // namespace

void register_device(py::module_& m) {
  m.attr("ARGUMENT_BYTES") = sizeof(KernelArguments);
  static_assert(std::is_standard_layout<KernelArguments>::value, "as offsetof asks for");
  static_assert(sizeof KernelArguments::budget == 8, "the driver writes an int64");
  m.attr("BUDGET_OFFSET") = offsetof(KernelArguments, budget);
  m.def("device_plan", &device_plan, py::arg("spec"), py::arg("cells"), py::kw_only(),
        py::arg("seed"), py::arg("early") = false, py::arg("histogram") = false,
        py::arg("causes") = false, py::arg("records") = -1, py::arg("running_slots") = 1024,
        py::arg("queue_slots") = 1024, py::arg("profile_slots") = 2048, py::arg("held_slots") = 64,
        py::arg("chain_slots") = 64, py::arg("near_bytes") = 0,
        "Sizes and outputs of a batch on a device (see ARCHITECTURE.md 4b).");
  m.def("device_image", &device_image, py::arg("spec"), py::kw_only(), py::arg("seed"),
        py::arg("base"), "The arrays of a spec in one block that is to stand at address `base`.");
  m.def("device_arguments", &device_arguments, py::arg("spec"), py::kw_only(), py::arg("seed"),
        py::arg("early") = false, py::arg("running_slots") = 1024, py::arg("queue_slots") = 1024,
        py::arg("profile_slots") = 2048, py::arg("held_slots") = 64, py::arg("chain_slots") = 64,
        py::arg("near_bytes") = 0, py::arg("n"), py::arg("workers"), py::arg("image"),
        py::arg("addresses"), "The kernels' one argument, as bytes; its budget is 0.");
  m.def("emulate", &emulate_launch, py::arg("family"), py::arg("blocks"), py::arg("shared_bytes"),
        py::arg("arguments"), "A launch on this host; every address is one of host memory.");
}

}  // namespace gpusim::bind

#include "requests.h"

#include <cstddef>
#include <cstring>
#include <set>
#include <vector>

namespace gpusim {
namespace {

using std::size_t;

constexpr i32 kCommon = 1 << 14;  // sizes below it are marked, larger ones kept in a set

std::vector<i32> gang_sizes(const Model& model) {  // ascending
  const bool stored = model.stored.submit != nullptr;
  const Generator& g = model.generator;
  const i32* size = stored ? model.stored.gpus : g.atom_gpus;
  const i64 n = stored ? model.stored.n : g.tables > 0 ? g.atom_offset[g.tables] : 0;
  std::vector<u8> common(kCommon, 0);
  std::set<i32> large;
  for (i64 i = 0; i < n; ++i)
    if (size[i] < kCommon)
      common[static_cast<size_t>(greatest(size[i], 0))] = 1;
    else
      large.insert(size[i]);
  std::vector<i32> sizes;
  for (i32 first = 0; first < kCommon; first += 8) {
    u64 marks = 0;
    std::memcpy(&marks, common.data() + first, 8);
    for (i32 s = first; marks && s < first + 8; ++s)
      if (common[static_cast<size_t>(s)]) sizes.push_back(s);
  }
  sizes.insert(sizes.end(), large.begin(), large.end());
  return sizes;
}

// A limit beyond the horizon is as good as none. Those of generated jobs are not known before.
Tick longest_limit(const Model& model) {
  if (!model.stored.submit) return model.windows.horizon;
  Tick longest = 0;
  for (i64 j = 0; j < model.stored.n; ++j) longest = greatest(longest, model.stored.limit[j]);
  return least(longest, model.windows.horizon);
}

}  // namespace

void describe_requests(Model* model) {
  Requests& r = model->requests;
  for (i32& low : r.low) low = kHole;
  const std::vector<i32> sizes = gang_sizes(*model);
  const i64 all = static_cast<i64>(sizes.size()), groups = least<i64>(all, kGroups);
  for (i64 k = 0; k < groups; ++k) r.low[k] = sizes[static_cast<size_t>(k * all / groups)];
  const Tick longest = longest_limit(*model);
  for (r.shift = 0; longest >> r.shift > kLongest;) ++r.shift;
}

}  // namespace gpusim

// Quantile tables of the two laws that the counted runs use. Python fits its tables so that means are exact
// (workload/quantile_table.py); here a node is the quantile at the place where it stands, which is near
// enough for a run whose instructions are counted.
#pragma once
#include <cmath>
#include <vector>

#include "../tests/support.h"

namespace gpusim::bench {

// The value that a standard normal exceeds with probability q <= 1/2, by bisection.
inline double normal_above(double q) {
  double low = 0, high = 8;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > q ? low : high) = middle;
  }
  return low;
}

// Overwrites the table of source k with `quantile(below, above)`, whose arguments add up to 1.
template <class Quantile>
void set_table(std::vector<i64>* nodes, size_t k, Quantile quantile) {
  for (i32 node = 0; node < kTableNodes; ++node) {
    const double tail = (static_cast<double>(test::node_place(node)) + 0.5) / 4294967296.0;
    const size_t at = k * 2 * kTableNodes + static_cast<size_t>(node);
    (*nodes)[at] = std::llround(quantile(tail, 1 - tail));
    (*nodes)[at + kTableNodes] = std::llround(quantile(1 - tail, tail));
  }
}

// Exponential with this mean, in units of the table.
inline void set_exponential(std::vector<i64>* nodes, size_t k, double mean) {
  set_table(nodes, k, [mean](double below, double above) {
    return below < above ? -mean * std::log1p(-below) : -mean * std::log(above);
  });
}

// Lognormal with this mean, in units of the table, and this standard deviation of its logarithm.
inline void set_lognormal(std::vector<i64>* nodes, size_t k, double mean, double sigma) {
  const double median = mean / std::exp(sigma * sigma / 2);
  set_table(nodes, k, [=](double below, double above) {
    const double z = below < above ? -normal_above(below) : normal_above(above);
    return median * std::exp(sigma * z);
  });
}

}  // namespace gpusim::bench

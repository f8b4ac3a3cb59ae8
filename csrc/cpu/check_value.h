// One value of an array, and how a mistake in it is told.
#pragma once
#include <string>

#include "../core/types.h"

namespace gpusim {

constexpr i64 kTickBound = 1LL << 43;  // keys hold ticks below this

inline bool within(i64 value, i64 low, i64 high) { return value >= low && value <= high; }

inline std::string at(const char* what, const char* array, i64 i, i64 value) {
  return std::string(what) + " (" + std::to_string(value) + ", " + array + "[" + std::to_string(i) +
         "])";
}

}  // namespace gpusim

// Arrays that cross the boundary: right type, right shape, C-contiguous, or an error that names the
// array, what was found and what is expected. Nothing is converted silently.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/types.h"

namespace gpusim::bind {

namespace py = pybind11;

// NumPy's int64 is `long` here and the core's i64 is `long long`: same width, other name.
inline const i64* as_i64(const std::int64_t* p) { return reinterpret_cast<const i64*>(p); }
inline const u64* as_u64(const std::uint64_t* p) { return reinterpret_cast<const u64*>(p); }
inline i64* data(py::array_t<std::int64_t>& a) { return reinterpret_cast<i64*>(a.mutable_data()); }

inline std::string shape_text(const std::vector<py::ssize_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + (shape[i] < 0 ? std::string("any") : std::to_string(shape[i]));
  return text + ")";
}

// The data of spec[name]; `shape` holds -1 where any length will do. T is a NumPy scalar type of
// the core's width.
template <class T>
const T* array(const py::dict& spec, const char* name, const std::vector<py::ssize_t>& shape,
               py::ssize_t* length = nullptr) {
  if (!spec.contains(name)) throw py::value_error(std::string("array '") + name + "' is missing");
  const py::object value = spec[name];
  if (!py::isinstance<py::array>(value))
    throw py::type_error(std::string("'") + name + "' is not a numpy array (" +
                         py::cast<std::string>(py::str(py::type::of(value))) + ")");
  const py::array a = py::reinterpret_borrow<py::array>(value);
  const std::vector<py::ssize_t> found(a.shape(), a.shape() + a.ndim());
  if (!a.dtype().is(py::dtype::of<T>()) && !a.dtype().equal(py::dtype::of<T>()))
    throw py::type_error(std::string("'") + name + "' has dtype " +
                         py::cast<std::string>(py::str(a.dtype())) + ", expected " +
                         py::cast<std::string>(py::str(py::dtype::of<T>())));
  bool fits = found.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || shape[i] == found[i];
  if (!fits)
    throw py::value_error(std::string("'") + name + "' has shape " + shape_text(found) +
                          ", expected " + shape_text(shape));
  if (!(a.flags() & py::array::c_style))
    throw py::value_error(std::string("'") + name + "' is not C-contiguous");
  if (length) *length = found.empty() ? 0 : found[0];
  return static_cast<const T*>(a.data());
}

template <class T>
T scalar(const py::dict& spec, const char* name) {
  if (!spec.contains(name)) throw py::value_error(std::string("'") + name + "' is missing");
  return py::cast<T>(spec[name]);
}

// A new array of zeros.
template <class T>
py::array_t<T> make(std::vector<py::ssize_t> shape) {
  py::array_t<T> a(std::move(shape));
  std::fill_n(a.mutable_data(), a.size(), T(0));
  return a;
}

}  // namespace gpusim::bind

// gpusim._cuda: one GPU behind pybind11. Checks what Python hands over, releases the lock, calls, and
// wraps; what a batch is and why a device is refused are told in Python (gpusim.engine.cuda).
#include <pybind11/gil_safe_call_once.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "cuda_error.h"
#include "device.h"

namespace py = pybind11;
using namespace gpusim::cuda;

namespace {

constexpr int kArchitectures[] = {GPUSIM_CUDA_ARCHITECTURES};  // the last one as PTX too

py::tuple architectures() {
  py::list found;
  for (const int one : kArchitectures) found.append(one);
  return py::tuple(found);
}

py::tuple families() {
  py::list found;
  for (int i = 0; i < kKernelCount; ++i) found.append(kKernels[i].family);
  return py::tuple(found);
}

const Kernel& kernel_of(const std::string& family) {
  for (int i = 0; i < kKernelCount; ++i)
    if (family == kKernels[i].family) return kKernels[i];
  throw py::value_error("family '" + family + "' has no kernel; there are " +
                        py::cast<std::string>(py::repr(families())));
}

std::size_t contiguous_bytes(const py::array& array) {
  if (!(array.flags() & py::array::c_style)) throw py::value_error("array is not C-contiguous");
  return static_cast<std::size_t>(array.nbytes());
}

py::dict status() {
  DriverStatus found;
  {
    py::gil_scoped_release unlocked;  // the first call starts the driver
    found = driver_status();
  }
  py::dict told;
  told["built_for"] = found.built_for;
  told["driver"] = found.driver;
  told["devices"] = found.devices;
  told["error"] = found.error;
  told["text"] = found.text;
  return told;
}

void launch(Device& device, const std::string& family, unsigned blocks, std::size_t shared_bytes,
            const py::bytes& arguments) {
  const Kernel& kernel = kernel_of(family);
  const std::string_view given = arguments;
  if (given.size() != kArgumentBytes)
    throw py::value_error("arguments have " + std::to_string(given.size()) +
                          " bytes, the kernel takes " + std::to_string(kArgumentBytes));
  // A bytes object promises no alignment; operator new does, and kernels.cu checks that it is enough.
  const std::unique_ptr<char[]> aligned(new char[kArgumentBytes]);
  std::memcpy(aligned.get(), given.data(), kArgumentBytes);
  py::gil_scoped_release unlocked;
  device.launch(kernel, blocks, shared_bytes, aligned.get());
}

}  // namespace

PYBIND11_MODULE(_cuda, m) {
  m.doc() = "A CUDA device for gpusim. Use gpusim.engine.cuda; this module checks and calls.";
  m.attr("ARCHITECTURES") = architectures();
  m.attr("FAMILIES") = families();
  m.attr("RUNTIME_VERSION") = CUDART_VERSION;
  m.attr("ARGUMENT_BYTES") = kArgumentBytes;
  m.attr("BLOCK_THREADS") = kThreads;
  m.def("status", &status, "What the driver says: versions, visible devices, error. Never raises.");

  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> error;
  error.call_once_and_store_result(
      [&m] { return py::object(py::exception<CudaError>(m, "CudaError", PyExc_RuntimeError)); });
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const CudaError& e) {
      const py::object raised = error.get_stored()(e.what());
      raised.attr("name") = e.name;
      raised.attr("text") = e.text;
      raised.attr("call") = e.call;
      PyErr_SetObject(error.get_stored().ptr(), raised.ptr());
    }
  });

  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  py::class_<Device>(m, "Device", "One GPU. Its memory is known by addresses (int).")
      .def(py::init<int>(), py::arg("index"), unlocked)
      .def_readonly("index", &Device::index)
      .def_readonly("name", &Device::name)
      .def_readonly("processors", &Device::processors)
      .def_property_readonly("capability",
                             [](const Device& d) { return py::make_tuple(d.major, d.minor); })
      .def_readonly("shared_bytes", &Device::shared_bytes)
      .def_readonly("shared_per_block", &Device::shared_per_block)
      .def("free_bytes", &Device::free_bytes, unlocked)
      .def("allocate", &Device::allocate, py::arg("n"), unlocked)
      .def("release", &Device::release, py::arg("address"), unlocked)
      .def(
          "upload",
          [](Device& d, Address address, const py::array& array) {
            const std::size_t bytes = contiguous_bytes(array);
            const void* from = array.data();
            py::gil_scoped_release released;
            if (bytes) d.upload(address, from, bytes);
          },
          py::arg("address"), py::arg("array"))
      .def(
          "download",
          [](Device& d, Address address, py::array& array) {
            const std::size_t bytes = contiguous_bytes(array);
            void* to = array.mutable_data();  // raises if the array is read-only
            py::gil_scoped_release released;
            if (bytes) d.download(address, to, bytes);
          },
          py::arg("address"), py::arg("array"))
      .def("zero", &Device::zero, py::arg("address"), py::arg("n"), unlocked)
      .def(
          "workers_per_processor",
          [](Device& d, const std::string& family, std::size_t shared_bytes_per_block) {
            const Kernel& kernel = kernel_of(family);
            py::gil_scoped_release released;
            return d.workers_per_processor(kernel, shared_bytes_per_block);
          },
          py::arg("family"), py::arg("shared_bytes_per_block"))
      .def("launch", &launch, py::arg("family"), py::arg("blocks"), py::arg("shared_bytes"),
           py::arg("arguments"))
      .def("ready", &Device::ready, unlocked)
      .def("wait", &Device::wait, unlocked);
}

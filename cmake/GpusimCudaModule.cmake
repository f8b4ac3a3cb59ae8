# The module gpusim._cuda: csrc/cuda/kernels.cu by nvcc, the rest of csrc/cuda by the host's compiler, and the static CUDA
# runtime. Nothing of CUDA is needed where it is imported: the runtime opens libcuda.so.1 itself at the first call.

# SASS for each architecture; the last also as PTX, which the drivers of later GPUs compile.
set(_targets "")
foreach(_arch IN LISTS GPUSIM_CUDA_USED)
  list(APPEND _targets -gencode "arch=compute_${_arch},code=sm_${_arch}")
endforeach()
list(APPEND _targets -gencode "arch=compute_${_arch},code=compute_${_arch}")
list(LENGTH GPUSIM_CUDA_USED _count)

set(_strict "")
if(GPUSIM_WERROR)
  set(_strict -Werror all-warnings)  # spills among them
endif()
set(_object "${CMAKE_CURRENT_BINARY_DIR}/kernels.o")
add_custom_command(
  OUTPUT "${_object}"
  COMMAND "${GPUSIM_NVCC}" -c ${_targets} ${GPUSIM_NVCC_FLAGS} ${_strict} --threads ${_count}
          -Xcompiler -fPIC,-fvisibility=hidden
          "${CMAKE_CURRENT_SOURCE_DIR}/csrc/cuda/kernels.cu" -o "${_object}"
  DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/csrc/cuda/kernels.cu" ${GPUSIM_KERNEL_HEADERS}
  COMMENT "nvcc: kernels of gpusim._cuda"
  VERBATIM)

file(GLOB GPUSIM_CUDA_SOURCES CONFIGURE_DEPENDS csrc/cuda/*.cpp)
pybind11_add_module(_cuda MODULE NO_EXTRAS ${GPUSIM_CUDA_SOURCES} "${_object}")
list(JOIN GPUSIM_CUDA_USED "," _numbers)
target_compile_definitions(_cuda PRIVATE "GPUSIM_CUDA_ARCHITECTURES=${_numbers}")
target_include_directories(_cuda SYSTEM PRIVATE "${GPUSIM_CUDA_INCLUDE}")
target_compile_options(_cuda PRIVATE ${GPUSIM_WARNINGS})
target_link_libraries(_cuda PRIVATE "${GPUSIM_CUDART}" ${CMAKE_DL_LIBS} rt Threads::Threads)
# No symbol of the CUDA runtime leaves the module: another library's copy in the process must not meet it.
target_link_options(_cuda PRIVATE LINKER:--exclude-libs,ALL)
install(TARGETS _cuda DESTINATION gpusim)

# Finds nvcc and says what follows from GPUSIM_CUDA, in one status line.
#
# This release has no CUDA engine in the wheel. What nvcc does here is compile the kernel entry csrc/cuda/kernel.cuh
# for every architecture (target gpusim_nvcc_check), so that the core headers stay code that all three compilers take.
#   AUTO  nvcc is reported if found; the target exists but only runs when asked for
#   ON    nvcc must be found, and the target is part of the build
#   OFF   nothing is looked for
#
# Sets GPUSIM_NVCC (path or empty) and GPUSIM_CUDA_STATUS (a sentence for build_info.h).
#
# There is no enable_language(CUDA) and no find_package(CUDAToolkit): nothing is linked, and both fail with the nvcc of
# the PyPI packages (its profile looks for lib64 where the wheel has lib; the wheel has no unversioned libcudart.so).

set(GPUSIM_NVCC "")

if(NOT GPUSIM_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "GPUSIM_CUDA must be AUTO, ON or OFF, not '${GPUSIM_CUDA}'")
endif()

if(GPUSIM_CUDA STREQUAL "OFF")
  set(GPUSIM_CUDA_STATUS "nvcc not looked for (GPUSIM_CUDA=OFF)")
else()
  # In order: $CUDACXX, the PyPI packages in the build's own Python environment, PATH, the usual folder.
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
              "import sys; print(';'.join(p + '/nvidia/cu13/bin' for p in sys.path if p))"
      OUTPUT_VARIABLE _python_folders OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  unset(_nvcc CACHE)
  if(DEFINED ENV{CUDACXX})
    find_program(_nvcc NAMES "$ENV{CUDACXX}" NO_CACHE)
    if(NOT _nvcc)
      message(FATAL_ERROR "CUDACXX is '$ENV{CUDACXX}', which is no program; unset it or point it at nvcc")
    endif()
  else()
    find_program(_nvcc NAMES nvcc PATHS ${_python_folders} NO_DEFAULT_PATH NO_CACHE)
    if(NOT _nvcc)
      find_program(_nvcc NAMES nvcc PATHS /usr/local/cuda/bin NO_CACHE)
    endif()
  endif()
  if(_nvcc)
    execute_process(COMMAND "${_nvcc}" --version OUTPUT_VARIABLE _text RESULT_VARIABLE _code ERROR_QUIET)
    if(_code EQUAL 0 AND _text MATCHES "V([0-9]+\\.[0-9]+\\.[0-9]+)")
      set(GPUSIM_NVCC "${_nvcc}")
      set(GPUSIM_CUDA_STATUS "nvcc ${CMAKE_MATCH_1} found; no CUDA engine in this release")
    endif()
  endif()
  if(NOT GPUSIM_NVCC)
    if(GPUSIM_CUDA STREQUAL "ON")
      message(FATAL_ERROR
        "GPUSIM_CUDA is ON but no nvcc was found. Put nvcc on PATH, or set CUDACXX=/path/to/nvcc, or set "
        "GPUSIM_CUDA_FROM_PYPI=1 when installing with pip, or build without it: GPUSIM_CUDA=OFF")
    endif()
    set(GPUSIM_CUDA_STATUS "no nvcc found; no CUDA engine in this release")
  endif()
endif()
message(STATUS "gpusim ${GPUSIM_VERSION}: CUDA ${GPUSIM_CUDA}: ${GPUSIM_CUDA_STATUS}")

if(GPUSIM_NVCC)
  file(GLOB _headers CONFIGURE_DEPENDS csrc/core/*.h csrc/cuda/*.cuh)
  # A header compiled by itself would warn about its own #pragma once.
  set(_entry "${CMAKE_CURRENT_BINARY_DIR}/generated/entry.cu")
  file(CONFIGURE OUTPUT "${_entry}" CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/csrc/cuda/kernel.cuh\"\n")
  set(_cubins "")
  foreach(_arch IN LISTS GPUSIM_CUDA_ARCHITECTURES)
    set(_cubin "${CMAKE_CURRENT_BINARY_DIR}/kernel.sm_${_arch}.cubin")
    # A register spill is an error: it means the loop no longer fits the machine.
    add_custom_command(
      OUTPUT "${_cubin}"
      COMMAND "${GPUSIM_NVCC}" -cubin "-arch=sm_${_arch}" -std=c++17 --fmad=false -Xptxas -warn-spills,-Werror
              -ccbin "${CMAKE_CXX_COMPILER}" "${_entry}" -o "${_cubin}"
      DEPENDS "${_entry}" ${_headers}
      COMMENT "nvcc: kernel entry for sm_${_arch}"
      VERBATIM)
    list(APPEND _cubins "${_cubin}")
  endforeach()
  if(GPUSIM_CUDA STREQUAL "ON")
    add_custom_target(gpusim_nvcc_check ALL DEPENDS ${_cubins})
  else()
    add_custom_target(gpusim_nvcc_check DEPENDS ${_cubins})
  endif()
endif()

# Decides whether this build has a CUDA engine (the module gpusim._cuda), and says so in one status line.
#
#   GPUSIM_CUDA   AUTO  with the engine if nvcc is found and works
#                 ON    nvcc must be found and work for every architecture, or configuring stops
#                 OFF   nothing is looked for
#
# Sets GPUSIM_NVCC (path or empty), GPUSIM_CUDA_USED (architectures that this nvcc knows), GPUSIM_CUDA_INCLUDE and
# GPUSIM_CUDART (what the module is built with; empty: it is not built), and GPUSIM_CUDA_STATUS (the sentence of
# `gpusim info`). Makes the target gpusim_nvcc_check: the kernels for one architecture each, where a spill is an error.
#
# There is no enable_language(CUDA) and no find_package(CUDAToolkit), because both fail with the nvcc of the PyPI packages:
# its profile looks for lib64 where the wheel has lib, and the wheel has no unversioned libcudart.so. nvcc is asked where
# its toolkit is, and called by its own command line.

set(GPUSIM_NVCC "")
set(GPUSIM_CUDA_USED "")
set(GPUSIM_CUDA_INCLUDE "")
set(GPUSIM_CUDART "")

if(NOT GPUSIM_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "GPUSIM_CUDA must be AUTO, ON or OFF, not '${GPUSIM_CUDA}'")
endif()
foreach(_arch IN LISTS GPUSIM_CUDA_ARCHITECTURES)
  if(NOT _arch MATCHES "^[0-9]+$")
    message(FATAL_ERROR "GPUSIM_CUDA_ARCHITECTURES has '${_arch}'; write numbers such as 80;90")
  endif()
endforeach()
if(NOT GPUSIM_CUDA_ARCHITECTURES)
  message(FATAL_ERROR "GPUSIM_CUDA_ARCHITECTURES is empty; write numbers such as 80;90, or set GPUSIM_CUDA=OFF")
endif()
list(SORT GPUSIM_CUDA_ARCHITECTURES COMPARE NATURAL)

# No engine, for this reason; which is an error where the engine was asked for.
macro(gpusim_without_cuda reason remedy)
  if(GPUSIM_CUDA STREQUAL "ON")
    message(FATAL_ERROR "GPUSIM_CUDA is ON but ${reason}. ${remedy}, or build without it: GPUSIM_CUDA=OFF")
  endif()
  set(GPUSIM_CUDA_STATUS "no CUDA engine in this build: ${reason}")
endmacro()

# Finds nvcc. In order: $CUDACXX, the PyPI packages in the build's own Python environment, PATH, the usual folder.
macro(gpusim_find_nvcc)
  set(_python_folders "")
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
              "import sys; print(';'.join(p + '/nvidia/cu13/bin' for p in sys.path if p))"
      OUTPUT_VARIABLE _python_folders OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  unset(_nvcc)
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
  set(_nvcc_version "")
  if(_nvcc)
    execute_process(COMMAND "${_nvcc}" --version OUTPUT_VARIABLE _text RESULT_VARIABLE _code ERROR_QUIET)
    if(_code EQUAL 0 AND _text MATCHES "V([0-9]+\\.[0-9]+\\.[0-9]+)")
      set(_nvcc_version "${CMAKE_MATCH_1}")
    endif()
  endif()
endmacro()

# What of GPUSIM_CUDA_ARCHITECTURES this nvcc can compile for.
macro(gpusim_find_architectures)
  execute_process(COMMAND "${_nvcc}" --list-gpu-code OUTPUT_VARIABLE _text ERROR_QUIET)
  string(REGEX MATCHALL "sm_[0-9]+" _known "${_text}")
  set(_unknown "")
  foreach(_arch IN LISTS GPUSIM_CUDA_ARCHITECTURES)
    if("sm_${_arch}" IN_LIST _known)
      list(APPEND GPUSIM_CUDA_USED "${_arch}")
    else()
      list(APPEND _unknown "${_arch}")
    endif()
  endforeach()
  list(JOIN _unknown ", " _unknown)
  list(JOIN GPUSIM_CUDA_USED ", " _used)
endmacro()

# The static runtime and its header, from the toolkit that nvcc belongs to, and a trial: a kernel of the kind that the
# engine has, compiled and put beside the runtime. What a broken installation says is kept in _trial_text.
macro(gpusim_find_runtime)
  set(_trial "${CMAKE_CURRENT_BINARY_DIR}/generated/trial.cu")
  file(CONFIGURE OUTPUT "${_trial}" CONTENT
    "struct A { int* p; };\nextern \"C\" __global__ void trial(const __grid_constant__ A a) { *a.p = 1; }\n")
  execute_process(COMMAND "${_nvcc}" --dryrun -c "${_trial}" -o "${_trial}.o" ERROR_VARIABLE _text OUTPUT_QUIET)
  set(_top "")
  if(_text MATCHES "TOP=([^\r\n]+)")
    get_filename_component(_top "${CMAKE_MATCH_1}" REALPATH)
  endif()
  set(_target "${_top}/targets/${CMAKE_SYSTEM_PROCESSOR}-linux")
  unset(GPUSIM_CUDA_INCLUDE)  # nothing is looked for while they are set, be it to nothing
  unset(GPUSIM_CUDART)
  find_path(GPUSIM_CUDA_INCLUDE cuda_runtime_api.h NO_CACHE HINTS "${_top}/include" "${_target}/include")
  find_library(GPUSIM_CUDART NAMES libcudart_static.a NO_CACHE
               HINTS "${_top}/lib64" "${_top}/lib" "${_target}/lib")
  list(GET GPUSIM_CUDA_USED -1 _arch)
  execute_process(
    COMMAND "${_nvcc}" -c -std=c++17 "-arch=sm_${_arch}" -ccbin "${CMAKE_CXX_COMPILER}" "${_trial}" -o "${_trial}.o"
    RESULT_VARIABLE _trial_code ERROR_VARIABLE _trial_text OUTPUT_VARIABLE _text)
  string(APPEND _trial_text "${_text}")
endmacro()

if(GPUSIM_CUDA STREQUAL "OFF")
  set(GPUSIM_CUDA_STATUS "no CUDA engine in this build: switched off (GPUSIM_CUDA=OFF)")
else()
  gpusim_find_nvcc()
  if(NOT _nvcc_version)
    gpusim_without_cuda("no nvcc was found"
      "Put nvcc on PATH, or set CUDACXX=/path/to/nvcc, or set GPUSIM_CUDA_FROM_PYPI=1 when installing with pip")
  else()
    gpusim_find_architectures()
    set(_name "nvcc ${_nvcc_version}")
    if(NOT GPUSIM_CUDA_USED OR (_unknown AND GPUSIM_CUDA STREQUAL "ON"))
      gpusim_without_cuda("${_name} does not know sm_${_unknown}" "Take a newer one, or set GPUSIM_CUDA_ARCHITECTURES")
      set(GPUSIM_CUDA_USED "")
    else()
      gpusim_find_runtime()
      if(NOT _trial_code EQUAL 0)
        message(STATUS "${_nvcc}: ${_trial_text}")
        gpusim_without_cuda("${_name} cannot compile a kernel here (the log of the build has its words)" "Mend it or take another")
      elseif(GPUSIM_PYTHON AND NOT (GPUSIM_CUDA_INCLUDE AND GPUSIM_CUDART))
        gpusim_without_cuda("${_name} has no cuda_runtime_api.h or no libcudart_static.a beside it in '${_top}'"
                            "Install the CUDA runtime's development files")
      else()
        set(GPUSIM_NVCC "${_nvcc}")
        set(GPUSIM_CUDA_STATUS "CUDA engine built with ${_name} for sm_${_used}")
        if(NOT GPUSIM_PYTHON)
          set(GPUSIM_CUDA_STATUS "no CUDA engine in this build: no Python extension (${_name} found, sm_${_used})")
        elseif(_unknown)
          string(APPEND GPUSIM_CUDA_STATUS " (this nvcc does not know ${_unknown})")
        endif()
      endif()
    endif()
  endif()
endif()
message(STATUS "gpusim ${GPUSIM_VERSION}: CUDA ${GPUSIM_CUDA}: ${GPUSIM_CUDA_STATUS}")

# Options of everything that nvcc compiles: no contraction, as on the host.
set(GPUSIM_NVCC_FLAGS -std=c++17 -O3 --fmad=false -ccbin "${CMAKE_CXX_COMPILER}" -Xptxas -warn-spills)

if(GPUSIM_NVCC)
  file(GLOB GPUSIM_KERNEL_HEADERS CONFIGURE_DEPENDS csrc/core/*.h csrc/cuda/*.h csrc/cuda/*.cuh)
  # A header compiled by itself would warn about its own #pragma once.
  set(_entry "${CMAKE_CURRENT_BINARY_DIR}/generated/entry.cu")
  file(CONFIGURE OUTPUT "${_entry}" CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/csrc/cuda/kernel.cuh\"\n")
  set(_cubins "")
  foreach(_arch IN LISTS GPUSIM_CUDA_USED)
    set(_cubin "${CMAKE_CURRENT_BINARY_DIR}/kernel.sm_${_arch}.cubin")
    # A register spill is an error: it means the loop no longer fits the machine.
    add_custom_command(
      OUTPUT "${_cubin}"
      COMMAND "${GPUSIM_NVCC}" -cubin "-arch=sm_${_arch}" ${GPUSIM_NVCC_FLAGS} -Xptxas -Werror
              "${_entry}" -o "${_cubin}"
      DEPENDS "${_entry}" ${GPUSIM_KERNEL_HEADERS}
      COMMENT "nvcc: kernels for sm_${_arch}"
      VERBATIM)
    list(APPEND _cubins "${_cubin}")
  endforeach()
  # Part of the build only where there is no module, which would compile the same text once more.
  if(GPUSIM_CUDA STREQUAL "ON" AND NOT GPUSIM_PYTHON)
    add_custom_target(gpusim_nvcc_check ALL DEPENDS ${_cubins})
  else()
    add_custom_target(gpusim_nvcc_check DEPENDS ${_cubins})
  endif()
endif()

// A libcuda.so.1 of any version that fails with any code, for tests of what gpusim says about it.
// The runtime asks cuGetProcAddress for everything else.
#include <cstdlib>
#include <cstring>

namespace {
int number(const char* name) { return std::atoi(std::getenv(name)); }
int refuse() { return number("PRETENDED_ERROR"); }
}  // namespace

extern "C" {

int cuInit(unsigned) { return refuse(); }

int cuDriverGetVersion(int* version) {
  *version = number("PRETENDED_VERSION");
  return 0;
}

int cuGetProcAddress_v2(const char* name, void** function, int, unsigned long long, int* found) {
  if (found) *found = 0;
  if (!std::strcmp(name, "cuDriverGetVersion"))
    *function = reinterpret_cast<void*>(cuDriverGetVersion);
  else if (!std::strcmp(name, "cuGetProcAddress"))
    *function = reinterpret_cast<void*>(cuGetProcAddress_v2);
  else
    *function = reinterpret_cast<void*>(refuse);
  return 0;
}

int cuGetProcAddress(const char* name, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}

}  // extern "C"

// gpusim_tests [--list | name ..]: runs the named tests, or all. Exit status 0: everything held.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

#include "check.h"

namespace {

bool wanted(const char* name, int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return true;
  return argc == 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gpusim::test;
  const bool list = argc == 2 && std::strcmp(argv[1], "--list") == 0;
  int run = 0, bad = 0;
  for (const Test& test : all_tests()) {
    if (list) {
      std::printf("%s\n", test.name);
      continue;
    }
    if (!wanted(test.name, argc, argv)) continue;
    failures() = 0;
    const auto begin = std::chrono::steady_clock::now();
    try {
      test.body();
    } catch (const std::exception& error) {
      note(false, std::string("exception: ") + error.what(), test.name, 0);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    ++run;
    bad += failures() > 0;
    std::printf("%s %s (%.2f s)\n", failures() ? "FAILED" : "ok    ", test.name, seconds.count());
    std::fflush(stdout);
  }
  if (list) return 0;
  std::printf("%d tests, %d failed\n", run, bad);
  return run == 0 || bad > 0;
}

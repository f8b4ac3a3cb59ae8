// TEST(name) { .. } registers a test. CHECK notes a failure and goes on; it returns whether the
// condition held.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

namespace gpusim::test {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

inline int& failures() {
  static int n = 0;
  return n;
}

struct Register {
  Register(const char* name, void (*body)()) { all_tests().push_back(Test{name, body}); }
};

inline bool note(bool held, const std::string& what, const char* file, int line) {
  constexpr int most = 20;  // lines printed
  if (!held && ++failures() <= most) std::printf("%s:%d: %s\n", file, line, what.c_str());
  return held;
}

template <class A, class B>
bool note_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  const bool equal = a == static_cast<A>(b);
  return note(equal, equal ? "" : text + (": " + std::to_string(a)) + " and " + std::to_string(b),
              file, line);
}

}  // namespace gpusim::test

#define TEST(name)                                                   \
  static void name();                                                \
  static const gpusim::test::Register register_##name(#name, &name); \
  static void name()
#define CHECK(condition) gpusim::test::note((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(a, b) gpusim::test::note_equal((a), (b), #a " == " #b, __FILE__, __LINE__)

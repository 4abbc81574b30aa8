#include "proto/result.h"

#include <cstdio>
#include <cstdlib>

namespace fieldpost {

void broken_rule(const char* rule, const char* file, int line) {
    std::fprintf(stderr, "fieldpost: broken rule at %s:%d: %s\n", file, line, rule);
    std::abort();
}

}  // namespace fieldpost

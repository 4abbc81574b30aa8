#include "tests/fuzz/fuzz.h"

namespace fieldpost::fuzz {

std::vector<Target>& targets() {
    static std::vector<Target> all;
    return all;
}

}  // namespace fieldpost::fuzz

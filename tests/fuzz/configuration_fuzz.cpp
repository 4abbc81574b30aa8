// The file fieldpost.toml: an admin's, and read again by a daemon that must go on.
#include "daemon/runtime/configuration.h"

#include <unistd.h>

#include <fstream>

#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(configuration) {
    static const auto file = std::filesystem::temp_directory_path() /
                             ("fieldpost-fuzz-" + std::to_string(::getpid()) + ".toml");
    std::ofstream(file, std::ios::binary) << as_text(bytes);
    const auto read = runtime::read_configuration(file, {});
    fuzz::must(read || !read.error().detail.empty(), "what is refused says why");
    std::filesystem::remove(file);
}

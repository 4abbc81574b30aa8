// Goal: inputs that once broke a decoder, or lead deep into one, are read in every build.
// Method: every file of tests/fuzz/corpus/<target>/ to its target; and every file with its end cut
// off or a byte changed. `cmake --preset fuzz` builds the programs that look for more.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz.h"

namespace fs = std::filesystem;
using namespace fieldpost;

namespace {

Bytes content_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return to_bytes(as_bytes(text));
}

}  // namespace

TEST_CASE("no file of the corpus breaks a decoder", "[fuzz]") {
    constexpr std::size_t damaged_places = 64;
    REQUIRE(fuzz::targets().size() >= 8);
    for (const auto& target : fuzz::targets()) {
        CAPTURE(target.name);
        std::size_t files = 0;
        const fs::path folder =
            std::string(FIELDPOST_SOURCE_DIR) + "/tests/fuzz/corpus/" + target.name;
        for (const auto& file : fs::directory_iterator(folder)) {
            const auto bytes = content_of(file.path());
            target.run(bytes);
            const auto step = bytes.size() / damaged_places + 1;
            for (std::size_t at = 0; at < bytes.size(); at += step) {
                target.run(BytesView(bytes).first(at));
                auto damaged = bytes;
                damaged[at] ^= std::byte{0x81};
                target.run(damaged);
            }
            ++files;
        }
        CHECK(files > 0);
    }
}

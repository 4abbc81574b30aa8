// fieldpost_bench [MEASURE...]: measures on real processes, and prints one table.
//
// The measures are cases of Catch2 because the offices of tests/end_to_end fail through it; nothing
// is asserted about a figure. A failure is that something did not work at all.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tests/bench/meters.h"
#include "tests/bench/table.h"
#include "tests/end_to_end/offices.h"
#include "tests/support/session.h"
#include "tests/support/temporary_folder.h"

int main(int argc, char* argv[]) {
    using namespace fieldpost;
    constexpr std::array<std::string_view, 14> measures = {
        "overhead",  "queue",    "relay", "meeting", "wire",   "online",       "start",
        "satellite", "flapping", "alone", "idle",    "bundle", "headquarters", "roster"};
    std::vector<std::string> chosen(argv + 1, argv + argc);
    if (chosen.empty()) {
        chosen.assign(measures.begin(), measures.end());
    }
    const tests::TemporaryFolder folder;
    const auto log = (folder.path() / "log").string();
    fmt::print("{}, preset {}\n\n", bench::machine(folder.path()), FIELDPOST_PRESET);
    for (const auto& measure : chosen) {
        if (std::ranges::find(measures, measure) == measures.end()) {
            fmt::print(stderr, "{} is not measured; what is: {}\n", measure,
                       fmt::join(measures, " "));
            return 2;
        }
    }
    const auto names = fmt::format("{}", fmt::join(chosen, ","));
    const std::array<const char*, 4> words = {argv[0], "-o", log.c_str(), names.c_str()};
    if (tests::run_session(words.size(), words.data()) != 0) {
        fmt::print(stderr, "{}", end_to_end::read_file(log));
        return 1;
    }
    bench::print_table();
    return 0;
}

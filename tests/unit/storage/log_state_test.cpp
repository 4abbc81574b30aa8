// Goal: what is known of the ends of runs is what the records there said, in whatever order they
// came.
// Method: records of one to three numbers of one chain come in a random order, some are taken back.
#include "storage/log_state.h"

#include <catch2/catch.hpp>
#include <random>

using namespace fieldpost;
using namespace fieldpost::storage;

namespace {

ShortHash id_ending_at(Number number) {
    ShortHash id;
    id.bytes[0] = static_cast<std::byte>(number);
    id.bytes[1] = static_cast<std::byte>(number >> 8);
    id.bytes[7] = std::byte{1};
    return id;
}

}  // namespace

TEST_CASE("the ends of runs are those of their records", "[storage]") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 dice(seed);
        std::vector<Interval> records;
        for (Number first = 2; records.size() < 60;) {
            const auto last = first + static_cast<Number>(dice() % 3);
            records.push_back({first, last});
            first = last + 1;
        }
        auto arriving = records;
        std::ranges::shuffle(arriving, dice);
        LogState state;
        for (const auto& run : arriving) {
            state.count_receipted(run, id_ending_at(run.last), id_ending_at(run.first - 1));
            for (const auto told : state.receipted.intervals()) {
                CHECK(LogState::end_at(state.tops, told.last) == id_ending_at(told.last));
                CHECK(LogState::end_at(state.bottoms, told.first) == id_ending_at(told.first - 1));
            }
            CHECK(state.tops.size() == state.receipted.intervals().size());
            CHECK(state.bottoms.size() == state.receipted.intervals().size());
        }
        // What is taken back leaves ends of which nothing is known, and no ends within a run.
        const auto gone = records.at(dice() % records.size());
        state.take_back_receipt(gone);
        for (const auto* ends : {&state.tops, &state.bottoms}) {
            for (const auto& end : *ends) {
                CHECK(state.receipted.contains(end.number));
            }
        }
        CHECK_FALSE(LogState::end_at(state.tops, gone.first - 1));
        CHECK_FALSE(LogState::end_at(state.bottoms, gone.last + 1));
        // The bottom of the upper run stays known where the chain breaks.
        state.note_bottom(gone.last + 1, id_ending_at(gone.last));
        const bool has_upper_run = state.receipted.contains(gone.last + 1);
        CHECK(LogState::end_at(state.bottoms, gone.last + 1).has_value() == has_upper_run);
        // It comes again, from another copy perhaps: then its neighbours are asked for the rest.
        state.count_receipted(gone, id_ending_at(gone.last), id_ending_at(gone.first - 1));
        CHECK(state.receipted.intervals().size() == 1);
    }
}

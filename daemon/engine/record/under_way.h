// Parts of bodies that are not whole here yet, kept between the streams that bring them.
//
// For one author at most limits::partials_max bodies are kept, with limits::partial_bytes_max on
// disk. Where there would be more, the body with the fewest checked bytes goes first, and urgent
// ones last. So nobody can push out a nearly complete body by opening others. The unchecked
// beginning of a part is kept too, and counts for nothing in that order. A body that is not whole
// ends with its record.
#pragma once

#include "proto/interval_set.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

class Ledger;

// One body under way, in memory. Its header and the beginning of a part lie in the store
// (storage::Partial).
struct UnderWay {
    LogKey log;
    Interval run;
    bool is_for_us = false;
    std::uint32_t body_bytes = 0;
    storage::Blob blob{};
    WallTime expires;
    IntervalSet checked;  // parts that were compared with their hashes
    std::uint64_t checked_bytes = 0;
    std::uint32_t prefix_part = 0;
    std::uint32_t prefix_bytes = 0;
    OfficeId prefix_from = no_office;
    // Only the source that brought the beginning of a part may continue it.
    bool is_from_one = false;
    std::uint64_t touched = 0;  // from a counter that rises with each change of any body

    [[nodiscard]] std::uint64_t bytes_on_disk() const { return checked_bytes + prefix_bytes; }
};

// Makes room for more bytes of this body, `checked` and `unchecked` ones; drops other bodies of its
// author for that. False: this body would be the next to go itself.
bool make_room_under_way(Ledger& ledger, const RecordId& id, const LogKey& log,
                         std::uint64_t checked, std::uint64_t unchecked);

// The body to drop next among those carried for others. Nothing if there is none.
std::optional<RecordId> least_carried_under_way(const Ledger& ledger, OfficeId author);

// Call at a start: drops bodies beyond the limits that an older release kept.
void bound_under_way(Ledger& ledger);

// Drops bodies whose records have expired.
void expire_under_way(Ledger& ledger);

}  // namespace fieldpost::engine

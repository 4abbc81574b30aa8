// What is kept of bodies that are not whole here yet, between the streams that bring them.
//
// Of one author at most limits::partials_max, with limits::partial_bytes_max of theirs on disk.
// Where there would be more, what has the fewest checked bytes goes first, and what is urgent last:
// so nobody pushes out what is nearly here by opening others. What a source says to be the
// beginning of a part is kept too, unchecked, and counts for nothing in that order. A body that is
// not whole ends with its record.
#pragma once

#include "proto/interval_set.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

class Ledger;

// One of them, as memory has it; header and beginning lie in the store (storage::Partial).
struct UnderWay {
    LogKey log;
    Interval run;
    bool is_for_us = false;
    std::uint32_t body_bytes = 0;
    storage::Blob blob{};
    WallTime expires;
    IntervalSet checked;  // parts
    std::uint64_t checked_bytes = 0;
    std::uint32_t prefix_part = 0;
    std::uint32_t prefix_bytes = 0;
    OfficeId prefix_from = no_office;
    // The beginning of a part is continued by the source that brought it, and by no other.
    bool is_from_one = false;
    std::uint64_t touched = 0;  // rises with each change of any

    [[nodiscard]] std::uint64_t bytes_on_disk() const { return checked_bytes + prefix_bytes; }
};

// Room for so many more bytes of this body, of which so many are checked; drops others of its
// author for it. False: it would be the next to go itself.
bool make_room_under_way(Ledger& ledger, const RecordId& id, const LogKey& log,
                         std::uint64_t checked, std::uint64_t unchecked);

// The body to go next of those that are carried for others; nothing if there is none.
std::optional<RecordId> least_carried_under_way(const Ledger& ledger, OfficeId author);

// At the start, for what an older release has kept.
void bound_under_way(Ledger& ledger);

// Those whose record has expired go.
void expire_under_way(Ledger& ledger);

}  // namespace fieldpost::engine

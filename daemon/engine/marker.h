// How far a store has come. It is kept outside the store, so that a store which was put back from
// a copy is caught (self_check.h).
#pragma once

#include "proto/vocabulary.h"

namespace fieldpost::engine {

struct Marker {
    Incarnation incarnation;
    std::uint64_t next_arrival = 0;
    std::uint64_t next_counter = 0;
    std::uint32_t roster_version = 0;  // an authority must not sign a version twice
    bool operator==(const Marker&) const = default;
};

}  // namespace fieldpost::engine

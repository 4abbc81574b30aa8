// Tells two machines that use one office's keys from one machine that was started anew: each start
// of a daemon chooses a number, its life, and says it in HELLO. A life that comes back after
// another one was seen is of a second machine: a copied disk, a virtual machine that was put back.
//
// Kept in memory only: two machines that go on meeting us are noticed again.
#pragma once

#include <map>
#include <optional>

#include "proto/vocabulary.h"

namespace fieldpost::engine {

class Lives {
public:
    // `office` says which life it lives; 0: it does not say. True if two machines take turns and
    // that is to be told: once an hour for each office.
    bool came(OfficeId office, std::uint32_t life, Instant now);
    // True if its machines took turns within the last hour: it is to be told.
    [[nodiscard]] bool is_doubled(OfficeId office, Instant now) const;
    // `peer` says so of us. True if that is to be told: once an hour for each peer.
    bool told_by(OfficeId peer, Instant now);

private:
    struct Seen {
        std::uint32_t newest = 0;
        std::uint32_t before = 0;
        std::optional<Instant> doubled_at;
        std::optional<Instant> told_at;
    };
    std::map<OfficeId, Seen> seen_;
    std::map<OfficeId, Instant> told_by_;
};

}  // namespace fieldpost::engine

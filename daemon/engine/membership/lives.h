// Tells apart two machines that use one office's keys and one machine that was started anew. Each
// start of a daemon chooses a number, its life, and says it in HELLO. If a life comes back after
// another one was seen, a second machine runs: a copied disk, or a virtual machine that was put
// back.
//
// Kept in memory only: two machines that go on meeting us are noticed again.
//
// Not here: this office's own store put back from a copy (../self_check.h).
#pragma once

#include <map>
#include <optional>

#include "proto/vocabulary.h"

namespace fieldpost::engine {

class Lives {
public:
    // `office` has said its life in HELLO; 0: it has said none. True if two machines take turns and
    // a person is to be told: once an hour for each office.
    bool came(OfficeId office, std::uint32_t life, Instant now);
    // True if two machines of `office` took turns within the last hour. Then the office is to be
    // told.
    [[nodiscard]] bool is_doubled(OfficeId office, Instant now) const;
    // `peer` says that two machines use our keys. True if a person is to be told: once an hour for
    // each peer.
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

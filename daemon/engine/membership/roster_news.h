// Roster changes in frames. The authority signs each change, so any office may hand it on.
#pragma once

#include "daemon/engine/ledger.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

// Size of roster frames for an office that may not know us yet. At 9.6 kbit/s each frame comes
// within the time that the office's door allows for the next frame.
inline constexpr std::size_t shown_frame_bytes = 4096;

enum class RosterTaken : std::uint8_t {
    whole,
    contradicts,  // the authority signed another change under a number: no change counts any more
};

// Applies the changes that continue our roster. untrusted, malformed, refused: one change was bad.
// The changes before it stay applied. An authority that learns of a change that it signed itself
// was put back from a copy: it stops writing.
Result<RosterTaken> take_roster(Ledger& ledger, const RosterNews& news, Via from, Now now,
                                std::vector<Notice>& notify);

// The changes after `version` up to `last`, for frames of about `frame_bytes`.
std::vector<RosterNews> roster_news(const Ledger& ledger, std::uint32_t version, std::uint32_t last,
                                    std::size_t frame_bytes);

}  // namespace fieldpost::engine

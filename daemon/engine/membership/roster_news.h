// Changes of the roster, as frames bring and take them: the authority signs each, so anybody may
// hand it on.
#pragma once

#include "daemon/engine/ledger.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

// For an office that may not know us yet: at 9.6 kbit/s each frame comes within the time that its
// door gives for the next.
inline constexpr std::size_t shown_frame_bytes = 4096;

// Takes those changes that continue our roster. untrusted, malformed, refused: of the change that
// does not; those before it stay.
Result<void> take_roster(Ledger& ledger, const RosterNews& news, Via from, Now now,
                         std::vector<Notice>& notify);

// The changes after `version` up to `last`, for frames of about `frame_bytes`.
std::vector<RosterNews> roster_news(const Ledger& ledger, std::uint32_t version, std::uint32_t last,
                                    std::size_t frame_bytes);

}  // namespace fieldpost::engine

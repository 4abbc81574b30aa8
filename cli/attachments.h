// The attachments of a report, from the daemon, a piece at a time: none is ever in memory as a
// whole.
#pragma once

#include <functional>

#include "cli/command.h"
#include "proto/bytes.h"

namespace fieldpost::wire {
class Entry;
}

namespace fieldpost::cli {

// The code of a failure if an attachment cannot be opened here, and only that.
inline constexpr auto unreadable_attachment = "unreadable";

using TakePiece = std::function<Outcome<void>(BytesView piece)>;
// Gives `take` all bytes of one attachment, counted from 0, in order.
Outcome<void> each_piece(const Common& common, const std::string& id, int attachment,
                         const TakePiece& take);

// The SHA-256 of each attachment, in hexadecimal digits.
Outcome<std::vector<std::string>> sums_of(const Common& common, const wire::Entry& entry);

}  // namespace fieldpost::cli

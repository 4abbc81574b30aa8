// A bookmark: one opaque value for each file of a folder that is followed. The daemon makes it when
// the file is read or written. The process that looks after the folder keeps it, and hands it back
// with later requests. Only the daemon reads it.
//
// A row is a full file of this office and the additions that it left beside it since. Each file but
// the first has a name that shows which file it follows, to readers of that file only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/bytes.h"

namespace fieldpost::runtime {

struct Bookmark {
    // The head and summary of a file that this office wrote (engine::said_of). Empty: the file is
    // of another office.
    Bytes said;
    std::optional<std::uint8_t> place{};  // BundleHead::place
    Bytes holds;                          // the records in the file (engine::encode_runs)
    // Of this office when the file was begun. Empty if the file was read.
    Bytes state;
    bool operator==(const Bookmark&) const = default;
};
// Empty if there is nothing to remember.
Bytes encode(const Bookmark& bookmark);
// Nothing is known of bytes that encode() did not make.
Bookmark decode_bookmark(BytesView bytes);

// The name for the file behind one that said `said`. With another `chance` it is another name, so
// that a file which replaces a lost one is not kept back by a mover that never overwrites. The name
// tells nothing to anybody who cannot read the file before it.
std::string name_after(BytesView said, std::uint16_t chance);

struct NamedBookmark {
    std::string name;
    Bookmark bookmark;
};
// The newest row that is complete: its numbers in `files`, in the order of the row. `files` are
// files of this office, in the order in which they were written. They may be of several rows, if a
// person kept some files of each.
std::vector<std::size_t> row_among(std::span<const NamedBookmark> files);

}  // namespace fieldpost::runtime

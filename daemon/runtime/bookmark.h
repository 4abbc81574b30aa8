// The daemon's opaque words about the files of a folder that is followed. The daemon makes them
// when a file is read or written. The process that looks after the folder keeps them, and hands
// them back with later requests. Only the daemon reads them.
//
// - bookmark: the records that the file holds (engine::encode_runs). It is kept for each file.
// - tail: what another file behind it in a row needs to know. It is large: a row keeps its last
// one.
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

struct Tail {
    Bytes said;                           // engine::said_of; empty: the summary was too large
    std::optional<std::uint8_t> place{};  // BundleHead::place
    bool operator==(const Tail&) const = default;
};
// Empty if there is nothing to remember.
Bytes encode(const Tail& tail);
// Nothing is known of bytes that encode() did not make.
Tail decode_tail(BytesView bytes);

// The name for the file behind one that said `said`. With another `chance` it is another name, so
// that a file which replaces a lost one is not kept back by a mover that never overwrites. The name
// tells nothing to anybody who cannot read the file before it.
std::string name_after(BytesView said, std::uint16_t chance);

struct NamedTail {
    std::string name;
    Tail tail;
};
// The newest row that is complete: its numbers in `files`, in the order of the row. `files` are
// files of this office, in the order in which they were written. They may be of several rows, if a
// person kept some files of each.
std::vector<std::size_t> row_among(std::span<const NamedTail> files);

}  // namespace fieldpost::runtime

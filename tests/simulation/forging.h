// Frames that no honest office would say, made by hand with the keys of a World's offices.
#pragma once

#include "tests/simulation/world.h"

namespace fieldpost::tests {

// A report or reply in the name of `author`, with a body, to be signed and told by any node.
struct Forgery {
    Header header;
    Bytes body;
};

Forgery write_as(const World& world, Node author, Node reader, Number number, Report report = {},
                 std::optional<RecordClass> record_class = {});

// Its body is one piece, whatever its header says.
RecordProof proof_of(const World& world, Node signer, const Forgery& forgery);
// As an entry of a frame. `before` is the record before it in the frame, and becomes this record.
Bytes entry_signed_by(const World& world, Node signer, const Forgery& forgery,
                      std::optional<Neighbour>& before);
RecordNews signed_by(const World& world, Node signer, const Forgery& forgery);

// A body that goes in a stream: the frame that opens it, and its parts in order.
struct BodyInParts {
    StreamOpened opened;
    RecordId id;
    Header header;
    std::vector<Bytes> parts;
};

// Signed as its author would sign it. The header sets the size of the body and the recipients.
BodyInParts body_signed_by(const World& world, Node signer, Header header, Bytes body);
// `size` bytes of one value, for a reader that cannot open them.
BodyInParts body_of_nothing(const World& world, Node author, Node reader, Number number,
                            std::size_t size, RecordClass record_class = RecordClass::normal);
// One of these frames: the bytes of a part from `offset` on, at most so many.
Chunk chunk_of(const BodyInParts& body, std::uint32_t part, std::uint32_t offset = 0,
               std::size_t size_max = SIZE_MAX);

// All frames of a bundle.
std::vector<Frame> frames_on(const World& world, BytesView stick);
// The bodies of large records that the bundle has whole.
std::vector<BodyInParts> bodies_on(const World& world, BytesView stick);
// A bundle of these frames and no others. Every member can seal one.
Bytes stick_with(const World& world, const std::vector<Frame>& frames);

}  // namespace fieldpost::tests

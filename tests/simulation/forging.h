// Frames that no honest office would say, made by hand with the keys of a World's offices.
#pragma once

#include "tests/simulation/world.h"

namespace fieldpost::tests {

// A report or reply in the name of `author`, and a body, to be signed and told by anybody.
struct Forgery {
    Header header;
    Bytes body;
};

Forgery write_as(const World& world, Node author, Node reader, Number number, Report report = {},
                 std::optional<RecordClass> record_class = {});

// Its body is one piece, whatever its header says.
RecordProof proof_of(const World& world, Node signer, const Forgery& forgery);
// As an entry of a frame; `before` is what stands before it there, and then this one.
Bytes entry_signed_by(const World& world, Node signer, const Forgery& forgery,
                      std::optional<Neighbour>& before);
RecordNews signed_by(const World& world, Node signer, const Forgery& forgery);

// A bundle of these frames and no others. Every member can seal one.
Bytes stick_with(const World& world, const std::vector<Frame>& frames);

}  // namespace fieldpost::tests

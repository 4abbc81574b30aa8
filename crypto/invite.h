// The invitation file: all that a new machine needs to queue reports before it ever sees a link,
// and to ask for admission. Worthless without the code of ten characters that is told by voice.
//
// The code has 50 random bits; Argon2id (RFC 9106) makes each guess cost a quarter of a gigabyte.
#pragma once

#include <string>
#include <vector>

#include "crypto/identity.h"
#include "proto/register.h"
#include "proto/roster_change.h"

namespace fieldpost::crypto {

using InviteSeed = Secret<struct InviteSeedTag, 32>;

struct Invite {
    InviteSeed seed;
    FoundingKey founding_key;
    OfficeId index{};
    Founding founding;
    std::vector<RosterChange> roster;
    std::vector<Register> registers;  // every office's newest
};

// The invitation's one-time keys, which the roster names.
SigningKey one_time_signing_key(const InviteSeed& seed);
BoxKeyPair one_time_box_key(const InviteSeed& seed);

// Ten characters in two groups, without those that sound or look alike: "7KQ2M-R4XWD".
std::string random_invite_code();

// The mark (daemon/DESIGN.md, Time) of an office that joins: the later of its machine's clock and
// of the time at which its authority invited it, which serves a machine whose clock has lost the
// time. A clock that has not is believed so far: the authority's moves the mark 1,000 days beyond
// it at most. No member's word counts.
WallTime first_mark(WallTime clock, WallTime invited);

// What guessing costs; the file carries it.
struct CodeCost {
    std::uint32_t passes = 3;
    std::uint32_t memory_kib = 256 * 1024;
};

// The content that is sealed in the file. The daemon makes it; the command seals it, so that the
// daemon never needs the memory that a code costs.
Bytes encode_invite_content(const Invite& invite);
Result<Invite> decode_invite_content(BytesView content);

// `code` empty: the file opens without one. unavailable: not enough memory for the code's cost.
Result<Bytes> seal_invite(const Invite& invite, std::string_view code, CodeCost cost = {});
bool invite_needs_code(BytesView file);
// malformed: truncated, damaged or no invitation. untrusted: another code, or a code for a file
// that needs none, or a founding statement that does not fit. unsupported: newer. The code is read
// in any case, with or without its hyphen; 0 and O, 1, I and L are one.
Result<Invite> open_invite(BytesView file, std::string_view code);

}  // namespace fieldpost::crypto

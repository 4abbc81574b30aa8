// The invitation file. It has everything that a new machine needs to queue reports before it ever
// sees a link, and to ask for admission. It is worthless without the code of ten characters that is
// told by voice.
//
// The code has 50 random bits. Argon2id (RFC 9106) makes each guess cost a quarter of a gigabyte.
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

// The invitation's one-time keys. The roster names their public halves.
SigningKey one_time_signing_key(const InviteSeed& seed);
BoxKeyPair one_time_box_key(const InviteSeed& seed);

// Ten characters in two groups, without characters that sound or look alike: "7KQ2M-R4XWD".
std::string random_invite_code();

// The mark (daemon/DESIGN.md, Time) of an office that joins. It is the later of two times: its
// machine's clock, and the time at which its authority invited it. The second serves a machine
// whose clock has lost the time.
//
// A clock that has not lost the time is believed so far: the authority's time moves the mark at
// most 1,000 days beyond the clock. No member's word counts.
WallTime first_mark(WallTime clock, WallTime invited);

// The cost of one guess. The file carries it.
struct CodeCost {
    std::uint32_t passes = 3;
    std::uint32_t memory_kib = 256 * 1024;
};

// The content that is sealed in the file. The daemon makes the content and the command seals it, so
// that the daemon never needs the memory that a code costs.
Bytes encode_invite_content(const Invite& invite);
Result<Invite> decode_invite_content(BytesView content);

// If `code` is empty, the file opens without a code. unavailable: not enough memory for the code's
// cost.
Result<Bytes> seal_invite(const Invite& invite, std::string_view code, CodeCost cost = {});
bool invite_needs_code(BytesView file);
// malformed: truncated, damaged or no invitation. untrusted: another code, a code for a file that
// needs none, or a founding statement that does not fit. unsupported: made by a newer release.
//
// The code may be typed in upper or lower case, with or without its hyphen. 0 and O are one
// character, and so are 1, I and L.
Result<Invite> open_invite(BytesView file, std::string_view code);

}  // namespace fieldpost::crypto

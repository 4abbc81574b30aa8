// The consequences of a batch of inputs: frames for links, and notices for those who asked or
// watch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crypto/invite.h"
#include "daemon/engine/bundle_order.h"
#include "daemon/engine/inputs.h"

namespace fieldpost::engine {

struct OutgoingFrame {
    LinkId link{};
    Bytes bytes;
};

// A link that has to go: its peer broke the protocol, or is not to be spoken to any more.
struct CloseLink {
    LinkId link{};
    std::string reason;
    // Nothing comes back over it any more: the way to the peer went, not the peer.
    bool is_dead = false;
};

// The use of a link from now on. It decides how soon the link's end must be noticed, and whether
// another connection should stand ready.
struct LinkUse {
    LinkId link{};
    bool awaits_body = false;  // that the peer has begun to send
    bool is_long = false;      // so much is to be sent that it takes a while
    // Acknowledgements, to send more. LinkRepairs would do.
    bool awaits_room = false;
    // The peer says that another machine comes to it with our keys: each link ends the other's.
    bool is_contested = false;
    bool operator==(const LinkUse&) const = default;
};

// A member of an addressed group to whom the report could not be sealed.
struct LeftOut {
    OfficeId office{};
    storage::FailReason reason{};
};

// The answer to a Submitted.
struct Accepted {
    std::uint64_t request = 0;
    storage::ReportKey report;
    Hash hash;
    bool is_repeat = false;  // the key was used before with the same content
    std::vector<LeftOut> left_out{};
};
struct Declined {
    std::uint64_t request = 0;
    Error error;
    std::optional<storage::ReportKey> same_key{};  // the other report that was queued under the key
};
// The answer to an InviteWanted, if it is not Declined. To be sealed under a code, outside the
// daemon.
struct Invited {
    std::uint64_t request = 0;
    std::shared_ptr<const crypto::Invite> invite;
    WallTime expires;
    bool is_anew = false;  // an open invitation of the same name is good for nothing now
    // The machine that was cut off by the same change; no_office: none.
    OfficeId cut_off = no_office;
};
// The answer to a RevocationWanted, if it is not Declined.
struct Revoked {
    std::uint64_t request = 0;
    OfficeId office{};
    CutOff cut_off;
};
// For watchers and the log.
struct Happened {
    storage::Event event;
};
using Notice = std::variant<Accepted, Declined, Invited, Revoked, Happened, BundleTaken,
                            BundleContent, CloseLink, LinkUse>;

// The caller's duties after a batch of inputs, which is committed by now:
//   1. hand each of `send` to its link, which may lose it with everything after it;
//   2. tell local readers about `notify`.
// A crash between two steps is safe: the engine is made anew from the store, and peers ask again
// for what they did not hear acknowledged.
struct Consequences {
    std::vector<OutgoingFrame> send;
    std::vector<Notice> notify;
    std::optional<Instant> wake_at;  // empty: nothing to do until the next input
};

}  // namespace fieldpost::engine

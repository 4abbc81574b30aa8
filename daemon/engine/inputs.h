// All that the engine is told: what links, bundles, people and the machine do.
#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "daemon/engine/bundle_order.h"
#include "daemon/engine/via.h"
#include "proto/report.h"

namespace fieldpost::engine {

// One connection, from handshake to end. Never used twice.
enum class LinkId : std::uint64_t {};

// The use that this end permits of a link, as long as the link is up.
struct LinkPolicy {
    std::uint64_t bytes_per_second = 0;  // each way, headers in; 0: as fast as it goes
    bool only_urgent = false;
    // After so many bytes, both ways and headers in, it sends what is urgent only. 0: no such end.
    std::uint64_t bytes_before_only_urgent = 0;
    // True if it may also pass records that are neither from nor for one of its two ends.
    bool carries = true;
    bool operator==(const LinkPolicy&) const = default;
};
// The link vouches for who is at the other end.
struct LinkUp {
    LinkId link{};
    OfficeId peer{};
    LinkPolicy policy{};
    // The last link died before it had carried anything much: urgent goes first and alone, for a
    // large packet behind it may hold it up for ever.
    bool is_cautious = false;
};
// At the other end is a key that the roster does not know, or has shut out.
struct StrangerUp {
    LinkId link{};
    BoxPublic key;
};
// The link of a peer or of a stranger has ended.
struct LinkDown {
    LinkId link{};
    // The peer's offence against the link protocol; empty: none.
    std::string offence{};
};
struct FrameArrived {
    LinkId link{};
    Bytes bytes;
};
// A loss on the way is being repaired. These bytes have arrived behind it: they cannot be
// acknowledged yet, and are not on the way any more.
struct LinkRepairs {
    LinkId link{};
    std::uint64_t bytes = 0;
};

// limits::lifetime_seconds_default.
std::uint32_t usual_lifetime_seconds();
// A report, acknowledgement or withdrawal written at this office.
struct Draft {
    RecordKind kind = RecordKind::report;
    RecordClass record_class = RecordClass::normal;
    std::vector<OfficeId> to;  // the members of the groups too
    // As people addressed it. Used where there are more offices than one record can name.
    std::vector<OfficeId> groups{};
    // Those of `to` that nobody named: members of groups. If one of them cannot be sealed to, only
    // that one is left out.
    std::set<OfficeId> may_leave_out{};
    Report report;
    Bytes attachments{};
    std::uint32_t lifetime_seconds = usual_lifetime_seconds();
    std::string key{};  // of `queue --key`; empty: none
};
struct Submitted {
    std::uint64_t request = 0;
    Draft draft;
};

// People here take back a report that they wrote. The draft is the withdrawal.
struct WithdrawalWanted {
    std::uint64_t request = 0;
    storage::ReportKey report;
    Draft draft;
};

// People here destroy their readable copy of a report.
struct ForgetWanted {
    std::uint64_t request = 0;
    storage::ReportKey report;
};

// At the authority: make an invitation for a new office.
struct InviteWanted {
    std::uint64_t request = 0;
    std::string name;
    Role role = Role::field;  // not used with `replace`: the role stays
    std::uint32_t valid_seconds = 30U * 86400;
    // The same office on a new machine: the one that has the name is cut off by the same change.
    bool replace = false;
};

// At the authority: end an office (membership/revocation.h).
struct RevocationWanted {
    std::uint64_t request = 0;
    OfficeId office{};
    std::string reason;
    std::vector<storage::ReportKey> keep{};
};
// People here want nothing to do with an office, or want that no more.
struct BlockWanted {
    std::uint64_t request = 0;
    OfficeId office{};
    bool undo = false;
};

// A person says that this copy of the office's store goes on, and no other (new_life.h).
struct ContinueWanted {
    std::uint64_t request = 0;
};

// A person has seen these items of attention.
struct Dismissed {
    std::uint64_t request = 0;
    std::vector<std::uint32_t> numbers;
};
// A person has compared the fingerprint of this office.
struct Confirmed {
    std::uint64_t request = 0;
    OfficeId office{};
};
// So much has gone over links with an office, on a day that its policy counts.
struct DayUsed {
    OfficeId office{};
    std::uint32_t day = 0;
    std::uint64_t bytes = 0;  // of the whole day so far
};
// A trouble of the machine, noticed outside the engine. An empty `detail` ends it.
struct MachineTrouble {
    What what{};
    std::string detail;
    std::uint32_t count = 1;
    // False: a person who has dismissed the item need not see it again.
    bool is_news = true;
};

struct TimerFired {};

// The daemon stops in good order: what was reserved and not used need not be skipped.
struct Stopping {};

using Input =
    std::variant<LinkUp, StrangerUp, LinkDown, FrameArrived, LinkRepairs, BundleFrame, BundleWanted,
                 BundleMore, BundleEnded, Submitted, WithdrawalWanted, ForgetWanted, InviteWanted,
                 RevocationWanted, BlockWanted, ContinueWanted, Dismissed, Confirmed, DayUsed,
                 MachineTrouble, TimerFired, Stopping>;

}  // namespace fieldpost::engine

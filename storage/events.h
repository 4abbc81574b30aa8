// Everything that can happen to a report, an office or this machine. Events and attention are
// stored under these numbers. Each number has a row with its name, its severity and the advice for
// a person.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fieldpost::storage {

// The numbers are stored: add at the end, never reorder. Each has a row in events.cpp; the compiler
// checks that.
enum class What : std::uint8_t {
    other = 0,  // a number that this release does not know
    queued = 1,
    carried = 2,
    received = 3,
    delivered = 4,
    acknowledged = 5,
    expired = 6,
    failed = 7,
    peer_up = 8,
    peer_down = 9,
    roster = 10,
    fork = 11,               // another record under a number that is taken
    rolled_back = 12,        // this store was put back, or runs twice: it lacks what it signed
    offender = 13,           // a peer broke the protocol
    uncarried = 14,          // a carrier's newer statement lacks what its older one had
    second_enrolment = 15,   // a second machine asks to be admitted under one invitation
    admitted = 16,           // the authority took a new office in
    disk_full = 17,          // records for this office had to wait
    clock = 18,              // a clock in doubt
    configuration = 19,      // a bad configuration; the old one stays
    undelivered = 20,        // own reports that no recipient has received for long
    unconfirmed = 21,        // an office whose fingerprint no person has compared
    refused = 22,            // a recipient does not take records that are for it
    roster_conflict = 23,    // two rosters of one version; no change counts until they are joined
    turned_away = 24,        // not admitted yet, and no peer lets this office in under any key
    folder = 25,             // a folder that should be synced automatically is not
    unreadable = 26,         // a recipient could not open a record that this office wrote
    correct = 27,            // a person at a recipient asks for a correction
    declined = 28,           // a person at a recipient refused a report
    invitation_reused = 29,  // a machine comes with an invitation that was used or replaced
    copied = 30,             // two machines use the keys of one office
    damaged = 31,            // something in the store could not be read, and was put aside
    withdrawn = 32,          // its author took a report back
    forgotten = 33,          // people here destroyed their readable copy of a report
    sink = 34,               // a database that should be fed is not
    overdue = 35,            // reports that are expected here are not here
    revoked = 36,            // the authority cut another office off
    shut_out = 37,           // the authority cut this office off
    after_cut_off = 38,      // reports were shown here that lie beyond their author's cut-off
    unreachable = 39,        // an own report without a receipt of its recipient, which was cut off
    blocked = 40,            // people here want nothing to do with an office
    reissued = 41,           // an own report was written again, in another record
    new_life = 42,           // this office goes on in a new incarnation
    stopped = 43,            // this office signs nothing until a person says so
    began_anew = 44,         // told at the authority: another office goes on in a new incarnation
};

// The path of the event: from this machine, over a link, or in a bundle.
enum class How : std::uint8_t { local = 0, link = 1, bundle = 2 };

enum class Severity : std::uint8_t { warning, urgent };

struct EventKind {
    What what{};
    std::string_view name;               // its name on the command line, for ever
    std::optional<Severity> severity{};  // nothing: no person has to act
    // The advice for a person; never "delete". `{}` stands for the office's name.
    std::string_view advice{};
};

// True if attention has an item for each report, and not one item for an office.
constexpr bool is_for_each_report(What what) {
    return what == What::correct || what == What::declined;
}

// The row of `what`. For a number without a row: the row of `other`.
const EventKind& kind_of(What what);

}  // namespace fieldpost::storage

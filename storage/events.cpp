#include "storage/events.h"

#include <algorithm>
#include <array>

namespace fieldpost::storage {

namespace {

constexpr auto urgent = Severity::urgent;
constexpr auto warning = Severity::warning;

constexpr std::array kinds = {
    EventKind{What::other, "other"},
    EventKind{What::queued, "queued"},
    EventKind{What::carried, "carried"},
    EventKind{What::received, "received"},
    EventKind{What::delivered, "delivered"},
    EventKind{What::acknowledged, "acknowledged"},
    EventKind{What::expired, "expired", warning,
              "if it still matters, queue it again with a longer --expires"},
    EventKind{What::failed, "failed", urgent, "tell {}: it could not be read here"},
    EventKind{What::peer_up, "peer_up"},
    EventKind{What::peer_down, "peer_down"},
    EventKind{What::roster, "roster"},
    EventKind{What::fork, "fork", urgent, "two machines sign as {}: tell the authority"},
    EventKind{What::rolled_back, "restored", urgent,
              "this machine lacks what {0} had signed. It goes on by itself, and new reports have "
              "new IDs. Reports received meanwhile may be missing: ask for them. If another "
              "machine runs as {0}, switch that one off for good"},
    EventKind{What::offender, "offender", warning,
              "{} sends what breaks the protocol: is its release damaged?"},
    EventKind{What::uncarried, "uncarried"},
    EventKind{What::second_enrolment, "enrolled_twice", urgent,
              "somebody else used {}'s invitation: compare fingerprints"},
    EventKind{What::admitted, "admitted"},
    EventKind{What::disk_full, "disk_full", urgent,
              "free space on the disk, or raise limits.store"},
    EventKind{What::clock, "clock", warning,
              "set this machine's clock; if it is right, dismiss this"},
    EventKind{What::configuration, "configuration", urgent,
              "mend fieldpost.toml, then: systemctl reload fieldpost"},
    EventKind{What::undelivered, "undelivered", warning,
              "see: fieldpost list --outbox, fieldpost peers"},
    EventKind{What::unconfirmed, "unconfirmed", warning,
              "compare fingerprints by telephone, then: fieldpost roster confirm {}"},
    EventKind{What::refused, "refused", urgent, "ask {} why it takes nothing; see its attention"},
    EventKind{
        What::roster_conflict, "roster_conflict", urgent,
        "the authority was put back from a copy, and signed two rosters. No change of the roster "
        "counts any more: telephone the authority; revoke and invite no longer reach this office"},
    EventKind{What::turned_away, "turned_away", urgent,
              "ask the authority whether another machine used this invitation, or it expired"},
    EventKind{What::folder, "folder", urgent,
              "see to it, or take the folder out of fieldpost.toml"},
    EventKind{What::unreadable, "unreadable", urgent, "{} could not open it: queue it again"},
    EventKind{What::correct, "correct", warning,
              "{} asks for a correction: read its note with trace, then queue with --replaces"},
    EventKind{What::declined, "declined", warning, "{} refused it: read its note with trace"},
    EventKind{What::invitation_reused, "invitation_reused", urgent,
              "a machine tries to join with {}'s invitation, which is used or replaced: ask who it "
              "is, and invite it under a name of its own"},
    EventKind{
        What::copied, "copied", urgent,
        "two machines use the keys of {}, as a copied disk would: switch one off for good, and "
        "tell the authority"},
    EventKind{
        What::damaged, "damaged", warning,
        "the disk spoiled part of the store, which was put aside; what other offices have of it "
        "comes again; if this comes again, replace the disk"},
    EventKind{What::withdrawn, "withdrawn", warning,
              "{0} took back reports that are here: do not use them; see: fieldpost list "
              "--all-versions --from {0}"},
    EventKind{What::forgotten, "forgotten"},
    EventKind{What::sink, "sink", urgent,
              "look at fieldpost-sink there; a sink that is not used any more: dismiss this"},
    EventKind{What::overdue, "overdue", warning, "see: fieldpost coverage"},
    EventKind{What::revoked, "revoked", warning,
              "nothing goes to {} any more; the reason is in: fieldpost roster"},
    EventKind{What::shut_out, "shut_out", urgent,
              "this office can read and export what it has, and sends nothing; ask the authority"},
    EventKind{What::after_cut_off, "after_cut_off", urgent,
              "{0} was cut off, and these reports lie beyond the mark: they may be by another "
              "hand. Telephone before you use them; see: fieldpost list --from {0}"},
    EventKind{What::unreachable, "unreachable", warning,
              "no receipt of {0} came before it was cut off: whoever has its machine may have read "
              "these; send them to another office; see: fieldpost list --outbox --to {0}"},
    EventKind{What::blocked, "blocked", warning,
              "this machine shows nothing new of {0}, until: fieldpost block {0} --undo"},
    EventKind{What::reissued, "sent_again"},
    EventKind{What::new_life, "new_incarnation"},
    EventKind{What::stopped, "stopped", urgent,
              "nothing new can be written here: this machine was put back twice, or another one "
              "runs as {0}. Telephone the authority. When no other runs, type here: fieldpost "
              "continue"},
    EventKind{What::began_anew, "began_anew", warning,
              "{0} goes on with new IDs: its machine was put back from a copy, or two machines run "
              "as {0}. Telephone its people: is there a second machine?"},
};

static_assert(std::ranges::all_of(kinds, [](const EventKind& kind) {
    return static_cast<std::size_t>(kind.what) == static_cast<std::size_t>(&kind - kinds.data());
}));
static_assert(kinds.size() == static_cast<std::size_t>(What::began_anew) + 1, "a row for each");

}  // namespace

const EventKind& kind_of(What what) {
    const auto index = static_cast<std::size_t>(what);
    return kinds[index < kinds.size() ? index : 0];
}

}  // namespace fieldpost::storage

// The roster: the offices of the network, as the authority's chain of signed changes names them.
//
// Promise: every listed office and its state was signed by the threshold of authority keys. The
// chain is unbroken from the founding statement, and the hash of that statement is the network's
// id. A change that is older than the head, or does not continue it, changes nothing.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "crypto/identity.h"
#include "proto/roster_change.h"

namespace fieldpost::crypto {

enum class OfficeState : std::uint8_t { invited, active, retiring, retired, revoked, cancelled };

struct RosterOffice {
    OfficeId index{};
    std::string name;
    Role role{};
    OfficeState state{};
    std::uint16_t first_ordinal = 1;
    WallTime since;                 // time of the change that last touched it
    WallTime added;                 // time of the change that first named it
    std::uint32_t admitted_in = 0;  // the roster version that made it a member; 0: none yet
    // For an active office, and for one that was active before.
    SigningPublic identity;
    BoxPublic link;
    SigningPublic mail;
    OfficeId replaces = no_office;
    // The office, or the open invitation, that replaces it.
    OfficeId replaced_by = no_office;
    OfficeId successor = no_office;
    std::optional<CutOff> cut_off;
    // For an invitation.
    SigningPublic one_time_signing;
    BoxPublic one_time_box;
    WallTime expires;

    // True if its records are taken, and records are sealed to it and owed to it.
    [[nodiscard]] bool is_member() const {
        return state == OfficeState::active || state == OfficeState::retiring;
    }
    // True if no other office may bear its name.
    [[nodiscard]] bool is_live() const { return is_member() || state == OfficeState::invited; }
    // True if it has had keys of its own, so that its signatures can be checked.
    [[nodiscard]] bool has_keys() const {
        return is_member() || state == OfficeState::retired || state == OfficeState::revoked;
    }
};

class Roster {
public:
    // untrusted or malformed: not a founding statement signed by its own keys.
    static Result<Roster> found(const Founding& founding);

    // Verifies and appends the next change. refused: it does not continue the head (older, a gap,
    // or another chain). untrusted: too few good signatures. malformed: it contradicts the roster.
    Result<void> apply(const RosterChange& change);
    // True if a change of this version is already here with other content, or this one continues
    // another change than our newest: the authority signed twice.
    [[nodiscard]] bool contradicts(const RosterChange& change) const;

    [[nodiscard]] const NetworkId& network() const { return network_; }
    [[nodiscard]] const Founding& founding() const { return founding_; }
    // 0 before the first change.
    [[nodiscard]] std::uint32_t version() const {
        return static_cast<std::uint32_t>(hashes_.size());
    }
    // The hash of the change that made this version, at most version(). Zeros: 0, the founding.
    [[nodiscard]] Hash hash_of(std::uint32_t version) const {
        return version == 0 ? Hash{} : hashes_[version - 1];
    }
    [[nodiscard]] Hash head() const { return hash_of(version()); }
    [[nodiscard]] const std::map<OfficeId, RosterOffice>& offices() const { return offices_; }
    [[nodiscard]] const RosterOffice* find(OfficeId index) const;
    // The member of this name. If there is no member, the open invitation for this name.
    [[nodiscard]] const RosterOffice* find(std::string_view name) const;
    // All offices that have or had this name, by index.
    [[nodiscard]] std::vector<const RosterOffice*> offices_named(std::string_view name) const;
    // The office that may come in with this link key: a member, or an invitee with its one-time
    // key.
    [[nodiscard]] std::optional<OfficeId> office_of_link(const BoxPublic& link) const;
    // True if this is the link key of an office that was revoked or has retired.
    [[nodiscard]] bool has_shut_out(const BoxPublic& link) const;
    // The least index never used.
    [[nodiscard]] OfficeId next_index() const;

private:
    Result<void> apply_statements(const RosterChange& change);
    Result<void> apply_statement(const RosterStatement& statement, const RosterChange& change);

    NetworkId network_;
    Founding founding_;
    std::vector<Hash> hashes_;
    std::map<OfficeId, RosterOffice> offices_;
    std::set<std::pair<std::string, OfficeId>> names_;
};

// Checks that each signature is good, that each is by another key of the founding statement, and
// that there are enough. untrusted: otherwise.
Result<void> verify_authority(const Founding& founding, std::string_view label,
                              const NetworkId& network, BytesView message,
                              const std::vector<AuthoritySignature>& signatures);

NetworkId network_id_of(const Founding& founding);
Hash founding_key_hash(const FoundingKey& key);
Hash roster_change_hash(const NetworkId& network, const RosterChange& change);

// For a threshold of one: the authority key on this machine signs alone.
Founding sign_founding(const SigningKey& authority, Founding founding);
void sign_change(const SigningKey& authority, const Roster& roster, RosterChange& change);

}  // namespace fieldpost::crypto

#include "crypto/roster.h"

#include <fmt/format.h>

namespace fieldpost::crypto {

namespace {

// Signatures over the founding statement, and its hash, cannot contain the network id that this
// hash makes.
constexpr NetworkId no_network{};

// The effect of each statement of a change on the offices.
struct Effects {
    std::map<OfficeId, RosterOffice>& offices;
    WallTime at;
    std::uint32_t version;

    Result<RosterOffice*> existing(OfficeId index) {
        const auto found = offices.find(index);
        if (found == offices.end()) {
            return fail(Errc::malformed, fmt::format("roster: no office {}", value_of(index)));
        }
        found->second.since = at;
        return &found->second;
    }

    Result<void> replace(OfficeId replaced, OfficeId by) {
        if (replaced == no_office) {
            return ok();
        }
        const auto found = offices.find(replaced);
        if (found == offices.end()) {
            return fail(Errc::malformed,
                        fmt::format("roster: replaces no office {}", value_of(replaced)));
        }
        found->second.replaced_by = by;
        return ok();
    }

    // An invitation ends that nobody used.
    void end_invitation(RosterOffice& invited) {
        invited.state = OfficeState::cancelled;
        const auto replaced = offices.find(invited.replaces);
        if (replaced != offices.end() && replaced->second.replaced_by == invited.index) {
            replaced->second.replaced_by = no_office;
        }
    }

    // One name belongs to one live office. But an office on a new machine takes the name of the
    // office that it replaces.
    Result<void> check_name(std::string_view name, OfficeId index, OfficeId replaces) {
        for (const auto& [other, office] : offices) {
            if (other != index && other != replaces && office.is_live() && office.name == name) {
                return fail(Errc::malformed, fmt::format("roster: the name {} twice", name));
            }
        }
        return ok();
    }

    // An index names one set of keys for ever, and a key belongs to one index.
    Result<void> check_keys(const Admit& admit) {
        for (const auto& [other, office] : offices) {
            if (office.has_keys() && (office.identity == admit.identity ||
                                      office.link == admit.link || office.mail == admit.mail)) {
                return fail(Errc::malformed, "roster: a key twice");
            }
        }
        return ok();
    }

    Result<void> operator()(const Admit& admit) {
        TRY(replace(admit.replaces, admit.index));
        TRY(check_name(admit.name, admit.index, admit.replaces));
        TRY(check_keys(admit));
        const auto found = offices.find(admit.index);
        if (found != offices.end() && found->second.state != OfficeState::invited) {
            return fail(Errc::malformed,
                        fmt::format("roster: index {} twice", value_of(admit.index)));
        }
        auto& office = offices[admit.index];
        if (found == offices.end()) {
            office.added = at;
        }
        office.index = admit.index;
        office.name = admit.name;
        office.role = admit.role;
        office.state = OfficeState::active;
        office.admitted_in = version;
        office.first_ordinal = admit.first_ordinal;
        office.since = at;
        office.identity = admit.identity;
        office.link = admit.link;
        office.mail = admit.mail;
        office.replaces = admit.replaces;
        return ok();
    }
    Result<void> operator()(const Invitation& invitation) {
        TRY(replace(invitation.replaces, invitation.index));
        TRY(check_name(invitation.name, invitation.index, invitation.replaces));
        if (offices.contains(invitation.index)) {
            return fail(Errc::malformed,
                        fmt::format("roster: index {} twice", value_of(invitation.index)));
        }
        RosterOffice office;
        office.index = invitation.index;
        office.name = invitation.name;
        office.role = invitation.role;
        office.state = OfficeState::invited;
        office.first_ordinal = invitation.first_ordinal;
        office.since = at;
        office.added = at;
        office.replaces = invitation.replaces;
        office.one_time_signing = invitation.one_time_signing;
        office.one_time_box = invitation.one_time_box;
        office.expires = invitation.expires;
        offices.emplace(invitation.index, std::move(office));
        return ok();
    }
    Result<void> operator()(const CancelInvitation& cancel) {
        auto* office = TRY(existing(cancel.index));
        if (office->state != OfficeState::invited) {
            return fail(Errc::malformed, "roster: cancels what is no open invitation");
        }
        end_invitation(*office);
        return ok();
    }
    Result<void> operator()(const Revoke& revoke) {
        auto* office = TRY(existing(revoke.index));
        if (office->state == OfficeState::invited) {
            end_invitation(*office);
        } else {
            office->state = OfficeState::revoked;
        }
        office->cut_off = revoke.cut_off;
        return ok();
    }
    Result<void> operator()(const Retire& retire) {
        auto* office = TRY(existing(retire.index));
        if (!office->is_member()) {
            return fail(Errc::malformed, "roster: retires what is no member");
        }
        office->state = retire.closed ? OfficeState::retired : OfficeState::retiring;
        office->successor = retire.successor;
        office->cut_off = retire.closed;
        return ok();
    }
    Result<void> operator()(const JoinHeads&) { return ok(); }
    Result<void> operator()(const UnknownStatement&) { return ok(); }
};

}  // namespace

namespace {

// The offices that a statement may change: the one that it names, and the one that this one
// replaces.
std::vector<OfficeId> touched_by(const RosterStatement& statement,
                                 const std::map<OfficeId, RosterOffice>& offices) {
    return std::visit(
        [&](const auto& one) {
            std::vector<OfficeId> touched;
            if constexpr (requires { one.index; }) {
                touched.push_back(one.index);
                if (const auto found = offices.find(one.index); found != offices.end()) {
                    touched.push_back(found->second.replaces);
                }
            }
            if constexpr (requires { one.replaces; }) {
                touched.push_back(one.replaces);
            }
            return touched;
        },
        statement);
}

}  // namespace

Result<void> verify_authority(const Founding& founding, std::string_view label,
                              const NetworkId& network, BytesView message,
                              const std::vector<AuthoritySignature>& signatures) {
    unsigned good = 0;
    for (const auto& signature : signatures) {
        if (signature.key_number >= founding.authority_keys.size()) {
            return fail(Errc::untrusted, fmt::format("{}: by a key that is none", label));
        }
        if (!verify(founding.authority_keys[signature.key_number], label, network, message,
                    signature.signature)) {
            return fail(Errc::untrusted, fmt::format("{}: a signature does not verify", label));
        }
        ++good;
    }
    if (good < founding.threshold) {
        return fail(Errc::untrusted,
                    fmt::format("{}: {} of {} signatures", label, good, founding.threshold));
    }
    return ok();
}

NetworkId network_id_of(const Founding& founding) {
    return NetworkId{hash("founding", no_network, {signed_bytes(founding)}).bytes};
}

Hash founding_key_hash(const FoundingKey& key) {
    return hash("founding-key", no_network, {key.view()});
}

Hash roster_change_hash(const NetworkId& network, const RosterChange& change) {
    return hash("roster-id", network, {signed_bytes(change)});
}

Result<Roster> Roster::found(const Founding& founding) {
    TRY(verify_authority(founding, "founding", no_network, signed_bytes(founding),
                         founding.signatures));
    Roster roster;
    roster.network_ = network_id_of(founding);
    roster.founding_ = founding;
    return roster;
}

bool Roster::contradicts(const RosterChange& change) const {
    const bool is_other = change.version <= version()
                              ? hashes_[change.version - 1] != roster_change_hash(network_, change)
                              : change.version == version() + 1 && change.prev != head();
    return is_other &&
           verify_authority(founding_, "roster", network_, signed_bytes(change), change.signatures)
               .has_value();
}

Result<void> Roster::apply(const RosterChange& change) {
    if (change.version != version() + 1 || change.prev != head()) {
        return fail(Errc::refused, fmt::format("roster: version {} does not continue version {}",
                                               change.version, version()));
    }
    TRY(verify_authority(founding_, "roster", network_, signed_bytes(change), change.signatures));
    // A change counts whole or not at all, so a failure restores the offices that it names. All of
    // them are not copied: a roster of thousands is read change by change at each start.
    std::map<OfficeId, std::optional<RosterOffice>> before;
    for (const auto& statement : change.statements) {
        for (const auto index : touched_by(statement, offices_)) {
            const auto* office = find(index);
            before.emplace(index, office == nullptr ? std::nullopt : std::optional(*office));
        }
    }
    if (auto done = apply_statements(change); !done) {
        for (auto& [index, office] : before) {
            if (office) {
                offices_.insert_or_assign(index, std::move(*office));
            } else {
                offices_.erase(index);
            }
        }
        return done;
    }
    hashes_.push_back(roster_change_hash(network_, change));
    for (const auto& statement : change.statements) {
        if (const auto* admit = std::get_if<Admit>(&statement)) {
            names_.emplace(admit->name, admit->index);
        }
        if (const auto* invitation = std::get_if<Invitation>(&statement)) {
            names_.emplace(invitation->name, invitation->index);
        }
    }
    return ok();
}

Result<void> Roster::apply_statements(const RosterChange& change) {
    for (const auto& statement : change.statements) {
        TRY(apply_statement(statement, change));
    }
    // Without this check, a forgotten revocation would leave two live offices of one name.
    for (const auto& statement : change.statements) {
        const auto* admit = std::get_if<Admit>(&statement);
        const auto* replaced = admit == nullptr ? nullptr : find(admit->replaces);
        if (replaced != nullptr && replaced->is_live()) {
            return fail(Errc::malformed,
                        fmt::format("roster: {} is replaced, but not revoked", replaced->name));
        }
    }
    return ok();
}

Result<void> Roster::apply_statement(const RosterStatement& statement, const RosterChange& change) {
    return std::visit(Effects{offices_, change.at, change.version}, statement);
}

const RosterOffice* Roster::find(OfficeId index) const {
    const auto found = offices_.find(index);
    return found == offices_.end() ? nullptr : &found->second;
}

const RosterOffice* Roster::find(std::string_view name) const {
    const RosterOffice* invited = nullptr;
    for (const auto* office : offices_named(name)) {
        if (office->is_member()) {
            return office;
        }
        if (office->state == OfficeState::invited) {
            invited = office;
        }
    }
    return invited;
}

std::vector<const RosterOffice*> Roster::offices_named(std::string_view name) const {
    std::vector<const RosterOffice*> all;
    for (auto at = names_.lower_bound({std::string(name), OfficeId{0}});
         at != names_.end() && at->first == name; ++at) {
        const auto* office = find(at->second);
        if (office != nullptr && office->name == name) {
            all.push_back(office);
        }
    }
    return all;
}

std::optional<OfficeId> Roster::office_of_link(const BoxPublic& link) const {
    for (const auto& [index, office] : offices_) {
        if ((office.is_member() && office.link == link) ||
            (office.state == OfficeState::invited && office.one_time_box == link)) {
            return index;
        }
    }
    return std::nullopt;
}

bool Roster::has_shut_out(const BoxPublic& link) const {
    return std::ranges::any_of(offices_, [&](const auto& entry) {
        const auto& office = entry.second;
        return office.has_keys() && !office.is_member() && office.link == link;
    });
}

OfficeId Roster::next_index() const {
    return offices_.empty()
               ? OfficeId{0}
               : OfficeId{static_cast<std::uint16_t>(value_of(offices_.rbegin()->first) + 1)};
}

Founding sign_founding(const SigningKey& authority, Founding founding) {
    founding.threshold = 1;
    founding.authority_keys = {authority.public_key()};
    founding.signatures = {{0, authority.sign("founding", no_network, signed_bytes(founding))}};
    return founding;
}

void sign_change(const SigningKey& authority, const Roster& roster, RosterChange& change) {
    change.version = roster.version() + 1;
    change.prev = roster.head();
    const auto& keys = roster.founding().authority_keys;
    const auto key = std::ranges::find(keys, authority.public_key());
    ensure(key != keys.end(), "an authority signs with a key of the founding statement");
    change.signatures = {{static_cast<std::uint8_t>(key - keys.begin()),
                          authority.sign("roster", roster.network(), signed_bytes(change))}};
}

}  // namespace fieldpost::crypto

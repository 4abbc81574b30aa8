// How offices of a World come and go.
#include "tests/simulation/world.h"

namespace fieldpost::tests {

std::shared_ptr<const crypto::Invite> World::invite(const std::string& name, bool replace) {
    auto made = invite_if_up(name, replace);
    REQUIRE(made != nullptr);
    return made;
}

std::shared_ptr<const crypto::Invite> World::invite_if_up(const std::string& name, bool replace) {
    std::vector<engine::Notice> notices;
    if (!batch(0, {engine::InviteWanted{next_request_++, name, Role::field, 86400, replace}},
               &notices)) {
        return nullptr;
    }
    const auto answer = std::ranges::find_if(notices, [](const engine::Notice& notice) {
        return std::holds_alternative<engine::Invited>(notice);
    });
    REQUIRE(answer != notices.end());
    return std::get<engine::Invited>(*answer).invite;
}

Node World::join(const crypto::Invite& invite) {
    auto roster = crypto::Roster::found(invite.founding).value();
    for (const auto& change : invite.roster) {
        REQUIRE(roster.apply(change).has_value());
    }
    const auto ordinal = roster.find(invite.index)->first_ordinal;
    Office office;
    office.keys = std::make_unique<tests::Office>();
    office.keys->index = invite.index;
    office.replaces = roster.find(invite.index)->replaces;
    office.keys->machine = crypto::MachineKeys::random(invite.founding_key.duplicate());
    office.keys->mail = crypto::MailKeys::random();
    office.keys->mail.prekeys.emplace(std::uint16_t{1}, crypto::BoxKeyPair::random());
    office.one_time = crypto::one_time_box_key(invite.seed).public_key;
    auto registers = invite.registers;
    registers.push_back(
        crypto::make_enrolment(crypto::one_time_signing_key(invite.seed), office.keys->machine,
                               office.keys->mail.signing.public_key(), network_.id(), invite.index,
                               {{ordinal, 7}, 0}, now(0).wall));
    offices_.push_back(std::move(office));
    open_store(size() - 1, invite.roster, registers, {ordinal, 7});
    start(size() - 1);
    return size() - 1;
}

void World::meet(Node a, Node b, int times) {
    for (int i = 0; i < times; ++i) {
        connect(a, b);
        run_until_idle(std::chrono::hours{1});
    }
    cut(a, b);
}

std::vector<Node> World::machines_of(Node node) const {
    std::vector<Node> machines = {node};
    // A machine knows from its invitation which one it replaces.
    for (Node later = node + 1; later < size(); ++later) {
        if (offices_[later].replaces == index_of(machines.back())) {
            machines.push_back(later);
        }
    }
    return machines;
}

void World::change_roster(std::vector<RosterStatement> statements) {
    network_.change(std::move(statements), now(0).wall);
    // With its keys hq would take it for a change that it signed and forgot.
    lock_mail(0, true);
    tell(0, 1, RosterNews{{network_.changes.back()}});
    lock_mail(0, false);
}

template <class Answer>
const Answer* World::answer_in(const std::vector<engine::Notice>& notices) {
    for (const auto& notice : notices) {
        if (const auto* answer = std::get_if<Answer>(&notice)) {
            return answer;
        }
    }
    return nullptr;
}

std::optional<CutOff> World::revoke(Node node, const std::vector<storage::ReportKey>& keep) {
    std::vector<engine::Notice> notices;
    const engine::RevocationWanted wanted{next_request_++, index_of(node), "taken at a border",
                                          keep};
    if (!is_up(0) || !batch(0, {wanted}, &notices)) {
        return std::nullopt;
    }
    const auto* revoked = answer_in<engine::Revoked>(notices);
    const auto* declined = answer_in<engine::Declined>(notices);
    INFO((declined != nullptr ? declined->error.detail : ""));
    REQUIRE(revoked != nullptr);
    return revoked->cut_off;
}

bool World::revoke_if_allowed(Node node) {
    std::vector<engine::Notice> notices;
    REQUIRE(batch(0, {engine::RevocationWanted{next_request_++, index_of(node), "lost", {}}},
                  &notices));
    return answer_in<engine::Revoked>(notices) != nullptr;
}

void World::cancel_invitation(OfficeId invited) {
    REQUIRE(batch(0, {engine::RevocationWanted{next_request_++, invited, "not needed", {}}}));
}

void World::go_on_here(Node node) {
    batch(node, {engine::ContinueWanted{next_request_++}});
}

void World::block(Node node, Node other, bool undo) {
    batch(node, {engine::BlockWanted{next_request_++, index_of(other), undo}});
}

bool World::knows_cut_off(Node node, Node other) const {
    const auto* office = ledger(node).roster().find(index_of(other));
    return office != nullptr && office->cut_off.has_value();
}

}  // namespace fieldpost::tests

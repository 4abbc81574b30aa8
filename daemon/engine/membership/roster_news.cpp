#include "daemon/engine/membership/roster_news.h"

#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

// An authority that hears of a change that it signed itself was put back. One that was caught
// already learns here what it had forgotten.
void check_own_change(Ledger& ledger, const RosterChange& change, Via from, Now now,
                      std::vector<Notice>& notify) {
    const auto* mail = ledger.config().mail;
    const auto& keys = ledger.roster().founding().authority_keys;
    const bool is_ours = mail != nullptr && mail->authority &&
                         std::ranges::any_of(change.signatures, [&](const auto& one) {
                             return keys[one.key_number] == mail->authority->public_key();
                         });
    if (is_ours && !was_caught_lately(ledger, now)) {
        stop_writing(ledger, from, std::nullopt, ledger.meta().incarnation, now, notify);
    }
}

}  // namespace

Result<RosterTaken> take_roster(Ledger& ledger, const RosterNews& news, Via from, Now now,
                                std::vector<Notice>& notify) {
    for (const auto& change : news.changes) {
        if (ledger.roster().contradicts(change)) {
            // Once, for every meeting with an office of the other roster shows it again.
            if (!ledger.meta().roster_frozen) {
                check_own_change(ledger, change, from, now, notify);
                ledger.edit_meta().roster_frozen = true;
                ledger.note(What::roster_conflict, {}, now, notify);
            }
            return RosterTaken::contradicts;
        }
        const bool joins_heads = std::ranges::any_of(change.statements, [](const auto& statement) {
            return std::holds_alternative<JoinHeads>(statement);
        });
        if (change.version <= ledger.roster().version() ||
            (ledger.meta().roster_frozen && !joins_heads)) {
            continue;
        }
        TRY(ledger.apply_roster_change(change, now));
        check_own_change(ledger, change, from, now, notify);
        ledger.edit_meta().roster_frozen = false;
        ledger.note(What::roster, {.office = from.office}, now, notify);
    }
    return RosterTaken::whole;
}

std::vector<RosterNews> roster_news(const Ledger& ledger, std::uint32_t version, std::uint32_t last,
                                    std::size_t frame_bytes) {
    std::vector<RosterNews> frames;
    std::size_t size = frame_bytes;
    for (auto i = version; i < std::min(last, ledger.roster().version()); ++i) {
        if (size >= frame_bytes) {
            frames.emplace_back();
            size = 0;
        }
        const auto& change = ledger.roster_changes()[i];
        size += encode_roster_change(change).size();
        frames.back().changes.push_back(change);
    }
    return frames;
}

}  // namespace fieldpost::engine

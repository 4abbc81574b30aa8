#include "daemon/engine/membership/roster_news.h"

namespace fieldpost::engine {

Result<void> take_roster(Ledger& ledger, const RosterNews& news, Via from, Now now,
                         std::vector<Notice>& notify) {
    for (const auto& change : news.changes) {
        if (ledger.roster().contradicts(change)) {
            ledger.edit_meta().roster_frozen = true;
            ledger.note(What::roster_conflict, {}, now, notify);
            return ok();
        }
        const bool joins_heads = std::ranges::any_of(change.statements, [](const auto& statement) {
            return std::holds_alternative<JoinHeads>(statement);
        });
        if (change.version <= ledger.roster().version() ||
            (ledger.meta().roster_frozen && !joins_heads)) {
            continue;
        }
        TRY(ledger.apply_roster_change(change, now));
        ledger.edit_meta().roster_frozen = false;
        ledger.note(What::roster, {.office = from.office}, now, notify);
    }
    return ok();
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

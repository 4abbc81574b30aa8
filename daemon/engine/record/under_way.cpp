#include "daemon/engine/record/under_way.h"

#include "daemon/engine/ledger.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// The body with the lowest rank is dropped first.
auto rank_of(const UnderWay& one) {
    return std::tuple(one.log.record_class == RecordClass::urgent, one.checked_bytes, one.touched);
}

struct Kept {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    const std::pair<const RecordId, UnderWay>* least = nullptr;
};

// The bodies of this author, without the body `but`.
Kept kept_of(const Ledger& ledger, OfficeId author, const RecordId& but) {
    Kept kept;
    for (const auto& entry : ledger.partials()) {
        if (entry.second.log.author != author || entry.first == but) {
            continue;
        }
        ++kept.count;
        kept.bytes += entry.second.bytes_on_disk();
        if (kept.least == nullptr || rank_of(entry.second) < rank_of(kept.least->second)) {
            kept.least = &entry;
        }
    }
    return kept;
}

}  // namespace

bool make_room_under_way(Ledger& ledger, const RecordId& id, const LogKey& log,
                         std::uint64_t checked, std::uint64_t unchecked) {
    UnderWay own;
    if (const auto found = ledger.partials().find(id); found != ledger.partials().end()) {
        own = found->second;
    }
    own.log = log;
    own.checked_bytes += checked;
    own.touched = UINT64_MAX;
    const auto bytes = own.checked_bytes + std::max<std::uint64_t>(own.prefix_bytes, unchecked);
    while (true) {
        const auto kept = kept_of(ledger, log.author, id);
        if (kept.count < limits::partials_max && kept.bytes + bytes <= limits::partial_bytes_max) {
            return true;
        }
        if (kept.least == nullptr || rank_of(own) < rank_of(kept.least->second)) {
            return false;
        }
        ledger.drop_partial(RecordId(kept.least->first));
    }
}

std::optional<RecordId> least_carried_under_way(const Ledger& ledger, OfficeId author) {
    const std::pair<const RecordId, UnderWay>* least = nullptr;
    for (const auto& entry : ledger.partials()) {
        if (entry.second.log.author == author && !entry.second.is_for_us &&
            (least == nullptr || rank_of(entry.second) < rank_of(least->second))) {
            least = &entry;
        }
    }
    return least == nullptr ? std::nullopt : std::optional(least->first);
}

void bound_under_way(Ledger& ledger) {
    std::set<OfficeId> authors;
    for (const auto& [id, one] : ledger.partials()) {
        authors.insert(one.log.author);
    }
    for (const auto author : authors) {
        auto kept = kept_of(ledger, author, {});
        while (kept.count > limits::partials_max || kept.bytes > limits::partial_bytes_max) {
            ledger.drop_partial(RecordId(kept.least->first));
            kept = kept_of(ledger, author, {});
        }
    }
}

void expire_under_way(Ledger& ledger) {
    std::vector<RecordId> expired;
    for (const auto& [id, one] : ledger.partials()) {
        if (one.expires.is_over_at(ledger.aged())) {
            expired.push_back(id);
        }
    }
    for (const auto& id : expired) {
        ledger.drop_partial(id);
    }
}

}  // namespace fieldpost::engine

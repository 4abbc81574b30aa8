#include "daemon/engine/record/carry_share.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Bytes on disk of one row in a B-tree page, which is three quarters full. A larger value has pages
// of its own.
std::uint64_t row_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t page_bytes = 4096;
    constexpr std::uint64_t head_bytes = 16;
    const auto all = bytes + head_bytes;
    return all <= page_bytes / 2 ? all * 4 / 3 : (all + page_bytes - 1) / page_bytes * page_bytes;
}

// Bytes beside the contents: in a record's own row, in its rows in the tables of numbers and
// expiries, and in the row of a part.
constexpr std::uint64_t record_row_bytes = 150;
constexpr std::uint64_t number_row_bytes = 30;
constexpr std::uint64_t part_row_bytes = 12;

struct Share {
    OfficeId author{};
    std::uint64_t bytes = 0;
};

std::vector<Share> shares_of(const Ledger& ledger) {
    std::map<OfficeId, std::uint64_t> bytes;
    for (const auto& [office, peer] : ledger.peers()) {
        bytes[office] += peer.carried_bytes;
    }
    for (const auto& [id, partial] : ledger.partials()) {
        if (!partial.is_for_us) {
            bytes[partial.log.author] += partial.bytes_on_disk();
        }
    }
    std::vector<Share> shares;
    for (const auto& [author, sum] : bytes) {
        if (sum > 0) {
            shares.push_back({author, sum});
        }
    }
    return shares;
}

// The newest carried record of a log. Nothing if there is none.
Result<std::optional<storage::StoredRecord>> newest_carried(Ledger& ledger, const LogKey& log) {
    const auto& state = ledger.log(log);
    auto& from = ledger.carried_up_to(log);
    const auto& runs = state.held.intervals();
    for (auto at = runs.rbegin(); at != runs.rend(); ++at) {
        auto number = std::min(at->last, from);
        while (number >= at->first) {
            auto record = TRY(ledger.store().record(log, number, storage::WithBody::no));
            if (!record) {
                return fail(Errc::corrupt, "store: a held number without its record");
            }
            // A record for this office is in its archive, and does not count as carried.
            if (!TRY(ledger.store().archive(record->arrival))) {
                from = record->run.last;
                return record;
            }
            number = record->run.first - 1;
        }
    }
    from = 0;
    return std::optional<storage::StoredRecord>{};
}

// Bodies under way go before whole records.
Result<bool> let_go_one(Ledger& ledger, OfficeId author) {
    if (const auto least = least_carried_under_way(ledger, author)) {
        ledger.drop_partial(*least);
        return true;
    }
    for (const auto record_class :
         {RecordClass::bulk, RecordClass::normal, RecordClass::reply, RecordClass::urgent}) {
        for (const auto& [log, state] : ledger.logs_of(author)) {
            if (log.record_class != record_class || state.held.empty()) {
                continue;
            }
            if (const auto record = TRY(newest_carried(ledger, log))) {
                TRY(ledger.let_go(*record, RefusalReason::no_room));
                return true;
            }
        }
    }
    return false;
}

}  // namespace

std::uint64_t bytes_on_disk(const Header& header, bool is_in_parts) {
    std::uint64_t bytes = 2 * row_bytes(number_row_bytes) +
                          row_bytes(record_row_bytes + encode_header(header).size() +
                                    (is_in_parts ? 0 : header.body_bytes));
    if (is_in_parts) {
        const BodyShape shape{header.body_bytes};
        const auto parts = part_count(shape);
        bytes += row_bytes(part_row_bytes + part_size(shape, 1));
        // A body in one piece has one part only.
        bytes += parts > 1 ? row_bytes(part_row_bytes + part_size(shape, parts)) : 0;
        bytes += parts > 2 ? (parts - 2) * row_bytes(part_row_bytes + limits::segment_bytes) : 0;
    }
    return bytes;
}

std::uint64_t carried_bytes(const Ledger& ledger) {
    auto bytes = ledger.meta().carried_bytes;
    for (const auto& [id, partial] : ledger.partials()) {
        bytes += partial.is_for_us ? 0 : partial.bytes_on_disk();
    }
    return bytes;
}

std::uint64_t carry_limit(const Ledger& ledger) {
    const auto configured = ledger.config().carry_bytes_max;
    const auto usage = ledger.store().usage();
    if (usage.limit_bytes == 0) {
        return configured;
    }
    // Mail for this office is taken while a sixteenth of the store's limit is free (has_disk_room).
    // Carried mail begins to give way a sixteenth before that.
    const auto for_all = usage.limit_bytes - usage.limit_bytes / 8;
    const auto carried = carried_bytes(ledger);
    const auto others = usage.used_bytes - std::min(usage.used_bytes, carried);
    const auto wanted = others + ledger.wanted_room();
    return std::min(configured, for_all - std::min(for_all, wanted));
}

bool may_carry(const Ledger& ledger, OfficeId author, std::uint64_t bytes) {
    const auto shares = shares_of(ledger);
    const auto own = std::ranges::find(shares, author, &Share::author);
    const auto mine = bytes + (own == shares.end() ? 0 : own->bytes);
    auto total = mine;
    for (const auto& share : shares) {
        total += share.author == author ? 0 : std::min(share.bytes, mine);
    }
    return total <= carry_limit(ledger);
}

Result<void> fit_carry_share(Ledger& ledger) {
    const auto limit = carry_limit(ledger);
    ledger.want_room(0);
    if (carried_bytes(ledger) <= limit) {
        return ok();
    }
    auto shares = shares_of(ledger);
    while (carried_bytes(ledger) > limit && !shares.empty()) {
        const auto most = std::ranges::max_element(shares, {}, &Share::bytes);
        const auto before = carried_bytes(ledger);
        if (TRY(let_go_one(ledger, most->author))) {
            const auto gone = before - std::min(before, carried_bytes(ledger));
            most->bytes -= std::min(most->bytes, gone);
        } else {
            shares.erase(most);
        }
    }
    return ok();
}

bool is_count_sound(const Ledger& ledger) {
    std::uint64_t counted = 0;
    for (const auto& [office, peer] : ledger.peers()) {
        counted += peer.carried_bytes;
    }
    return counted == ledger.meta().carried_bytes;
}

Result<void> recount_carried(Ledger& ledger) {
    std::map<OfficeId, std::uint64_t> bytes;
    std::uint64_t records = 0;
    storage::Arrival from{1};
    while (const auto record = TRY(ledger.store().record_from(from, storage::WithBody::no))) {
        from = storage::Arrival{static_cast<std::uint64_t>(record->arrival) + record->run.count()};
        // Counts by the rule by which drop_if_useless subtracts a record again (terminal.cpp).
        if (!TRY(ledger.store().archive(record->arrival))) {
            ++records;
            bytes[record->log.author] +=
                bytes_on_disk(TRY(decode_header(record->header)), record->blob != storage::Blob{});
        }
    }
    std::vector<OfficeId> known;
    for (const auto& [office, peer] : ledger.peers()) {
        known.push_back(office);
    }
    for (const auto office : known) {
        bytes.try_emplace(office, 0);
    }
    auto& meta = ledger.edit_meta();
    meta.carried_records = records;
    meta.carried_bytes = 0;
    for (const auto& [office, sum] : bytes) {
        meta.carried_bytes += sum;
        ledger.edit_peer(office).carried_bytes = sum;
    }
    return ok();
}

void release_refused(Ledger& ledger) {
    const auto& meta = ledger.meta();
    const auto limit = carry_limit(ledger);
    // Waits until a quarter is free. Otherwise the same few records would be sent again and again.
    if (carried_bytes(ledger) + limit / 4 > limit) {
        return;
    }
    const auto mean = meta.carried_records == 0 ? std::uint64_t{limits::segment_bytes}
                                                : meta.carried_bytes / meta.carried_records;
    const auto refused_of = [](const storage::LogState& state) {
        return state.refused.find(static_cast<std::uint8_t>(RefusalReason::no_room));
    };
    // Each author gets an equal part. Otherwise one author's refused records could fill it all, and
    // no other author's would come back.
    std::map<OfficeId, std::uint64_t> left;
    for (const auto& [log, state] : ledger.logs()) {
        if (refused_of(state) != state.refused.end()) {
            left[log.author] = 0;
        }
    }
    for (auto& [author, numbers] : left) {
        numbers = limit / 4 / std::max<std::uint64_t>(1, mean) / left.size() + 1;
    }
    for (const auto record_class :
         {RecordClass::urgent, RecordClass::reply, RecordClass::normal, RecordClass::bulk}) {
        for (const auto& [log, state] : std::map(ledger.logs())) {
            const auto refused = refused_of(state);
            if (log.record_class != record_class || refused == state.refused.end()) {
                continue;
            }
            auto& numbers = left.at(log.author);
            IntervalSet some;
            for (const auto& interval : refused->second.intervals()) {
                if (numbers == 0) {
                    break;
                }
                const auto count = std::min(numbers, interval.count());
                some.add({interval.first, static_cast<Number>(interval.first + count - 1)});
                numbers -= count;
            }
            ledger.release(log, RefusalReason::no_room, some);
        }
    }
}

}  // namespace fieldpost::engine

#include "daemon/engine/record/chain.h"

namespace fieldpost::engine {

namespace {

// `prev`: the start of the id that the record at `number` names as the one before it.
void take_back_below(Ledger& ledger, const LogKey& log, Number number, const ShortHash& prev) {
    const auto below = intersection(ledger.log(log).receipted, {{1, number - 1}});
    for (const auto run : below.intervals()) {
        ledger.edit_log(log).take_back_receipt(run);
    }
    ledger.edit_log(log).note_bottom(number, prev);
}

// The record from `number` on does not follow the one before it. That one may be gone. Then the
// highest one below it that is still here is what can be proved another.
Result<void> note_break(Ledger& ledger, const LogKey& log, Number number, const ShortHash& prev) {
    take_back_below(ledger, log, number, prev);
    ledger.ask_for_proof(log, number - 1);
    const auto below =
        TRY(ledger.store().record_beginning_to(log, number - 1, storage::WithBody::no));
    if (below) {
        ledger.ask_for_proof(log, below->run.last);
    }
    return ok();
}

Result<std::optional<storage::StoredRecord>> public_record(const Ledger& ledger, const LogKey& log,
                                                           Number number) {
    auto record = TRY(ledger.store().record(log, number, storage::WithBody::no));
    return record && !record->id.is_zero() ? std::move(record)
                                           : std::optional<storage::StoredRecord>{};
}

}  // namespace

Result<Neighbours> neighbours_of(const Ledger& ledger, const LogKey& log, Interval run) {
    const auto& state = ledger.log(log);
    // A record that told nothing new may be gone. What is told as received is known all the same.
    Neighbours neighbours{.before = storage::LogState::end_at(state.tops, run.first - 1),
                          .prev_of_after = storage::LogState::end_at(state.bottoms, run.last + 1)};
    if (!neighbours.before && run.first > 1) {
        if (const auto record = TRY(public_record(ledger, log, run.first - 1))) {
            neighbours.before = short_hash(record->id);
        }
    }
    if (!neighbours.prev_of_after && run.last < record_number_max) {
        if (const auto record = TRY(public_record(ledger, log, run.last + 1))) {
            neighbours.prev_of_after = short_hash(TRY(decode_header(record->header)).prev);
        }
    }
    return neighbours;
}

Result<void> check_neighbours(Ledger& ledger, const storage::StoredRecord& record,
                              const Header& header, const Neighbours& neighbours) {
    const auto& log = record.log;
    if (log.author == ledger.us()) {
        return ok();
    }
    const auto after = record.run.last + 1;
    if (neighbours.prev_of_after && *neighbours.prev_of_after != short_hash(record.id)) {
        return note_break(ledger, log, after, *neighbours.prev_of_after);
    }
    const auto& state = ledger.log(log);
    if (neighbours.prev_of_after && !state.receipted.contains(after) &&
        !state.unreadable.contains(after) && !state.withdrawn.contains(after)) {
        // It lies below a break.
        take_back_below(ledger, log, after, *neighbours.prev_of_after);
        return ok();
    }
    if (neighbours.before && *neighbours.before != short_hash(header.prev)) {
        return note_break(ledger, log, record.run.first, short_hash(header.prev));
    }
    return ok();
}

}  // namespace fieldpost::engine

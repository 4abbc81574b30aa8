#include "daemon/engine/record/chain.h"

namespace fieldpost::engine {

namespace {

void take_back_below(Ledger& ledger, const LogKey& log, Number number) {
    const auto below = intersection(ledger.log(log).receipted, {{1, number - 1}});
    for (const auto run : below.intervals()) {
        ledger.edit_log(log).take_back_receipt(run);
    }
}

// The record from `number` on does not follow the one before it.
void note_break(Ledger& ledger, const LogKey& log, Number number) {
    take_back_below(ledger, log, number);
    ledger.ask_for_proof(log, number - 1);
}

Result<std::optional<storage::StoredRecord>> public_record(const Ledger& ledger, const LogKey& log,
                                                           Number number) {
    auto record = TRY(ledger.store().record(log, number, storage::WithBody::no));
    return record && !record->id.is_zero() ? std::move(record)
                                           : std::optional<storage::StoredRecord>{};
}

}  // namespace

Result<void> check_neighbours(Ledger& ledger, const storage::StoredRecord& record,
                              const Header& header) {
    const auto& log = record.log;
    if (log.author == ledger.us()) {
        return ok();
    }
    if (record.run.last < record_number_max) {
        const auto after = TRY(public_record(ledger, log, record.run.last + 1));
        if (after && TRY(decode_header(after->header)).prev != prev_of(record.id)) {
            note_break(ledger, log, after->run.first);
            return ok();
        }
        const auto& state = ledger.log(log);
        if (after && !state.receipted.contains(after->run.first) &&
            !state.unreadable.contains(after->run.first) &&
            !state.withdrawn.contains(after->run.first)) {
            take_back_below(ledger, log, after->run.first);  // it lies below a break
            return ok();
        }
    }
    if (record.run.first > 1) {
        const auto before = TRY(public_record(ledger, log, record.run.first - 1));
        if (before && header.prev != prev_of(before->id)) {
            note_break(ledger, log, record.run.first);
        }
    }
    return ok();
}

}  // namespace fieldpost::engine

#include "daemon/engine/self_check.h"

#include "crypto/sealed_record.h"

namespace fieldpost::engine {

void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report, Now now,
                  std::vector<Notice>& notify) {
    if (ledger.meta().stopped) {
        return;
    }
    auto& meta = ledger.edit_meta();
    meta.stopped = true;
    meta.caught = ledger.wall(now);
    ledger.write(storage::RenewFeed{});
    ledger.note(What::rolled_back, {.office = ledger.us(), .report = report, .via = via}, now,
                notify);
}

Result<bool> has_used(const Ledger& ledger, const LogKey& log, Number number) {
    return TRY(ledger.store().report(storage::report_in(log, number))) ||
           TRY(ledger.store().reissued(storage::report_in(log, number)));
}

Result<std::optional<Prove>> unknown_top(const Ledger& ledger, const Receipt& receipt) {
    for (const auto& entry : receipt.logs) {
        const LogKey log{ledger.us(), entry.incarnation, entry.record_class};
        if (entry.received.empty() || entry.incarnation < ledger.meta().incarnation) {
            continue;
        }
        const auto top = entry.received.top();
        const auto held = TRY(ledger.held_id(log, top));
        const bool is_known =
            held ? short_hash(*held) == entry.top_id : TRY(has_used(ledger, log, top));
        if (!is_known) {
            return std::optional(Prove{log, top});
        }
    }
    return std::optional<Prove>{};
}

std::optional<Prove> unknown_number(const Ledger& ledger, const LogKey& log,
                                    const IntervalSet& not_wanted) {
    if (log.author != ledger.us() || log.incarnation < ledger.meta().incarnation) {
        return std::nullopt;
    }
    const auto& state = ledger.log(log);
    auto unknown = without(not_wanted, state.terminal());
    // A closing interval names no record.
    if (unknown.top() == UINT32_MAX) {
        unknown.remove(unknown.intervals().back());
    }
    if (state.published > 0) {
        unknown.remove({1, state.published});
    }
    return unknown.empty() ? std::nullopt : std::optional(Prove{log, unknown.next(1).value()});
}

Result<void> check_proof(Ledger& ledger, const RecordProof& proof, Via via, Now now,
                         std::vector<Notice>& notify) {
    const auto& log = proof.key.log;
    if (log.author != ledger.us() || log.incarnation < ledger.meta().incarnation) {
        return ok();
    }
    const auto id = crypto::record_id(ledger.network(), proof);
    if (!crypto::verify_record(ledger.config().machine->identity.public_key(), ledger.network(), id,
                               proof.signature)) {
        return ok();
    }
    const storage::ReportKey report{log.author,
                                    {log.incarnation, log.record_class, proof.key.number}};
    const auto held = TRY(ledger.held_id(log, proof.key.number));
    if (held ? *held != id : !TRY(has_used(ledger, log, proof.key.number))) {
        stop_writing(ledger, via, report, now, notify);
    }
    return ok();
}

Marker marker_of(const storage::OfficeMeta& meta) {
    return {meta.incarnation, meta.next_arrival, meta.next_counter};
}

bool is_behind(const storage::OfficeMeta& meta, const Marker& marker) {
    return meta.incarnation < marker.incarnation ||
           (meta.incarnation == marker.incarnation &&
            (meta.next_arrival < marker.next_arrival || meta.next_counter < marker.next_counter));
}

}  // namespace fieldpost::engine

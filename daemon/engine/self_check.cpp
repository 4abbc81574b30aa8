#include "daemon/engine/self_check.h"

#include "crypto/sealed_record.h"
#include "daemon/engine/membership/forks.h"

namespace fieldpost::engine {

namespace {

// A store that is caught again so soon was not only put back once: two copies are at work.
constexpr std::int64_t caught_again_seconds = std::int64_t{30} * 86400;

}  // namespace

void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report,
                  Incarnation seen, Now now, std::vector<Notice>& notify) {
    if (seen > ledger.meta().seen) {
        ledger.edit_meta().seen = seen;
    }
    if (ledger.meta().stopped) {
        return;
    }
    auto& meta = ledger.edit_meta();
    const bool is_again = meta.caught != WallTime{} &&
                          !is_older_than(meta.caught, caught_again_seconds, ledger.wall(now));
    meta.stopped = true;
    meta.caught = ledger.wall(now);
    ledger.write(storage::RenewFeed{});
    ledger.note(is_again ? What::stopped : What::rolled_back,
                {.office = ledger.us(), .report = report, .via = via}, now, notify);
    if (is_again) {
        ledger.keep_raised(What::rolled_back, ledger.us(), 0, {}, now);
    } else {
        ledger.want_new_life();
    }
}

Result<bool> has_used(const Ledger& ledger, const LogKey& log, Number number, const ShortHash& id) {
    const auto reissue = TRY(ledger.store().reissued(storage::report_in(log, number)));
    return reissue ? reissue->id == ShortHash{} || reissue->id == id
                   : TRY(ledger.store().report(storage::report_in(log, number))).has_value();
}

Result<std::optional<Prove>> unknown_top(const Ledger& ledger, const Receipt& receipt) {
    for (const auto& entry : receipt.logs) {
        const LogKey log{ledger.us(), entry.incarnation, entry.record_class};
        if (entry.received.empty() || entry.incarnation < ledger.meta().incarnation) {
            continue;
        }
        const auto top = entry.received.top();
        const auto held = TRY(ledger.held_id(log, top));
        const bool is_known = held ? short_hash(*held) == entry.top_id
                                   : TRY(has_used(ledger, log, top, entry.top_id));
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

namespace {

Result<void> check_proof_of_other(Ledger& ledger, const RecordProof& proof, Via via, Now now,
                                  std::vector<Notice>& notify) {
    const auto& log = proof.key.log;
    const auto record =
        ledger.logs().contains(log)
            ? TRY(ledger.store().record_ending_from(log, proof.key.number, storage::WithBody::yes))
            : std::nullopt;
    const auto id = crypto::record_id(ledger.network(), proof);
    if (!record || !record->run.overlaps(proof.key.run()) || record->id == id) {
        return ok();
    }
    return accuse(ledger, TRY(proof_of(ledger, *record)), proof, via, now, notify);
}

}  // namespace

Result<void> check_proof(Ledger& ledger, const RecordProof& proof, Via via, Now now,
                         std::vector<Notice>& notify) {
    const auto& log = proof.key.log;
    if (log.author != ledger.us()) {
        return check_proof_of_other(ledger, proof, via, now, notify);
    }
    if (log.incarnation < ledger.meta().incarnation) {
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
    if (held ? *held != id : !TRY(has_used(ledger, log, proof.key.number, short_hash(id)))) {
        stop_writing(ledger, via, report, log.incarnation, now, notify);
    }
    return ok();
}

Marker marker_of(const Ledger& ledger) {
    const auto& meta = ledger.meta();
    return {meta.incarnation, meta.next_arrival, meta.next_counter, ledger.roster().version()};
}

bool is_behind(const Ledger& ledger, const Marker& marker) {
    const auto& meta = ledger.meta();
    return meta.incarnation < marker.incarnation ||
           ledger.roster().version() < marker.roster_version ||
           (meta.incarnation == marker.incarnation &&
            (meta.next_arrival < marker.next_arrival || meta.next_counter < marker.next_counter));
}

}  // namespace fieldpost::engine

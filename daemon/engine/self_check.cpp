#include "daemon/engine/self_check.h"

#include <fmt/format.h>

#include "crypto/sealed_record.h"
#include "daemon/engine/membership/forks.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/tops.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// A store that is caught again so soon was not only put back once: two copies are at work.
constexpr std::int64_t caught_again_seconds = std::int64_t{30} * 86400;

}  // namespace

StoppedWords stopped_words(const Ledger& ledger) {
    return ledger.meta().goes_on
               ? StoppedWords{"this office's store was put back, and it is finding out what it sent "
                              "before",
                              "try again in 10 seconds"}
               : StoppedWords{"this office has stopped: nothing new can be written here",
                              "see: fieldpost attention"};
}

std::unexpected<Error> fail_stopped(const Ledger& ledger) {
    const auto words = stopped_words(ledger);
    return fail(ledger.meta().goes_on ? Errc::unavailable : Errc::refused,
                fmt::format("{}; {}", words.what, words.hint));
}

bool was_caught_lately(const Ledger& ledger, Now now) {
    const auto caught = ledger.meta().caught;
    return caught != WallTime{} && !is_older_than(caught, caught_again_seconds, ledger.wall(now));
}

void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report,
                  Incarnation seen, Now now, std::vector<Notice>& notify) {
    if (seen > ledger.meta().seen) {
        ledger.edit_meta().seen = seen;
    }
    if (ledger.meta().stopped) {
        return;
    }
    const bool is_again = was_caught_lately(ledger, now);
    auto& meta = ledger.edit_meta();
    meta.stopped = true;
    meta.caught = ledger.wall(now);
    ledger.write(storage::RenewFeed{});
    ledger.note(is_again ? What::stopped : What::rolled_back,
                {.office = ledger.us(), .report = report, .via = via}, now, notify);
    meta.goes_on = !is_again;
    if (is_again) {
        ledger.keep_raised(What::rolled_back, ledger.us(), 0, {}, now);
    } else if (via.how == How::local) {
        ledger.go_on_at_once();
    }
}

Result<Sifted> sift(Ledger& ledger, const Receipt& receipt) {
    Sifted sifted;
    for (const auto& entry : receipt.logs) {
        const LogKey log{ledger.us(), entry.incarnation, entry.record_class};
        const auto numbers =
            TRY(tops_to_prove(ledger, log, united(entry.received, entry.unreadable), entry.tops));
        if (numbers.empty()) {
            sifted.believed.logs.push_back(entry);
        } else if (entry.incarnation >= ledger.meta().incarnation) {
            for (auto number = numbers.next(1);
                 number && sifted.to_prove.size() < limits::proofs_asked_max;
                 number = numbers.after(*number)) {
                sifted.to_prove.push_back({log, *number});
            }
        }
    }
    return sifted;
}

Result<std::vector<Prove>> untold_numbers(const Ledger& ledger, OfficeId recipient,
                                          const Receipt& receipt) {
    // A receipt also tells what its signer carries, so few numbers are looked at.
    constexpr int looks_a_log = 64;
    constexpr std::size_t asked_max = 4;
    std::vector<Prove> asked;
    for (const auto& entry : receipt.logs) {
        const LogKey log{ledger.us(), entry.incarnation, entry.record_class};
        if (entry.received.empty() || entry.incarnation < ledger.meta().incarnation) {
            continue;
        }
        auto told = united(entry.received, entry.unreadable);
        told.add(all_refused(entry));
        const auto untold =
            without(intersection(ledger.log(log).held, {{1, entry.received.top()}}), told);
        auto looks = looks_a_log;
        for (auto number = untold.next(1); number && looks > 0 && asked.size() < asked_max;
             number = untold.after(*number)) {
            --looks;
            const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
            if (record &&
                is_addressed_to(ledger.roster(), TRY(decode_header(record->header)), recipient)) {
                asked.push_back({log, *number});
            }
        }
    }
    return asked;
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
    const auto used = TRY(used_id(ledger, log, proof.key.number));
    if (!used || (*used != ShortHash{} && *used != short_hash(id))) {
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

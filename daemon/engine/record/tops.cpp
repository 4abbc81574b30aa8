#include "daemon/engine/record/tops.h"

#include "crypto/register_seal.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Numbers that are tried where the id at the top of a run is lost, and in all.
constexpr Number tries = 16;
constexpr int tries_in_all = 1024;

// The highest number of the run whose id is known here, and the start of the id.
Result<std::optional<std::pair<Number, ShortHash>>> find_top(const Ledger& ledger,
                                                             const LogKey& log, Interval run,
                                                             int& tries_left) {
    if (const auto id = storage::LogState::end_at(ledger.log(log).tops, run.last)) {
        return std::optional(std::pair(run.last, *id));
    }
    for (Number top = run.last; top >= run.first && run.last - top < tries && tries_left > 0;
         --top, --tries_left) {
        if (const auto id = TRY(ledger.held_id(log, top))) {
            return std::optional(std::pair(top, short_hash(*id)));
        }
    }
    return std::optional<std::pair<Number, ShortHash>>{};
}

}  // namespace

Result<NamedTops> name_tops(const Ledger& ledger, const LogKey& log, const IntervalSet& numbers) {
    std::vector<ShortHash> ids;
    NamedTops named;
    auto tries_left = tries_in_all;
    for (const auto run : numbers.intervals()) {
        if (const auto top = TRY(find_top(ledger, log, run, tries_left))) {
            ids.push_back(top->second);
            named.numbers.add({run.first, top->first});
        }
    }
    named.hash = crypto::hash_of_tops(ledger.network(), ids);
    return named;
}

Result<std::optional<ShortHash>> used_id(const Ledger& ledger, const LogKey& log, Number number) {
    if (const auto held = TRY(ledger.held_id(log, number))) {
        return held->is_zero() ? std::nullopt : std::optional(short_hash(*held));
    }
    if (number > ledger.log(log).published) {
        return std::optional<ShortHash>{};
    }
    // A reissue is dropped when it has ended, and the disk may have lost the record. Then the page
    // is all that is left (lost_records.h).
    const auto report = storage::report_in(log, number);
    if (const auto reissue = TRY(ledger.store().reissued(report))) {
        return std::optional(reissue->id);
    }
    return TRY(ledger.store().report(report)) ? std::optional(ShortHash{}) : std::nullopt;
}

Result<IntervalSet> tops_to_prove(Ledger& ledger, const LogKey& log, const IntervalSet& numbers,
                                  const ShortHash& tops) {
    std::vector<ShortHash> ids;
    bool is_every_id_known = true;
    for (const auto run : numbers.intervals()) {
        auto id = ledger.heard_receipts().own_id(log, run.last);
        if (!id) {
            id = TRY(used_id(ledger, log, run.last));
            if (!id) {
                return IntervalSet{{run.last, run.last}};
            }
            if (*id != ShortHash{}) {
                ledger.heard_receipts().remember_own_id(log, run.last, *id);
            }
        }
        is_every_id_known = is_every_id_known && *id != ShortHash{};
        ids.push_back(*id);
    }
    IntervalSet asked;
    if (is_every_id_known && crypto::hash_of_tops(ledger.network(), ids) != tops) {
        const auto& runs = numbers.intervals();
        const auto first = runs.size() - std::min(runs.size(), limits::proofs_asked_max);
        for (auto i = first; i < runs.size(); ++i) {
            asked.add({runs[i].last, runs[i].last});
        }
    }
    return asked;
}

}  // namespace fieldpost::engine

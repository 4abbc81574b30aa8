#include "daemon/engine/healing.h"

#include <fmt/format.h>

#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/lost_records.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

Result<void> put_aside_damage(Ledger& ledger, const std::optional<storage::PutAside>& checked,
                              Now now, std::vector<Notice>& notify) {
    for (const auto& log : ledger.damaged_logs()) {
        // Written anew with the next flush, and nothing of what was damaged stays.
        ledger.write(storage::DropLog{log});
        ledger.edit_log(log);
        ledger.note(What::damaged, {.office = log.author, .detail = "a log"}, now, notify);
        if (log.author == ledger.us()) {
            stop_writing(ledger, {ledger.us(), How::local}, std::nullopt, {}, now, notify);
        }
    }
    const auto values =
        TRY(ledger.store().erase_damaged()) + (checked ? checked->values : std::size_t{0});
    if (values > 0) {
        ledger.note(What::damaged,
                    {.office = ledger.us(), .detail = fmt::format("{} values", values)}, now,
                    notify);
    }
    std::set<OfficeId> authors;
    std::vector<LogKey> unsayable;
    for (const auto& [log, state] : ledger.logs()) {
        authors.insert(log.author);
        if (log.incarnation.ordinal == 0 || log.author >= authority_signer) {
            unsayable.push_back(log);
        }
    }
    for (const auto& log : unsayable) {
        ledger.drop_log(log);
        ledger.note(What::damaged, {.office = log.author, .detail = "a log that cannot be named"},
                    now, notify);
    }
    for (const auto author : authors) {
        TRY(drop_excess_logs(ledger, author, limits::logs_per_office_max));
    }
    return checked ? settle_lost_records(ledger, now, notify) : ok();
}

}  // namespace fieldpost::engine

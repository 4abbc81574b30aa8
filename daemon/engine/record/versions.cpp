#include "daemon/engine/record/versions.h"

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t filed_looked_at_max = 1024;
constexpr std::size_t versions_looked_at_max = 64;

// What the author of `report` filed with it, the newest first, as far as `is_wanted`.
template <class Wanted>
Result<std::vector<storage::Arrival>> filed_by_author(const Ledger& ledger,
                                                      const storage::ReportKey& report,
                                                      const Wanted& is_wanted) {
    std::vector<storage::Arrival> wanted;
    for (const auto arrival : TRY(ledger.store().newest_answers(report, filed_looked_at_max))) {
        const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::no));
        if (record && record->log.author == report.author &&
            is_wanted(TRY(decode_header(record->header)))) {
            wanted.push_back(arrival);
        }
    }
    return wanted;
}

bool is_withdrawal(const Header& header) {
    return header.kind == static_cast<std::uint8_t>(RecordKind::withdrawal);
}

Result<std::vector<storage::Arrival>> corrections_of(const Ledger& ledger,
                                                     const storage::ReportKey& first) {
    auto corrections = TRY(filed_by_author(ledger, first, [](const Header& header) {
        return header.log.record_class != RecordClass::reply;
    }));
    corrections.resize(std::min(corrections.size(), versions_looked_at_max));
    return corrections;
}

// The place of the report that arrived so, if it was not written elsewhere before.
Result<std::optional<storage::ReportKey>> key_at(const Ledger& ledger, storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::no));
    if (!record) {
        return std::optional<storage::ReportKey>{};
    }
    const auto position =
        static_cast<std::uint64_t>(arrival) - static_cast<std::uint64_t>(record->arrival);
    return std::optional(
        storage::report_in(record->log, static_cast<Number>(record->run.first + position)));
}

struct Version {
    std::uint32_t version = 0;
    storage::ReportKey key;
    storage::ReportProgress page;
    // Two corrections of one report may have one version. Then their places decide.
    [[nodiscard]] auto place() const { return std::pair(version, key.origin); }
};

// The versions of a report that are here.
Result<std::vector<Version>> versions_of(const Ledger& ledger, const storage::ReportKey& first) {
    std::vector<Version> versions;
    if (auto page = TRY(ledger.store().report(first))) {
        versions.push_back({0, first, std::move(*page)});
    }
    for (const auto arrival : TRY(corrections_of(ledger, first))) {
        const auto key = TRY(key_at(ledger, arrival));
        auto page = key ? TRY(ledger.store().report(*key)) : std::nullopt;
        if (page && page->corrects && page->corrects->first == first) {
            versions.push_back({page->corrects->version, *key, std::move(*page)});
        }
    }
    return versions;
}

// Looks anew which version of a report counts.
Result<void> find_newest_version(Ledger& ledger, const storage::ReportKey& first) {
    const auto versions = TRY(versions_of(ledger, first));
    const Version* newest = nullptr;
    for (const auto& one : versions) {
        if (!one.page.withdrawn && (newest == nullptr || newest->place() < one.place())) {
            newest = &one;
        }
    }
    for (const auto& one : versions) {
        const auto replaced_by = newest != nullptr && one.place() < newest->place()
                                     ? std::optional(newest->key)
                                     : std::nullopt;
        if (one.page.replaced_by == replaced_by) {
            continue;
        }
        if (replaced_by) {
            for (const auto& recipient : one.page.recipients) {
                ledger.settle(What::correct, recipient.office, one.key);
                ledger.settle(What::declined, recipient.office, one.key);
            }
        }
        auto page = one.page;
        page.replaced_by = replaced_by;
        ledger.write(storage::PutReport{one.key, std::move(page)});
    }
    return ok();
}

// False if this reference names another text than the one that is here under its place.
Result<bool> may_name(const Ledger& ledger, const ReportRef& named) {
    const auto page = TRY(ledger.store().report({named.author, named.origin}));
    return !page || TRY(may_have_hash(ledger, page->arrival, named.hash));
}

// A correction of another text than the one under that name here corrects nothing.
Result<bool> is_correction_of_text_here(const Ledger& ledger, const Report& report) {
    return TRY(may_name(ledger, *report.replaces)) &&
           (!report.first_version || TRY(may_name(ledger, *report.first_version)));
}

}  // namespace

Result<void> file_correction(Ledger& ledger, const storage::ReportKey& correction,
                             const Report& report) {
    auto page = TRY(ledger.store().report(correction));
    if (!page || !page->corrects) {
        return ok();
    }
    if (!TRY(is_correction_of_text_here(ledger, report))) {
        page->corrects.reset();
        ledger.write(storage::PutReport{correction, std::move(*page)});
        return ok();
    }
    const auto first = page->corrects->first;
    ledger.write(storage::AddAnswer{first, page->arrival, false});
    return find_newest_version(ledger, first);
}

Result<void> find_corrections(Ledger& ledger, const storage::ReportKey& first) {
    for (auto& one : TRY(versions_of(ledger, first))) {
        const auto correction =
            one.key == first ? std::nullopt : TRY(archived_at(ledger, one.page.arrival));
        if (correction && !TRY(is_correction_of_text_here(ledger, correction->report))) {
            one.page.corrects.reset();
            ledger.write(storage::PutReport{one.key, std::move(one.page)});
        }
    }
    return find_newest_version(ledger, first);
}

Result<bool> mark_withdrawn(Ledger& ledger, const storage::ReportKey& report,
                            const storage::Withdrawn& withdrawn, Now now) {
    auto page = TRY(ledger.store().report(report));
    if (!page || (page->withdrawn && (page->withdrawn->by || !withdrawn.by))) {
        return false;
    }
    const bool is_news = !page->withdrawn;
    page->withdrawn = withdrawn;
    for (auto& one : page->recipients) {
        if (report.author == ledger.us()) {
            advance(one, {.of = Proof::Of::withdrawn}, ledger.wall(now));
            ledger.settle(What::correct, one.office, report);
            ledger.settle(What::declined, one.office, report);
        }
    }
    const auto first = page->corrects ? page->corrects->first : report;
    ledger.write(storage::PutReport{report, std::move(*page)});
    TRY(find_newest_version(ledger, first));
    return is_news;
}

Result<std::vector<storage::Arrival>> withdrawals_of(const Ledger& ledger,
                                                     const storage::ReportKey& report) {
    return filed_by_author(ledger, report, is_withdrawal);
}

}  // namespace fieldpost::engine

#include "daemon/engine/record/versions.h"

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t versions_looked_at_max = 16;

struct Version {
    std::uint32_t version = 0;
    storage::ReportKey key;
    storage::ReportProgress page;
    // Two corrections of one report may have one version. Then their places decide.
    [[nodiscard]] auto place() const { return std::pair(version, key.origin); }
};

// The versions of a report that are here. A correction is no first version, whatever names it so.
Result<std::vector<Version>> versions_of(const Ledger& ledger, const storage::ReportKey& first) {
    std::vector<Version> versions;
    auto first_page = TRY(ledger.store().report(first));
    if (first_page && !first_page->corrects) {
        versions.push_back({0, first, std::move(*first_page)});
    }
    for (const auto& filed : TRY(ledger.store().newest_filed(first, storage::Filed::correction,
                                                             versions_looked_at_max))) {
        const auto key = TRY(key_at(ledger, filed.arrival));
        auto page = key ? TRY(ledger.store().report(*key)) : std::nullopt;
        if (page && page->corrects && page->corrects->first == first) {
            versions.push_back({page->corrects->version, *key, std::move(*page)});
        }
    }
    return versions;
}

// Null: none stands.
const Version* newest_of(const std::vector<Version>& versions) {
    const Version* newest = nullptr;
    for (const auto& one : versions) {
        if (!one.page.withdrawn && (newest == nullptr || newest->place() < one.place())) {
            newest = &one;
        }
    }
    return newest;
}

// Looks anew which version of a report counts.
Result<void> find_newest_version(Ledger& ledger, const storage::ReportKey& first) {
    const auto versions = TRY(versions_of(ledger, first));
    const auto* newest = newest_of(versions);
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

}  // namespace

Result<std::optional<storage::ReportKey>> standing_version(const Ledger& ledger,
                                                           const storage::ReportKey& report) {
    const auto page = TRY(ledger.store().report(report));
    const auto versions =
        TRY(versions_of(ledger, page && page->corrects ? page->corrects->first : report));
    const auto* newest = newest_of(versions);
    return newest == nullptr ? std::nullopt : std::optional(newest->key);
}

Result<void> file_correction(Ledger& ledger, const storage::ReportKey& correction,
                             const Report& report) {
    auto page = TRY(ledger.store().report(correction));
    if (!page || !page->corrects) {
        return ok();
    }
    // The first version decides. Those in between may never come, or come later.
    const auto& named = report.first_version ? *report.first_version : *report.replaces;
    const auto first = page->corrects->first;
    const auto first_page = TRY(ledger.store().report(first));
    if (first_page && !TRY(may_have_hash(ledger, first_page->arrival, named.hash))) {
        page->corrects.reset();  // it corrects another text than the one under that number here
        ledger.write(storage::PutReport{correction, std::move(*page)});
        return ok();
    }
    ledger.write(storage::FileWith{first, storage::Filed::correction, page->arrival, named.hash});
    return find_newest_version(ledger, first);
}

Result<void> find_corrections(Ledger& ledger, const storage::ReportKey& first) {
    const auto filed =
        TRY(ledger.store().newest_filed(first, storage::Filed::correction, versions_looked_at_max));
    const auto page = filed.empty() ? std::nullopt : TRY(ledger.store().report(first));
    for (const auto& one : filed) {
        if (!page || TRY(may_have_hash(ledger, page->arrival, one.hash))) {
            continue;
        }
        const auto key = TRY(key_at(ledger, one.arrival));
        auto its_page = key ? TRY(ledger.store().report(*key)) : std::nullopt;
        if (its_page && its_page->corrects && its_page->corrects->first == first) {
            its_page->corrects.reset();
            ledger.write(storage::PutReport{*key, std::move(*its_page)});
        }
    }
    return filed.empty() ? ok() : find_newest_version(ledger, first);
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

}  // namespace fieldpost::engine

// Second thoughts of people: corrections, withdrawals, and reports that they forget. And reports
// that wait until mail is opened.
#include <fmt/format.h>

#include "daemon/engine/membership/cut_offs.h"
#include "tests/simulation/world.h"

namespace fieldpost::tests {

Node World::author_of(const storage::ReportKey& report) const {
    Node author = 0;
    while (index_of(author) != report.author) {
        ++author;
    }
    return author;
}

std::optional<storage::ReportKey> World::correct(const storage::ReportKey& report) {
    const auto author = author_of(report);
    if (!is_up(author) || progress(author, report).value().withdrawn) {
        return std::nullopt;
    }
    engine::Submitted submitted;
    submitted.request = next_request_++;
    auto& draft = submitted.draft;
    const auto to = promised_.at(report);
    for (const auto node : to) {
        draft.to.push_back(index_of(node));
    }
    draft.report.text = fmt::format("correction {} of {}", submitted.request, author);
    draft.report.replaces = reference_to(report);
    const auto page = progress(author, report).value();
    draft.report.version = 1;
    if (page.corrects) {
        draft.report.version = page.corrects->version + 1;
        draft.report.first_version = reference_to(page.corrects->first);
    }
    const auto answer = submit(author, to, std::move(submitted));
    const auto* accepted = answer ? std::get_if<engine::Accepted>(&*answer) : nullptr;
    return accepted == nullptr ? std::nullopt : std::optional(accepted->report);
}

namespace {

bool is_accepted(const std::vector<engine::Notice>& notices) {
    return std::ranges::any_of(notices, [](const engine::Notice& notice) {
        return std::holds_alternative<engine::Accepted>(notice);
    });
}

}  // namespace

bool World::withdraw(const storage::ReportKey& report) {
    const auto author = author_of(report);
    if (!is_up(author)) {
        return false;
    }
    engine::WithdrawalWanted wanted{next_request_++, report, {}};
    auto& draft = wanted.draft;
    draft.kind = RecordKind::withdrawal;
    draft.record_class = RecordClass::reply;
    for (const auto node : promised_.at(report)) {
        draft.to.push_back(index_of(node));
    }
    draft.may_leave_out = {draft.to.begin(), draft.to.end()};
    draft.report.text = fmt::format("오류 {}", wanted.request);
    draft.report.withdraws = reference_to(report);
    std::vector<engine::Notice> notices;
    return batch(author, {wanted}, &notices) && is_accepted(notices);
}

bool World::forget(Node node, const storage::ReportKey& report) {
    std::vector<engine::Notice> notices;
    return is_up(node) && batch(node, {engine::ForgetWanted{next_request_++, report}}, &notices) &&
           is_accepted(notices);
}

bool World::was_receipted_locked(Node node, const storage::ReportKey& report) {
    const auto state = read_from(node, [&](const storage::RecordStore& store) {
        return store.log(storage::log_of(report));
    });
    const auto number = report.origin.number;
    return state && state->receipted.contains(number) && state->withdrawn.contains(number);
}

bool World::is_kept_unread(Node node, const storage::ReportKey& report) {
    return waits_unopened(node, report) || was_receipted_locked(node, report) ||
           was_cut_off_unread(node, report);
}

bool World::was_cut_off_unread(Node node, const storage::ReportKey& report) {
    return is_up(node) &&
           engine::is_beyond_cut_off(ledger(node), storage::log_of(report), report.origin.number);
}

bool World::waits_unopened(Node node, const storage::ReportKey& report) {
    auto& store = *offices_[node].store;
    REQUIRE(store.begin().has_value());
    const auto record =
        store.record(storage::log_of(report), report.origin.number, storage::WithBody::no).value();
    const auto entry = record ? store.archive(record->arrival).value() : std::nullopt;
    store.abort();
    return entry && entry->form == storage::ArchiveEntry::Form::unopened;
}

}  // namespace fieldpost::tests

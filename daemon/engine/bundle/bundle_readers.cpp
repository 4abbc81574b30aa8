#include "daemon/engine/bundle/bundle_readers.h"

namespace fieldpost::engine {

namespace {

using namespace std::chrono_literals;

// A reader that lacks the record after this time does not read the files of others there, or
// cannot.
constexpr auto left_to_others_for = 24h;

}  // namespace

Result<BundleReaders> BundleReaders::of(const Ledger& ledger, const BundleOrder& order) {
    BundleReaders readers;
    readers.order_ = order;
    if (!order.since.empty()) {
        readers.since_ = BundleKnowledge::after(order.since);
    }
    for (const auto& [office, entry] : ledger.roster().offices()) {
        const bool is_named = std::ranges::find(order.targets, office) != order.targets.end();
        const bool may_read = entry.is_member() || entry.state == crypto::OfficeState::invited;
        if (office != ledger.us() && may_read && (order.targets.empty() || is_named)) {
            readers.targets_.push_back(TRY(BundleKnowledge::of(ledger, office)));
        }
    }
    if (readers.since_ && !readers.is_enough(ledger)) {
        readers.since_.reset();
    }
    return readers;
}

// True if the files of the row hold everything that the readers lacked when those were written.
bool BundleReaders::is_enough(const Ledger& ledger) const {
    const auto& head = since_->head();
    if (!head || !head->place || *head->place + 1 >= bundle_places) {
        return false;
    }
    if (order_.is_only_addition) {
        return true;
    }
    const auto has_less = [&](const BundleKnowledge& target) {
        const auto found = ledger.had_less().find(target.office());
        return found != ledger.had_less().end() && head->version.counter < found->second.all;
    };
    // A newly admitted office has nothing of this row, so after a roster change the row is not
    // enough.
    return head->roster_version == ledger.roster().version() &&
           std::ranges::none_of(targets_, has_less);
}

std::uint32_t BundleReaders::roster_version(const Ledger& ledger) const {
    auto oldest = ledger.roster().version();
    if (since_) {
        return std::min(since_->roster_version(), oldest);
    }
    for (const auto& target : targets_) {
        oldest = std::min(oldest, target.roster_version());
    }
    return oldest;
}

bool BundleReaders::lack(const Register& entry, RegisterHashes& ours) const {
    if (since_ && !since_->lacks_register(entry, ours)) {
        return false;
    }
    return order_.is_all || std::ranges::any_of(targets_, [&](const auto& target) {
               return target.lacks_register(entry, ours);
           });
}

IntervalSet BundleReaders::lacked(const Ledger& ledger, const BundleKnowledge& target,
                                  const LogKey& log, const IntervalSet& held) const {
    auto lacking = order_.is_all ? held : target.lacks(log, held);
    const auto there = order_.in_row.find(log);
    if (!since_ || there == order_.in_row.end()) {
        return lacking;
    }
    // The target has read the row, and later dropped or refused records of this log.
    const auto had_less = ledger.had_less().find(target.office());
    if (had_less != ledger.had_less().end()) {
        const auto noted = had_less->second.logs.find(log);
        if (noted != had_less->second.logs.end() &&
            since_->head()->version.counter < noted->second) {
            return lacking;
        }
    }
    return without(lacking, there->second);
}

bool BundleReaders::lack(const Ledger& ledger, const Header& header) const {
    return std::ranges::any_of(targets_, [&](const auto& target) {
        return target.takes(ledger.roster(), header) &&
               !lacked(ledger, target, header.log, {header.run()}).empty();
    });
}

// The run of that record, if this office leaves it out because a file of another office there has
// it.
Result<std::optional<Interval>> BundleReaders::left_to_others(const Ledger& ledger,
                                                              const LogKey& log, Number number,
                                                              WallTime at) const {
    const std::optional<Interval> none;
    const auto found = order_.of_others.find(log);
    if (log.author == ledger.us() || found == order_.of_others.end() ||
        !found->second.contains(number)) {
        return none;
    }
    const auto record = TRY(ledger.store().record(log, number, storage::WithBody::no));
    // Counts from the time in the store, so a restart or a renamed file does not begin the wait
    // anew.
    if (!record) {
        return none;
    }
    const std::chrono::seconds since{std::int64_t{at.seconds} - record->received.seconds};
    return since >= 0s && since < left_to_others_for ? std::optional(record->run) : none;
}

}  // namespace fieldpost::engine

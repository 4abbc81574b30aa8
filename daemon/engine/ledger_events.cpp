// Events and attention: what has happened to each report, and what a person has to do.
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

namespace {

// So long one event stands for more of its kind that an office causes and that are about no report.
constexpr std::uint32_t event_stands_seconds = 3600;

// The authority signs each of these, so nobody else can repeat it.
bool is_always_news(What what) {
    return what == What::roster || what == What::admitted;
}
// A person follows links as they come and go: told anew whenever anything happened between.
bool is_of_link(What what) {
    return what == What::peer_up || what == What::peer_down;
}

}  // namespace

Result<std::optional<storage::Event>> Ledger::event_counting(const storage::Event& event) const {
    if (event.report) {
        return store_->event_of(*event.report, event.what, event.office);
    }
    const auto last = last_noted_.find({event.what, event.office});
    if (last == last_noted_.end() || is_always_news(event.what)) {
        return std::optional<storage::Event>{};
    }
    auto before = TRY(store_->event(last->second));
    if (!before) {
        return before;
    }
    // The clock may have been set back meanwhile.
    const bool is_again =
        is_of_link(event.what)
            ? before->seq + 1 == meta_.next_event
            : before->at <= event.at && event.at < before->at.plus(event_stands_seconds);
    return is_again ? std::move(before) : std::nullopt;
}

void Ledger::note(What what, About about, Now now, std::vector<Notice>& notify) {
    storage::Event event;
    event.at = wall(now);
    event.last = event.at;
    event.what = what;
    event.office = about.office;
    event.report = about.report;
    if (about.via) {
        event.how = about.via->how;
        event.via = about.via->office;
    }
    event.detail = std::move(about.detail);
    // People who take back their own report know of it.
    const bool is_own_deed = what == What::withdrawn && event.office == us();
    if (storage::kind_of(what).severity && !is_own_deed) {
        raise(event, 0);
    }
    auto before = event_counting(event);
    // For one that is damaged there is a new one.
    if (!before && before.error().code != Errc::corrupt) {
        write_failure_ = write_failure_.value_or(before.error());
        return;
    }
    // A repeat takes no new row, or one office could push the events of others out of the store.
    if (before && *before) {
        (*before)->last = event.at;
        ++(*before)->count;
        write(storage::PutEvent{std::move(**before)});
        return;
    }
    event.seq = edit_meta().next_event++;
    if (!event.report) {
        last_noted_[{what, event.office}] = event.seq;
    }
    write(storage::PutEvent{event});
    notify.emplace_back(Happened{std::move(event)});
}

void Ledger::raise(const storage::Event& event, std::uint32_t count, bool is_news) {
    const auto& item = attention_.raise(event, meta_.next_attention, count, is_news);
    if (item.number == meta_.next_attention) {
        ++edit_meta().next_attention;
    }
    write(storage::PutAttention{item});
}

void Ledger::keep_raised(What what, OfficeId office, std::uint32_t count, std::string detail,
                         Now now, bool is_news) {
    const auto found = attention_.items().find({what, office, {}});
    const bool is_raised = found != attention_.items().end();
    if (count == 0) {
        if (is_raised) {
            write(storage::DropAttention{found->second});
            attention_.settle(found->first);
        }
        return;
    }
    if (is_raised && found->second.count == count && found->second.detail == detail) {
        return;
    }
    storage::Event event;
    event.at = wall(now);
    event.what = what;
    event.office = office;
    event.detail = std::move(detail);
    raise(event, count, is_news);
}

void Ledger::settle(What what, OfficeId office, const storage::ReportKey& report) {
    const auto found = attention_.items().find({what, office, report});
    if (found != attention_.items().end()) {
        write(storage::DropAttention{found->second});
        attention_.settle(found->first);
    }
}

bool Ledger::dismiss(std::uint32_t number, Now now) {
    const auto* item = attention_.dismiss(number, wall(now));
    if (item != nullptr) {
        write(storage::PutAttention{*item});
    }
    return item != nullptr;
}

}  // namespace fieldpost::engine

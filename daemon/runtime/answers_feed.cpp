// Answers to those who read the feed: what has changed since a place, each change with the report
// as it is now.
#include <fmt/format.h>

#include "daemon/engine/report_walk.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;
using engine::ReportView;
using storage::Change;
using storage::ChangeOf;

namespace {

std::string encode_feed_place(const storage::FeedPlace& place) {
    ByteWriter out;
    out.raw(place.feed.view());
    out.u64(place.number);
    out.u32(place.start);
    return std::string(as_text(out.bytes()));
}

Result<storage::FeedPlace> decode_place(BytesView bytes) {
    ByteReader in(bytes);
    storage::FeedPlace place;
    place.feed = TRY(in.read_array<storage::FeedId>());
    place.number = TRY(in.read_u64());
    place.start = TRY(in.read_u32());
    TRY(in.expect_end("place"));
    return place;
}

std::string_view name_of(ChangeOf of) {
    constexpr std::array<std::string_view, 6> names = {"report", "replaced",  "answer",
                                                       "state",  "withdrawn", "forgotten"};
    return names[static_cast<std::size_t>(of)];
}

// The time at which a recipient came to its state; zero if its page does not say.
WallTime since(const storage::Recipient& one) {
    switch (one.state) {
        case storage::State::carried:
            return one.carried_at;
        case storage::State::delivered:
            return one.delivered_at;
        case storage::State::acknowledged:
            return one.acknowledged_at;
        default:
            return {};
    }
}

class Teller {
public:
    Teller(const Ledger& ledger, engine::ReportWalk& walk) : ledger_(&ledger), walk_(&walk) {}

    // Nothing: the report is gone, or does not fit.
    Result<std::optional<wire::Change>> tell(const Change& change) {
        std::optional<wire::Change> nothing;
        const auto page = TRY(ledger_->store().report(change.report));
        const auto* view = page ? TRY(walk_->view_at(page->arrival)) : nullptr;
        std::optional<ReportView> without_record;
        if (page && (view == nullptr || view->key != change.report)) {
            // The disk lost the record; its page says how far the report has come.
            auto lost = engine::view_of(*ledger_, change.report);
            if (lost) {
                view = &without_record.emplace(std::move(*lost));
            }
        }
        if (view == nullptr || view->key != change.report || !TRY(walk_->is_one(*view))) {
            return nothing;
        }
        wire::Change told;
        told.set_number(change.number);
        told.set_op(std::string(name_of(change.of)));
        auto& entry = *told.mutable_entry();
        if (change.of == ChangeOf::report) {
            entry = TRY(whole_entry_of(*ledger_, *view));
        } else {
            entry.set_id(engine::printed_id(*ledger_, view->key));
            entry.set_author(value_of(view->key.author));
            entry.set_incarnation(view->key.origin.incarnation.ordinal);
            entry.set_number(view->key.origin.number);
            entry.set_priority(static_cast<wire::Priority>(view->key.origin.record_class));
            entry.set_hash(view->hash.is_zero() ? "" : std::string(as_text(view->hash.view())));
            entry.set_is_open(view->report.has_value());
            entry.set_state(std::string(engine::name_of(view->state)));
        }
        if (change.of == ChangeOf::replaced && view->replaced_by) {
            entry.set_replaced_by(engine::printed_id(*ledger_, *view->replaced_by));
        }
        if (change.of == ChangeOf::state) {
            add_state(*view, change.office, told);
        }
        if (change.of == ChangeOf::withdrawn) {
            auto with_words = *view;
            TRY(add_words(*ledger_, with_words));
            told.set_at_unix_s(with_words.withdrawn ? unix_of(with_words.withdrawn->at) : 0);
            told.set_reason(with_words.withdrawal_reason);
        }
        if (change.of == ChangeOf::forgotten) {
            told.set_at_unix_s(unix_of(view->forgotten_at));
        }
        if (change.of == ChangeOf::answer && !TRY(add_answer(*view, change.answer, told))) {
            return nothing;
        }
        return std::optional(std::move(told));
    }

private:
    void add_state(const ReportView& view, OfficeId office, wire::Change& told) const {
        for (const auto& [one, staff, note] : view.recipients) {
            if (one.office == office) {
                told.set_office(engine::printed_name(*ledger_, office));
                told.set_office_index(value_of(office));
                told.set_state(std::string(engine::name_of(one.state)));
                told.set_reason(std::string(engine::name_of(one.reason)));
                told.set_at_unix_s(unix_of(since(one)));
            }
        }
    }

    // False: the answer is gone. Of one that cannot be read the page still has the outcome.
    Result<bool> add_answer(const ReportView& about, storage::Arrival arrival,
                            wire::Change& told) const {
        const auto record = TRY(ledger_->store().record_until(arrival, storage::WithBody::yes));
        const auto views =
            record ? TRY(engine::views_of(*ledger_, *record)) : std::vector<ReportView>{};
        const auto found = std::ranges::find(views, arrival, &ReportView::arrival);
        if (found == views.end()) {
            return false;
        }
        told.set_answer_id(engine::printed_id(*ledger_, found->key));
        told.set_office(engine::printed_name(*ledger_, found->key.author));
        told.set_office_index(value_of(found->key.author));
        if (!found->report) {
            for (const auto& one : about.recipients) {
                if (one.proved.office == found->key.author &&
                    one.proved.answer == found->key.origin) {
                    told.set_outcome(static_cast<wire::Outcome>(one.proved.outcome));
                }
            }
            told.set_at_unix_s(unix_of(found->header.created));
            return true;
        }
        told.set_outcome(static_cast<wire::Outcome>(found->report->outcome));
        told.set_note(found->report->text);
        told.set_staff(found->report->staff);
        // Every office that has the answer tells the same time.
        told.set_at_unix_s(unix_of(found->report->created));
        return true;
    }

    const Ledger* ledger_;
    engine::ReportWalk* walk_;
};

}  // namespace

Answered feed(const Ledger& ledger, const wire::FeedRequest& request,
              const engine::IsSpent& is_spent) {
    const auto& store = ledger.store();
    storage::FeedPlace place;
    wire::Answer answer;
    auto& feed = *answer.mutable_feed();
    const auto end = ASK(or_complain(store.feed_end()));
    feed.set_newest(end.number);
    feed.set_feed_id(std::string(as_text(end.feed.view())));
    feed.set_network_id(std::string(as_text(ledger.network().view())));
    feed.set_network(ledger.roster().founding().network_name);
    feed.set_office(engine::printed_name(ledger, ledger.us()));
    feed.set_office_index(value_of(ledger.us()));
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    if (request.only_end()) {
        feed.set_place(encode_feed_place(end));
        return encode(answer);
    }
    if (!request.place().empty()) {
        const auto given = decode_place(as_bytes(request.place()));
        if (!given) {
            return complain(exit_invalid, "invalid", "this is no place in a feed",
                            "begin again without a cursor");
        }
        if (ASK(or_complain(store.is_in_feed(*given)))) {
            place = *given;
        } else {
            feed.set_begins_anew(true);
        }
    }
    engine::ReportWalk walk(ledger, ASK(query_of(ledger, request.filter())));
    Teller teller(ledger, walk);
    const auto begins = place.number;
    std::size_t bytes = 0;
    bool is_over = false;
    const auto changes = ASK(or_complain(store.changes(place.number, page_items_max)));
    for (const auto& change : changes) {
        // One change at least, so that a reader comes to the end.
        if (place.number != begins && (is_spent() || bytes >= page_bytes_max)) {
            is_over = true;
            break;
        }
        if (auto told = ASK(or_complain(teller.tell(change)))) {
            bytes += told->ByteSizeLong();
            *feed.add_changes() = std::move(*told);
        }
        place = ASK(or_complain(store.feed_place(change.number)));
    }
    // Numbers at the end may be missing: their changes came again under later numbers.
    const bool is_end = !is_over && changes.size() < page_items_max;
    feed.set_is_end(is_end);
    feed.set_place(encode_feed_place(is_end ? end : place));
    return encode(answer);
}

}  // namespace fieldpost::runtime

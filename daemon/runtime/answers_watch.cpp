// Answers for those who look on: what happens, and how far an exchange has come.
#include <fmt/format.h>

#include "daemon/engine/queries.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;

namespace {

constexpr std::size_t events_an_answer = 1000;
constexpr std::size_t events_a_look = 50;

template <class Message>
void add_transfers(const Ledger& ledger, const Surroundings& around, Message& message) {
    for (const auto& link : around.links) {
        for (const auto& transfer : link.transfers) {
            auto* added = message.add_transfers();
            added->set_id(engine::printed_id(ledger, transfer.report));
            added->set_office(engine::printed_name(ledger, link.peer));
            added->set_is_incoming(transfer.is_incoming);
            added->set_done_bytes(transfer.done_bytes);
            added->set_size_bytes(transfer.body_bytes);
        }
    }
}

const engine::LinkView* link_to(const Surroundings& around, OfficeId office) {
    const auto found = std::ranges::find(around.links, office, &engine::LinkView::peer);
    return found != around.links.end() && around.linked.contains(office) ? &*found : nullptr;
}

// The least tried of the ways to an office; nothing if there is none.
std::optional<std::uint32_t> failures_of(const Dialler& dialler, OfficeId office, Now now) {
    std::optional<std::uint32_t> least;
    for (const auto& [target, attempt] : dialler.attempts()) {
        if (target.office == office && !dialler.is_anothers(target, now)) {
            least = std::min(least.value_or(attempt.failures), attempt.failures);
        }
    }
    return least;
}

void add_event(const Ledger& ledger, const storage::Event& event, wire::Watch& watch) {
    auto* added = watch.add_events();
    watch.set_newest(event.seq);
    added->set_seq(event.seq);
    added->set_at_unix_s(unix_of(event.at));
    added->set_what(std::string(storage::kind_of(event.what).name));
    added->set_office(engine::printed_name(ledger, event.office));
    if (event.report) {
        added->set_id(engine::printed_id(ledger, *event.report));
    }
}

}  // namespace

Answered watch(const Ledger& ledger, const wire::WatchRequest& request,
               const Surroundings& around) {
    wire::Answer answer;
    auto* watch = answer.mutable_watch();
    const auto newest = ledger.meta().next_event - 1;
    // A place that is ahead of all events is one of a store that was put back.
    const bool is_ahead = !request.from_now() && request.after() > newest;
    const auto after = request.from_now() ? newest : is_ahead ? 0 : request.after();
    watch->set_has_gap(is_ahead);
    watch->set_newest(after);
    bool is_end = false;
    while (!is_end && watch->events_size() < static_cast<int>(events_an_answer)) {
        const auto events =
            ASK(or_complain(ledger.store().events(watch->newest() + 1, events_a_look)));
        if (watch->newest() == after) {
            watch->set_has_gap(is_ahead || (!events.empty() && events.front().seq > after + 1));
        }
        for (const auto& event : events) {
            add_event(ledger, event, *watch);
        }
        is_end = events.size() < events_a_look || around.is_spent();
    }
    add_transfers(ledger, around, *watch);
    return encode(answer);
}

Answered sync(const Ledger& ledger, const wire::SyncRequest& request, const Surroundings& around) {
    std::set<OfficeId> wanted;
    for (const auto& name : request.offices()) {
        const auto* office = ASK(office_named(ledger, name));
        if (office->index == ledger.us() || !office->is_member()) {
            return complain(exit_refused, "refused",
                            fmt::format("nothing is exchanged with {}", name),
                            "name another, or none for all", {name});
        }
        wanted.insert(office->index);
    }
    if (request.dial()) {
        around.dialler->start_over(wanted, around.now);
    }
    wire::Answer answer;
    auto* sync = answer.mutable_sync();
    sync->set_sent(ledger.moved().sent);
    sync->set_received(ledger.moved().received);
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (index == ledger.us() || !office.is_member() ||
            (!wanted.empty() && !wanted.contains(index))) {
            continue;
        }
        auto* peer = sync->add_peers();
        peer->set_office(office.name);
        const auto failures = failures_of(*around.dialler, index, around.now);
        peer->set_failures(failures.value_or(0));
        if (const auto* link = link_to(around, index)) {
            peer->set_state(link->is_settled ? "settled" : "exchanging");
        } else {
            peer->set_state(failures ? "connecting" : "none");
        }
    }
    if (request.want_only_here()) {
        sync->set_only_here(ASK(or_complain(ledger.store().counts()))
                                .outbox[static_cast<std::size_t>(engine::State::queued)]);
    }
    add_transfers(ledger, around, *sync);
    return encode(answer);
}

}  // namespace fieldpost::runtime

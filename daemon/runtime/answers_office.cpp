// Answers about this office and the others: status, peers, roster, attention.
#include <fmt/format.h>

#include "daemon/engine/queries.h"
#include "daemon/runtime/answering.h"
#include "daemon/runtime/coverage.h"
#include "daemon/runtime/version.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;
using storage::WithBody;

std::string name_of(crypto::OfficeState state) {
    constexpr std::array<const char*, 6> names = {"invited", "active",  "retiring",
                                                  "retired", "revoked", "cancelled"};
    return names[static_cast<std::size_t>(state)];
}

std::string fingerprint_of(const Ledger& ledger, const crypto::RosterOffice& office) {
    return office.has_keys()
               ? crypto::fingerprint(ledger.network(), office.identity, office.link, office.mail)
               : "";
}

Answered status(const Ledger& ledger, const Surroundings& around) {
    wire::Answer answer;
    auto* status = answer.mutable_status();
    const auto* us = ledger.roster().find(ledger.us());
    status->set_version(std::string(version));
    status->set_office(us->name);
    status->set_network(ledger.roster().founding().network_name);
    status->set_role(static_cast<wire::Role>(us->role));
    status->set_state(us->state == crypto::OfficeState::invited ? "joining" : name_of(us->state));
    status->set_fingerprint(fingerprint_of(ledger, *us));
    status->set_incarnation(ledger.meta().incarnation.ordinal);
    status->set_is_stopped(ledger.meta().stopped && !ledger.meta().goes_on);
    status->set_started_unix_s(unix_of(around.started));
    status->set_mail(ledger.config().mail == nullptr ? "locked" : "unprotected");
    auto& outbox = *status->mutable_outbox();
    auto& inbox = *status->mutable_inbox();
    const auto counts = ASK(or_complain(ledger.store().counts()));
    const auto acknowledged = static_cast<std::size_t>(engine::State::acknowledged);
    for (std::size_t state = 0; state < storage::state_count; ++state) {
        outbox[std::string(engine::name_of(static_cast<engine::State>(state)))] =
            static_cast<std::uint32_t>(counts.outbox[state]);
        inbox[state == acknowledged ? "acknowledged" : "unacknowledged"] +=
            static_cast<std::uint32_t>(counts.inbox[state]);
    }
    status->set_to_send_records(
        static_cast<std::uint32_t>(counts.outbox[static_cast<std::size_t>(engine::State::queued)]));
    status->set_to_send_bytes(counts.queued_bytes);
    for (const auto& [key, item] : ledger.attention().items()) {
        if (item.dismissed == WallTime{}) {
            const bool is_urgent = storage::kind_of(key.what).severity == storage::Severity::urgent;
            is_urgent ? status->set_attention_urgent(status->attention_urgent() + 1)
                      : status->set_attention_other(status->attention_other() + 1);
        }
    }
    status->set_carrying_records(ledger.meta().carried_records);
    status->set_carrying_bytes(ledger.meta().carried_bytes);
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (index == ledger.us() || !office.is_member()) {
            continue;
        }
        status->set_peers_known(status->peers_known() + 1);
        if (around.linked.contains(index)) {
            status->add_connected(office.name);
        } else if (std::ranges::any_of(around.dialler->attempts(), [&](const auto& attempt) {
                       return attempt.first.office == index &&
                              !around.dialler->is_anothers(attempt.first, around.now);
                   })) {
            status->add_waiting(office.name);
        }
    }
    status->set_peers_connected(static_cast<std::uint32_t>(status->connected_size()));
    const auto usage = ledger.store().usage();
    status->set_store_used_bytes(usage.used_bytes);
    status->set_store_limit_bytes(usage.limit_bytes);
    status->set_now_unix_s(ledger.wall(around.now).unix_seconds());
    status->set_clock_doubtful(ledger.meta().doubtful || ledger.clock().is_waiting());
    if (const auto offset = ledger.clock().offset_seconds()) {
        status->set_clock_offset_ms(*offset * 1000);
    }
    status->set_roster_version(ledger.roster().version());
    auto& coverage = *around.coverage;
    const auto now = ledger.wall(around.now);
    if (!coverage.expectations().empty() &&
        ASK(or_complain(coverage.catch_up(ledger, now, around.is_spent)))) {
        status->set_overdue(
            static_cast<std::uint32_t>(coverage.tally_now(ledger, around.now.steady, now).overdue));
    }
    status->set_longest_batch_ms(static_cast<std::uint32_t>(around.longest_batch.count()));
    return encode(answer);
}

namespace {

// Why it is not reached there, or not for everything.
std::string reason_of(const Dialler::Attempt& attempt) {
    if (!attempt.permit.reason.empty()) {
        return std::string(attempt.permit.reason);
    }
    if (!attempt.reason) {
        return "";
    }
    switch (*attempt.reason) {
        case link::EndReason::no_answer:
            return "no_answer";
        case link::EndReason::no_greeting:
            return "no_greeting";
        case link::EndReason::no_name:
            return "no_name";
        case link::EndReason::proxy:
            return "proxy";
        case link::EndReason::refused:
            return "refused";
        case link::EndReason::contested:
            return "other_machine";
        case link::EndReason::not_dialled:
            return "not_dialled";
        default:
            return "";
    }
}

// Tells where and when an office is dialled. Of several ways it tells the one that works, or worked
// last, or is tried next.
void add_attempts(const Ledger& ledger, const Surroundings& around, OfficeId office,
                  wire::Peer& peer) {
    const Dialler::Attempt* best = nullptr;
    bool is_any_under_way = false;
    for (const auto& [target, attempt] : around.dialler->attempts()) {
        if (target.office != office || around.dialler->is_anothers(target, around.now)) {
            continue;
        }
        is_any_under_way = is_any_under_way || attempt.connection;
        const auto rank = [](const Dialler::Attempt& one) {
            return std::tuple(one.is_up, one.permit.is_open, one.succeeded, -one.next.since_start);
        };
        if (best == nullptr || rank(attempt) > rank(*best)) {
            best = &attempt;
            peer.set_address(target.endpoint);
        }
    }
    if (best == nullptr) {
        return;
    }
    peer.set_state(best->is_up ? "connected" : is_any_under_way ? "connecting" : "waiting");
    peer.set_reason(reason_of(*best));
    if (!is_any_under_way) {
        const auto in = std::chrono::duration_cast<std::chrono::seconds>(
            best->permit.is_open ? best->next - around.now.steady
                                 : std::chrono::milliseconds{best->permit.for_long});
        peer.set_next_attempt_unix_s(
            ledger.wall(around.now).plus(std::max<std::int64_t>(0, in.count())).unix_seconds());
    }
}

}  // namespace

namespace {

Bytes encode_place(const engine::RecordPlace& place) {
    ByteWriter out;
    write(out, KeyPart{.log = place.first, .number = place.second});
    return out.take();
}

// The first record for a place that is none.
engine::RecordPlace record_place(BytesView bytes) {
    ByteReader in(bytes);
    const auto part = read_key_part(in);
    return part ? engine::RecordPlace{part->log, part->number} : engine::RecordPlace{};
}

}  // namespace

Answered peers(const Ledger& ledger, const wire::PeersRequest& request,
               const Surroundings& around) {
    wire::Answer answer;
    std::map<OfficeId, engine::Waiting> waiting;
    const auto next = ASK(or_complain(engine::count_waiting(
        ledger, record_place(as_bytes(request.from())), around.is_spent, waiting)));
    if (next) {
        const auto place = encode_place(*next);
        answer.set_next_part(std::string(as_text(place)));
    }
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (index == ledger.us() || office.state == crypto::OfficeState::invited ||
            office.state == crypto::OfficeState::cancelled) {
            continue;
        }
        auto* peer = answer.add_peers();
        peer->set_office(office.name);
        peer->set_index(value_of(index));
        peer->set_state(!office.is_member()        ? name_of(office.state)
                        : ledger.is_partner(index) ? "none"
                                                   : "blocked");
        add_attempts(ledger, around, index, *peer);
        if (around.linked.contains(index)) {
            const auto link = std::ranges::find(around.links, index, &engine::LinkView::peer);
            if (link != around.links.end() && link->round_trip) {
                peer->set_rtt_ms(static_cast<std::uint32_t>(link->round_trip->count()));
            }
            // Reached by its own dialling, or by this address.
            if (peer->state() != "connected") {
                peer->clear_address();
            }
            peer->set_state("connected");
            if (link == around.links.end() || !link->passes_only_urgent) {
                peer->set_reason("");
            } else if (peer->reason().empty()) {
                peer->set_reason(link->has_used_up ? "over_limit" : "outside_window");
            }
            peer->set_next_attempt_unix_s(0);
        }
        if (const auto traffic = around.traffic.find(index); traffic != around.traffic.end()) {
            peer->set_sent_bytes(traffic->second.sent_bytes);
            peer->set_received_bytes(traffic->second.received_bytes);
        }
        peer->set_has_small_segments(around.in_small_segments.contains(index));
        if (const auto* statement = ledger.statement(index)) {
            peer->set_roster_version(statement->roster_version);
            peer->set_version(statement->software);
        }
        const auto& remembered = ledger.peer(index);
        peer->set_roster_version(std::max(peer->roster_version(), remembered.roster_version));
        if (const auto waits = waiting.find(index); waits != waiting.end()) {
            peer->set_pending_records(waits->second.records);
            peer->set_pending_bytes(waits->second.bytes);
        }
        const bool is_linked = around.linked.contains(index);
        const auto here_and_now = ledger.wall(around.now);
        peer->set_heard_unix_s(unix_of(is_linked ? here_and_now : remembered.heard));
        peer->set_met_unix_s(unix_of(is_linked ? here_and_now : remembered.met));
    }
    return encode(answer);
}

Answered roster(const Ledger& ledger, const Surroundings& around) {
    wire::Answer answer;
    auto* roster = answer.mutable_roster();
    roster->set_network(ledger.roster().founding().network_name);
    roster->set_version(ledger.roster().version());
    std::map<OfficeId, std::string> reasons;
    for (const auto& change : ledger.roster_changes()) {
        for (const auto& statement : change.statements) {
            if (const auto* revoke = std::get_if<Revoke>(&statement)) {
                reasons[revoke->index] = revoke->reason;
            }
        }
    }
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (office.state == crypto::OfficeState::cancelled) {
            continue;
        }
        auto* added = roster->add_offices();
        added->set_name(office.name);
        added->set_role(static_cast<wire::Role>(office.role));
        added->set_state(name_of(office.state));
        added->set_fingerprint(fingerprint_of(ledger, office));
        const auto heard =
            index == ledger.us() ? ledger.wall(around.now) : ledger.peer(index).heard;
        added->set_heard_unix_s(unix_of(heard));
        added->set_confirmed(index == ledger.us() || ledger.peer(index).confirmed);
        added->set_blocked(ledger.peer(index).blocked);
        if (const auto reason = reasons.find(index); reason != reasons.end()) {
            added->set_reason(reason->second);
        }
        if (const auto* statement = ledger.statement(index)) {
            for (const auto& endpoint : statement->endpoints) {
                added->add_endpoints(endpoint);
            }
        }
        if (roster->authority().empty()) {
            roster->set_authority(office.name);  // the first of the chain made the network
        }
    }
    return encode(answer);
}

namespace {

constexpr int items_an_answer = 500;

using AttentionKey = engine::Attention::Key;

std::string encode_attention_place(const AttentionKey& key) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(key.what));
    out.u16(value_of(key.office));
    if (key.report) {
        out.u16(value_of(key.report->author));
        write(out, key.report->origin);
    }
    return std::string(as_text(out.bytes()));
}

Result<AttentionKey> attention_place(BytesView bytes) {
    ByteReader in(bytes);
    AttentionKey key;
    key.what = engine::What{TRY(in.read_u8())};
    key.office = OfficeId{TRY(in.read_u16())};
    if (!in.at_end()) {
        const OfficeId author{TRY(in.read_u16())};
        key.report = storage::ReportKey{author, TRY(read_origin(in))};
    }
    TRY(in.expect_end("place"));
    return key;
}

void add_item(const Ledger& ledger, engine::What what, const storage::AttentionItem& item,
              wire::Answer& answer) {
    const auto& kind = storage::kind_of(what);
    auto* added = answer.add_items();
    added->set_no(item.number);
    added->set_what(std::string(kind.name));
    added->set_severity(kind.severity == storage::Severity::urgent ? "urgent" : "warning");
    added->set_since_unix_s(unix_of(item.since));
    if (item.report) {
        added->set_id(engine::printed_id(ledger, *item.report));
    }
    const auto office = engine::printed_name(ledger, item.office);
    added->set_office(office);
    added->set_count(item.count);
    added->set_detail(item.detail);
    added->set_next(fmt::format(fmt::runtime(kind.advice), office));
    added->set_dismissed_unix_s(unix_of(item.dismissed));
}

}  // namespace

// In pages, in no order that people know: there may be an item for each report.
Answered attention(const Ledger& ledger, const wire::AttentionRequest& request) {
    const auto& items = ledger.attention().items();
    auto at = items.begin();
    if (!request.from().empty()) {
        const auto from = attention_place(as_bytes(request.from()));
        if (!from) {
            return complain(exit_invalid, "invalid", "this is no place among the items",
                            "ask from the beginning");
        }
        at = items.lower_bound(*from);
    }
    wire::Answer answer;
    for (; at != items.end() && answer.items_size() < items_an_answer; ++at) {
        add_item(ledger, at->first.what, at->second, answer);
    }
    if (at != items.end()) {
        answer.set_next_part(encode_attention_place(at->first));
    }
    return encode(answer);
}

Answered dismiss(const wire::AttentionRequest& request, std::uint64_t number) {
    return Pending{
        {engine::Dismissed{number, {request.dismiss().begin(), request.dismiss().end()}}}, {}};
}

}  // namespace fieldpost::runtime

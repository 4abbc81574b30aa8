// The checks of the invariants of daemon/DESIGN.md.
#include <fmt/format.h>

#include "crypto/sealed_record.h"
#include "daemon/engine/leaves.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/delivery.h"
#include "proto/limits.h"
#include "proto/link_message.h"
#include "proto/summary_parts.h"
#include "storage/values.h"
#include "tests/simulation/world.h"

namespace fieldpost::tests {

using storage::WithBody;

// The lowest runs, where there are many.
static std::string text_of(const IntervalSet& numbers) {
    std::string text;
    for (const auto run : numbers.intervals() | std::views::take(8)) {
        text += fmt::format("{}{}-{}", text.empty() ? "" : ", ", run.first, run.last);
    }
    return "{" + text + "}";
}

// A leaf on its way through frames.
static SummaryReader::Heard as_read(const LeafSummary& leaf) {
    SummaryReader reader;
    SummaryReader::Heard heard;
    SummaryWriter writer(limits::control_frame_bytes_max / 2, [&](const Summary& summary) {
        const auto bytes = encode_frame(summary);
        CHECK(bytes.size() <= limits::frame_bytes_max);
        const auto frame = decode_frame(bytes);
        REQUIRE(frame.has_value());
        heard = reader.take(std::get<Summary>(*frame));
    });
    writer.add(leaf);
    writer.end(false);
    return heard;
}

// At most one copy a contact (P9, invariant I3), unless a summary asked again.
void World::check_sent(engine::LinkId link, Node from, BytesView message) {
    const auto frames = frames_of(message);
    REQUIRE(frames.has_value());
    for (const auto bytes : *frames) {
        // P8a.
        const auto frame = decode_frame(bytes);
        INFO("from office " << from << ": " << (frame ? "" : frame.error().detail));
        REQUIRE(frame.has_value());
        if (const auto* summary = std::get_if<Summary>(&*frame)) {
            CHECK(summary->damaged.empty());
        }
        const auto* news = std::get_if<RegisterNews>(&*frame);
        for (const auto& entry : news == nullptr ? std::vector<Register>{} : news->registers) {
            if (entry.key.signer == index_of(from) &&
                entry.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt)) {
                const auto receipt = decode_receipt(entry.payload);
                INFO((receipt ? "" : receipt.error().detail));
                CHECK(receipt.has_value());
            }
        }
        if (links_.contains(link)) {
            check_frame(link, from, *frame);
        }
    }
}

void World::check_frame(engine::LinkId link, Node from, const Frame& frame) {
    auto& sent = links_.at(link).sent;
    const auto to = links_.at(link).a == from ? links_.at(link).b : links_.at(link).a;
    const auto count = [&](const engine::Arriving& record) {
        const auto& header = record.header;
        INFO("record " << value_of(header.log.author) << "/" << header.number << ", class "
                       << static_cast<int>(header.log.record_class) << ", from " << from << " to "
                       << to);
        // Invariant I3, as last told.
        const auto& not_wanted = links_.at(link).not_wanted[std::pair(to, header.log)];
        CHECK_FALSE(not_wanted.contains_all(header.run()));
        CHECK(++sent[std::pair(from, record.id)] == 1);
    };
    if (const auto* news = std::get_if<RecordNews>(&frame)) {
        engine::RecordReader reader(network_.id(), *news);
        while (const auto read = reader.next()) {
            REQUIRE(read->has_value());
            count((*read)->record);
        }
    }
    if (const auto* news = std::get_if<RegisterNews>(&frame)) {
        const auto& told = links_.at(link).registers_told;
        for (const auto& entry : news->registers) {
            INFO("register kind " << static_cast<int>(entry.key.kind) << " of "
                                  << value_of(entry.key.signer) << ", from " << from);
            // A register is not told to the office that told it, unless that office has made room
            // for others since. Proofs that close an office are all shown to a peer whose leaf of
            // that office is open.
            const auto* theirs = is_up(to) ? ledger(to).newest(entry.key) : nullptr;
            CHECK_FALSE((theirs != nullptr && *theirs == entry &&
                         !ledger(from).is_closed(entry.key.signer) &&
                         told.contains(std::pair(to, encode_register(entry)))));
        }
    }
    if (const auto* opened = std::get_if<StreamOpened>(&frame)) {
        count(engine::read_opened(network_.id(), *opened).value());
    }
    if (std::holds_alternative<Summary>(frame)) {
        std::erase_if(sent, [&](const auto& entry) { return entry.first.first != from; });
    }
}

void World::note_told(engine::LinkId link, Node by, BytesView message) {
    const auto found = links_.find(link);
    const auto frames = frames_of(message);
    std::vector<LeafSummary> leaves;
    for (const auto bytes : found == links_.end() || !frames ? std::vector<BytesView>{} : *frames) {
        const auto frame = decode_frame(bytes);
        if (frame && std::holds_alternative<Summary>(*frame)) {
            std::ranges::copy(std::get<Summary>(*frame).leaves, std::back_inserter(leaves));
        }
        if (frame && std::holds_alternative<RegisterNews>(*frame)) {
            for (const auto& entry : std::get<RegisterNews>(*frame).registers) {
                found->second.registers_told.emplace(by, encode_register(entry));
            }
        }
    }
    for (const auto& leaf : leaves) {
        // A leaf is complete: every record of a log that it does not name is wanted.
        std::erase_if(found->second.not_wanted, [&](const auto& entry) {
            return entry.first.first == by && entry.first.second.author == leaf.office;
        });
        for (const auto& log : leaf.logs) {
            found->second
                .not_wanted[std::pair(by, LogKey{leaf.office, log.incarnation, log.record_class})] =
                log.not_wanted;
        }
    }
}

namespace {

// Invariant I8: forward only, with the exceptions that daemon/DESIGN.md lists.
bool may_become(const storage::Recipient& before, const storage::Recipient& after) {
    using storage::FailReason;
    using storage::State;
    const bool is_unreadable =
        after.state == State::failed && after.reason == FailReason::unreadable;
    const bool has_arrived =
        after.state == State::delivered || after.state == State::acknowledged || is_unreadable;
    switch (before.state) {
        case State::queued:
        case State::carried:  // back to queued: check_progress asks why
            return true;
        case State::delivered:
            return has_arrived;
        case State::acknowledged:
            return after.state == State::acknowledged;
        case State::expired:
            return after.state == State::expired || has_arrived;
        case State::failed:
            if (before.reason == FailReason::unreadable) {
                return is_unreadable || after.state == State::acknowledged;
            }
            return before.reason == FailReason::refused || before.reason == FailReason::damaged ||
                   after.reason == before.reason || has_arrived;
    }
    return false;
}

}  // namespace

void World::check_feed(Node node) {
    auto& office = offices_[node];
    const bool has_moved = std::ranges::any_of(office.disk->changed, [](const auto& place) {
        return place.first == storage::Table::reports || place.first == storage::Table::changes;
    });
    // A spoiled row is met when it is read, and the whole store is checked then. A scan of all
    // pages after each step would take most of a simulation's time.
    constexpr std::uint64_t moves_a_look = 8;
    if (!has_moved || office.is_spoiled || ++office.moves % moves_a_look != 0) {
        return;
    }
    REQUIRE(office.store->begin().has_value());
    check_index(*office.store, node);
    office.reader.take_turn(*office.store, node);
    office.store->abort();
}

void World::check_progress(Node node) {
    auto& office = offices_[node];
    for (const auto& [table, key] : std::exchange(office.disk->changed, {})) {
        if (table != storage::Table::reports) {
            continue;
        }
        const auto report = storage::read_report_key(key).value();
        if (report.author != index_of(node)) {
            continue;
        }
        const auto now = progress(node, report).value();
        auto& before = office.shown_before[report];
        for (std::size_t i = 0; i < before.size(); ++i) {
            const auto& was = before[i];
            const auto& is = now.recipients.at(i);
            INFO("office " << node << ", report " << report.origin.number << " of class "
                           << static_cast<int>(report.origin.record_class) << " to "
                           << value_of(was.office) << ": " << engine::name_of(was.state)
                           << " became " << engine::name_of(is.state) << " "
                           << engine::name_of(is.reason));
            if (was.office != is.office) {
                // A new machine took the place of one that is not known to have the report.
                CHECK(ledger(node).roster().find(was.office)->replaced_by != no_office);
                CHECK(is.reissued_as.has_value());
                CHECK(was.state != storage::State::delivered);
                CHECK(was.state != storage::State::acknowledged);
                continue;
            }
            CHECK((may_become(was, is) || was.reissued_as != is.reissued_as));
            // Another record of the report may still be carried.
            if (was.state == storage::State::carried && is.state == storage::State::queued &&
                std::ranges::none_of(now.recipients, [](const storage::Recipient& one) {
                    return one.reissued_as.has_value();
                })) {
                const auto carriers = read_from(node, [&](const storage::RecordStore&) {
                    return engine::carriers_of(ledger(node), report);
                });
                CHECK(carriers.empty());
            }
        }
        before = now.recipients;
    }
}

// P8b for bodies that are not whole: those in the store, and the streams in memory.
void World::check_bodies_under_way(Node node) {
    const auto& ledger = offices_[node].engine->ledger();
    std::map<OfficeId, std::pair<std::size_t, std::uint64_t>> kept;
    for (const auto& [id, one] : ledger.partials()) {
        auto& [count, bytes] = kept[one.log.author];
        ++count;
        bytes += one.bytes_on_disk();
    }
    for (const auto& [author, sums] : kept) {
        INFO("office " << node << ", bodies of " << value_of(author));
        CHECK(sums.first <= limits::partials_max);
        CHECK(sums.second <= limits::partial_bytes_max);
    }
    CHECK(engine::carried_bytes(ledger) <= offices_[node].config->carry_bytes_max);
    const auto& rows =
        offices_[node].disk->tables[static_cast<std::size_t>(storage::Table::partials)];
    CHECK(rows.size() == ledger.partials().size());
    for (const auto& link : offices_[node].engine->links()) {
        CHECK(std::ranges::count_if(link.transfers, &engine::Transfer::is_incoming) <= 16);
    }
}

// Summaries and changes of the roster: both change what an end lacks.
static bool tells_more(BytesView message) {
    const auto frames = frames_of(message);
    return frames && std::ranges::any_of(*frames, [](BytesView bytes) {
               const auto frame = decode_frame(bytes);
               return frame && (std::holds_alternative<Summary>(*frame) ||
                                std::holds_alternative<RosterNews>(*frame));
           });
}

// True if the peer has ended some numbers of the record and not the others. Then it had another
// copy's record there, let go of it since, and does not take this one (intake.h).
bool World::is_cut_by_another(Node node, Node peer, const LogKey& log, Number number) {
    const auto record = read_from(node, [&](const storage::RecordStore& store) {
        return store.record(log, number, WithBody::no);
    });
    const auto& state = ledger(peer).log(log);
    auto ended = united(state.receipted, state.withdrawn);
    ended.add(state.unreadable);
    return record && ended.contains_any(record->run) && !ended.contains_all(record->run);
}

// Two offices that call themselves settled, over a link that lets everything through, lack nothing
// of each other. Logs of an office that was taken over may differ where they are closed.
void World::check_settled(Node node) {
    for (const auto& [id, link] : links_) {
        const auto peer = link.a == node ? link.b : link.a;
        const bool is_open = std::ranges::all_of(
            link.policies, [](const auto& entry) { return entry.second == engine::LinkPolicy{}; });
        // The other end does not know yet what this end has told meanwhile.
        const bool is_told_more =
            std::ranges::any_of(flights_, [&, link_id = id](const Flight& flight) {
                return flight.link == link_id && flight.to == node && tells_more(flight.bytes);
            });
        if ((link.a != node && link.b != node) || !is_open || is_told_more ||
            !is_settled(node, peer)) {
            continue;
        }
        for (const auto& [log, state] : ledger(node).logs()) {
            const auto author = std::ranges::find(offices_, log.author,
                                                  [](const Office& o) { return o.keys->index; });
            if (author == offices_.end() || author->is_taken_over) {
                continue;
            }
            // An office that has stopped makes nothing public, and takes nothing that it signed.
            const auto is_stopped = [&](Node one) {
                return log.author == index_of(one) && ledger(one).meta().stopped;
            };
            // A peer that knows of a fork takes one of two records under one number.
            const bool is_forked =
                std::ranges::any_of(ledger(peer).registers_of(log.author), [](const auto* entry) {
                    return entry->key.kind == static_cast<std::uint8_t>(RegisterKind::fork);
                });
            if (is_stopped(node) || is_stopped(peer) || is_forked) {
                continue;
            }
            const auto passable = read_from(node, [&](const storage::RecordStore&) {
                return Result<IntervalSet>(ledger(node).passable(log));
            });
            auto lacking = without(passable, ledger(peer).log(log).known);
            for (auto number = lacking.next(1); number; number = lacking.after(*number)) {
                if (is_cut_by_another(node, peer, log, *number)) {
                    lacking.remove({*number, *number});
                }
            }
            if (!lacking.empty()) {
                FAIL_CHECK("offices " << node << " and " << peer << " are settled; of office "
                                      << value_of(log.author) << ", class "
                                      << static_cast<int>(log.record_class) << ", the second lacks "
                                      << text_of(lacking));
            }
        }
    }
}

// Each part on disk belongs to a record that is held, or to a body on its way.
void World::check_parts_on_disk(Node node) {
    auto& store = *offices_[node].store;
    std::set<storage::Blob> owned;
    const auto partials = store.partials().value();
    for (const auto& partial : partials) {
        owned.insert(partial.blob);
    }
    storage::Arrival from{0};
    while (const auto record = store.record_from(from, WithBody::no).value()) {
        from = storage::Arrival{static_cast<std::uint64_t>(record->arrival) + 1};
        owned.insert(record->blob);
    }
    const auto& parts =
        offices_[node].disk->tables[static_cast<std::size_t>(storage::Table::parts)];
    for (const auto& [key, bytes] : parts) {
        std::uint64_t blob = 0;  // as storage/values.cpp writes it: the highest byte first
        for (std::size_t i = 0; i < sizeof blob; ++i) {
            blob = blob << 8 | static_cast<std::uint64_t>(key.at(i));
        }
        INFO("office " << node << ", a part of nothing");
        CHECK(owned.contains(storage::Blob{blob}));
    }
}

void World::check(Node node) {
    check_feed(node);
    check_progress(node);
    check_bodies_under_way(node);
    check_settled(node);
    auto& office = offices_[node];
    const auto& ledger = office.engine->ledger();
    std::map<OfficeId, std::size_t> logs_of;
    for (const auto& [log, state] : ledger.logs()) {
        INFO("office " << node << ", log of " << value_of(log.author));
        // Invariant I2.
        CHECK(without(state.held, state.known).empty());
        CHECK(intersection(state.held, state.terminal()).empty());
        // Invariants I4 and I5: T shrinks only where N is closed, and behind a cut-off, for a later
        // one may keep more.
        auto& before = office.terminal_before[log];
        before.remove(state.closed);
        if (std::exchange(office.window_before[log], state.window) != state.window) {
            before = {};  // within one batch N was closed there and opened again
        }
        if (state.closed_from != 0) {
            before.remove({state.closed_from, UINT32_MAX});
        }
        if (log.author == ledger.us() && log.incarnation < ledger.meta().incarnation) {
            // Numbers that this office took for skipped, before it went on in a new life.
            before.remove({state.published + 1, UINT32_MAX});
        }
        const auto terminal = state.terminal();
        if (const auto lost = without(before, terminal); !lost.empty()) {
            FAIL_CHECK("office " << node << ", log of " << value_of(log.author) << ", class "
                                 << static_cast<int>(log.record_class) << ", of life "
                                 << log.incarnation.ordinal << ": " << text_of(lost)
                                 << " is not terminal any more; held " << text_of(state.held)
                                 << ", closed " << text_of(state.closed));
        }
        before = terminal;
        if (state.closed_from != 0) {
            before.remove({state.closed_from, UINT32_MAX});
        }
        // P8b.
        std::size_t refused_runs = 0;
        for (const auto& [reason, numbers] : state.refused) {
            refused_runs += numbers.intervals().size();
        }
        const auto highest = std::prev(ledger.logs_of(log.author).end());
        CHECK(state.known.intervals().size() <= (log.incarnation < highest->first.incarnation
                                                     ? limits::old_log_runs_max
                                                     : limits::log_runs_max));
        CHECK(refused_runs <= limits::refused_runs_max);
        ++logs_of[log.author];
    }
    for (const auto& [author, count] : logs_of) {
        INFO("office " << node << ", logs of " << value_of(author));
        CHECK(count <= limits::logs_per_office_max);
    }
    std::map<OfficeId, std::size_t> unknown;  // registers of kinds that this release does not know
    for (const auto& [name, entry] : ledger.registers()) {
        unknown[entry.key.signer] +=
            entry.key.kind == 0 || entry.key.kind > static_cast<std::uint8_t>(RegisterKind::fork);
    }
    for (const auto& [signer, count] : unknown) {
        CHECK(count <= 16);  // WIRE.md 4
    }
}

// Invariant I1: what an office holds is what its author signed.
void World::check_records_held(Node node) {
    auto& store = *offices_[node].store;
    const auto logs = store.logs().value();
    for (const auto& log : logs) {
        const auto state = store.log(log).value().value();
        const auto author =
            std::ranges::find(offices_, log.author, [](const Office& o) { return o.keys->index; });
        REQUIRE(author != offices_.end());
        for (auto number = state.held.next(1); number; number = state.held.after(*number)) {
            const auto record = store.record(log, *number, WithBody::yes).value();
            INFO("office " << node << " holds " << value_of(log.author) << "/" << *number);
            REQUIRE(record.has_value());
            if (record->id.is_zero()) {
                CHECK(log.author == index_of(node));
                CHECK(*number > state.published);
                continue;
            }
            const auto header = decode_header(record->header).value();
            const BodyShape shape{header.body_bytes};
            const auto body = engine::body_of(store, *record).value();
            const auto hash = crypto::body_hash(network_.id(), shape,
                                                crypto::piece_hashes(network_.id(), shape, body));
            CHECK(crypto::record_id(network_.id(), header, hash) == record->id);
            CHECK(crypto::verify_record(author->keys->machine.identity.public_key(), network_.id(),
                                        record->id, record->signature));
        }
    }
}

void World::check_leaves(Node node) {
    auto& office = offices_[node];
    auto& store = *office.store;
    REQUIRE(store.begin().has_value());
    const auto logs = store.logs().value();
    // Invariant I7: leaves follow from logs and registers alone.
    const auto stored = store.leaves().value();
    // At the moment of the last batch: later on a window may have to move.
    const Now then{now(node).steady, store.meta().value()->aged};
    store.abort();
    auto& leaves = office.disk->tables[static_cast<std::size_t>(storage::Table::leaves)];
    const auto saved = std::exchange(leaves, {});
    REQUIRE(store.begin().has_value());
    auto fresh = engine::Ledger::load(store, *office.config, network_.roster.founding(), then);
    REQUIRE(fresh.has_value());
    const auto& again = fresh->leaves();
    // It bounds all logs when it starts, and else those that change.
    std::set<OfficeId> bounded_anew;
    for (const auto& log : logs) {
        if (fresh->log(log).known != store.log(log).value()->known) {
            bounded_anew.insert(log.author);
        }
    }
    for (const auto& [index, leaf] : stored) {
        if (!bounded_anew.contains(index)) {
            INFO("office " << node << ", leaf of " << value_of(index));
            CHECK(again.at(index) == leaf);
        }
    }
    CHECK(again.size() == stored.size());
    // P8a: a peer that is told all of a leaf can read it.
    for (const auto& [index, leaf] : stored) {
        const auto all = engine::summary_of(*fresh, index, engine::Detail::all);
        CHECK(as_read(all).leaves == std::vector{all});
    }
    store.abort();
    leaves = saved;
}

void World::check_promised(const storage::ReportKey& report, Node author) {
    auto& store = *offices_[author].store;
    REQUIRE(store.begin().has_value());
    const LogKey log{report.author, report.origin.incarnation, report.origin.record_class};
    const auto state = store.log(log).value();
    INFO("report " << report.origin.number << " of office " << author);
    REQUIRE(state.has_value());
    // P1 and invariant I6: the author keeps the record until it is owed to nobody, and can read
    // it even then.
    const auto number = report.origin.number;
    const bool is_of_older_life =
        is_up(author) && log.incarnation < ledger(author).meta().incarnation;
    CHECK((state->held.contains(number) || state->is_terminal({number, number}) ||
           (is_of_older_life && number > state->published)));
    const auto page = store.report(report).value();
    CHECK(page.has_value());
    CHECK((page && store.record_until(page->arrival, WithBody::no).value().has_value()));
    store.abort();
}

void World::check_shown(const storage::ReportKey& report, Node author,
                        const std::vector<Node>& to) {
    INFO("report " << report.origin.number << " of office " << author);
    for (Node node = 0; node < size(); ++node) {
        if (is_taken_over(node)) {
            continue;  // a taken-over office may say anything of itself
        }
        const bool is_addressed = std::ranges::any_of(to, [&](Node named) {
            const auto machines = machines_of(named);
            return std::ranges::find(machines, node) != machines.end();
        });
        if (!is_addressed) {
            // P4 and P6: an office that was not addressed has not read the report, and is not
            // said to have it.
            CHECK(times_happened(node, engine::What::received, report) == 0);
            CHECK(times_happened(author, engine::What::delivered, report, node) == 0);
        }
    }
    for (const auto named : to) {
        for (const auto node : machines_of(named)) {
            if (!is_taken_over(node)) {
                check_shown_to(report, author, node);
            }
        }
    }
}

void World::check_shown_to(const storage::ReportKey& report, Node author, Node node) {
    const auto shown = times_happened(node, engine::What::received, report);
    // P2.
    CHECK(shown <= 1);
    // P4: the state that the author shows is true.
    const auto page = progress(author, report);
    REQUIRE(page.has_value());
    for (const auto& one : page->recipients) {
        if (one.office == index_of(node) &&
            (one.state == storage::State::delivered || one.state == storage::State::acknowledged)) {
            CHECK((shown == 1 || is_kept_unread(node, report)));
        }
    }
    // P4: the events that the author was told are true.
    if (times_happened(author, engine::What::delivered, report, node) > 0) {
        CHECK((shown == 1 || is_kept_unread(node, report)));
    }
}

void World::check_everything() {
    for (Node node = 0; node < size(); ++node) {
        auto& store = *offices_[node].store;
        REQUIRE(store.begin().has_value());
        check_parts_on_disk(node);
        check_records_held(node);
        if (!offices_[node].is_spoiled) {
            check_index(store, node);
            offices_[node].reader.catch_up(store, node);
        }
        store.abort();
        check_leaves(node);
    }
    for (const auto& [report, to] : promised_) {
        const auto author = author_of(report);
        check_promised(report, author);
        check_shown(report, author, to);
    }
}

}  // namespace fieldpost::tests

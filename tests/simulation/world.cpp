#include "tests/simulation/world.h"

#include <fmt/format.h>

#include <cstdlib>

#include "crypto/sealed_record.h"
#include "daemon/engine/membership/founding.h"
#include "daemon/engine/record/addressees.h"

namespace fieldpost::tests {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

World::World(std::uint64_t seed, const std::vector<std::string>& names, Weather weather)
    : random_(seed), dice_(seed), weather_(weather), network_(make_network(names)) {
    for (auto& one : network_.offices) {
        Office office;
        office.keys = std::make_unique<tests::Office>(std::move(one));
        offices_.push_back(std::move(office));
    }
    for (Node node = 0; node < size(); ++node) {
        open_store(node, network_.changes, {});
        start(node);
    }
    // Every office has every other office's keys, as an invitation would bring them.
    std::vector<Register> statements;
    for (const auto& office : offices_) {
        for (const auto& [name, entry] : office.engine->ledger().registers()) {
            statements.push_back(entry);
        }
    }
    for (Node node = 0; node < size(); ++node) {
        auto& store = *offices_[node].store;
        ensure(store.begin().has_value(), "a memory store begins");
        for (const auto& entry : statements) {
            ensure(store
                       .apply(storage::PutRegister{entry.key.signer, entry.key.kind,
                                                   entry.key.subject, encode_register(entry)})
                       .has_value(),
                   "a memory store takes changes");
        }
        // Leaves that were made without them are made anew.
        offices_[node].disk->tables[static_cast<std::size_t>(storage::Table::leaves)].clear();
        ensure(store.commit().has_value(), "a memory store commits");
        offices_[node].engine.reset();
        start(node);
    }
}

// As after one that got stuck: every fifth.
static bool is_cautious(engine::LinkId link) {
    return static_cast<std::uint64_t>(link) % 5 == 0;
}

World::~World() = default;

void World::open_store(Node node, const std::vector<RosterChange>& roster,
                       const std::vector<Register>& registers, Incarnation incarnation) {
    auto& office = offices_[node];
    office.disk = std::make_unique<storage::MemoryDisk>();
    office.config = std::make_unique<engine::Config>(
        engine::Config{&office.keys->machine, &office.keys->mail, {}, true, "simulated"});
    auto store = storage::RecordStore::open(storage::open_memory_tables(*office.disk),
                                            crypto::SealKey::random())
                     .value();
    ensure(store->begin().has_value(), "a memory store begins");
    const auto changes = engine::founding_changes(network_.id(), index_of(node), incarnation,
                                                  founded_at, roster, registers);
    for (const auto& change : changes) {
        ensure(store->apply(change).has_value(), "a memory store takes changes");
    }
    ensure(store->commit().has_value(), "a memory store commits");
    office.store = std::move(store);
}

Now World::now(Node node) const {
    return {Instant{std::chrono::milliseconds{now_ms_}},
            founded_at.plus(3600 + now_ms_ / 1000 + offices_[node].clock_wrong_by)};
}

bool World::spoil(Node node, storage::Table table, std::size_t which) {
    auto& content = disk(node).tables[static_cast<std::size_t>(table)];
    if (which >= content.size()) {
        return false;
    }
    auto& value = std::next(content.begin(), static_cast<std::ptrdiff_t>(which))->second;
    value[value.size() / 2] ^= std::byte{0x10};
    offices_[node].is_spoiled = true;
    return true;
}

void World::start(Node node) {
    auto& office = offices_[node];
    office.config->life = ++lives_;
    auto loaded = engine::Engine::load(*office.store, *office.config, network_.roster.founding(),
                                       now(node), office.marker);
    REQUIRE(loaded.has_value());
    office.engine = std::move(*loaded);
    // An office that does not start has no part in a scenario: no fault here.
    const auto weather = std::exchange(weather_, Weather{});
    const auto limit = std::exchange(office.disk->limit_bytes, 0);
    batch(node, {engine::TimerFired{}});
    office.disk->limit_bytes = limit;
    weather_ = weather;
}

// After a failed commit the engine knows what the store does not: it is made anew.
void World::rebuild(Node node) {
    crash(node);
    start(node);
}

bool World::batch(Node node, const std::vector<engine::Input>& inputs,
                  std::vector<engine::Notice>* notices) {
    auto& office = offices_[node];
    ensure(office.engine.has_value(), "only an office that is up handles inputs");
    office.disk->loses_next_commit = chance(weather_.crash_before_commit);
    auto done = office.engine->run_batch(inputs, [&] { return now(node); });
    office.disk->loses_next_commit = false;
    if (!done) {
        INFO(done.error().detail);
        const auto code = done.error().code;
        REQUIRE((code == Errc::storage_full || code == Errc::unavailable ||
                 (code == Errc::corrupt && office.is_spoiled)));
        code == Errc::unavailable ? crash(node) : rebuild(node);
        return false;
    }
    if (office.is_spoiled && office.store->is_in_doubt()) {
        rebuild(node);
        return false;
    }
    office.wake_at_ms =
        done->wake_at ? std::optional(done->wake_at->since_start.count()) : std::nullopt;
    office.marker = office.engine->marker();
    if (chance(weather_.crash_before_send)) {
        crash(node);
        return false;
    }
    for (auto& frame : done->send) {
        note_sent(node, std::move(frame));
    }
    for (const auto& notice : done->notify) {
        if (const auto* close = std::get_if<engine::CloseLink>(&notice)) {
            UNSCOPED_INFO("link closed: " << close->reason);
            drop_link(close->link, std::nullopt);
        }
    }
    if (notices != nullptr) {
        *notices = std::move(done->notify);
    }
    if (office.engine) {
        check(node);
    }
    return true;
}

void World::note_sent(Node node, engine::OutgoingFrame sent) {
    check_sent(sent.link, node, sent.bytes);
    if (sent.link == talking_) {
        answers_.push_back(std::move(sent.bytes));
        return;
    }
    const auto link = links_.find(sent.link);
    if (link == links_.end()) {
        return;
    }
    bytes_sent_ += sent.bytes.size();
    const Node to = link->second.a == node ? link->second.b : link->second.a;
    flights_.push_back({now_ms_ + weather_.latency.count(), sent.link, to, std::move(sent.bytes)});
}

std::optional<storage::ReportKey> World::queue(Node author, const std::vector<Node>& to,
                                               RecordClass record_class, std::size_t attachment,
                                               std::uint32_t lifetime_seconds) {
    engine::Draft draft;
    draft.record_class = record_class;
    draft.lifetime_seconds = lifetime_seconds;
    if (attachment > 0) {
        draft.attachments.resize(attachment);
        crypto::fill_random(draft.attachments);
        draft.report.attachments = {{"scan", static_cast<std::uint32_t>(attachment)}};
    }
    return queue(author, to, std::move(draft));
}

std::optional<storage::ReportKey> World::queue(Node author, const std::vector<Node>& to,
                                               engine::Draft draft) {
    if (!is_up(author)) {
        return std::nullopt;
    }
    engine::Submitted submitted{next_request_++, std::move(draft)};
    for (const auto node : to) {
        submitted.draft.to.push_back(index_of(node));
    }
    submitted.draft.report.text = fmt::format("report {} of {}", submitted.request, author);
    const auto answer = submit(author, to, std::move(submitted));
    if (!answer) {
        return std::nullopt;
    }
    if (const auto* declined = std::get_if<engine::Declined>(&*answer)) {
        INFO("declined: " << declined->error.detail);
        const auto is_ended = [&](Node node) {
            // An office that was invited later may be unknown here still.
            const auto* office = ledger(author).roster().find(index_of(node));
            return office == nullptr || !office->is_member() ||
                   ledger(author).statement(index_of(node)) == nullptr ||
                   ledger(author).is_closed(index_of(node)) || knows_cut_off(author, node) ||
                   ledger(author).peer(index_of(node)).blocked;
        };
        CHECK((ledger(author).meta().stopped || is_ended(author) ||
               std::ranges::any_of(to, is_ended)));
        return std::nullopt;
    }
    return std::get<engine::Accepted>(*answer).report;
}

std::optional<std::variant<engine::Accepted, engine::Declined>> World::submit(
    Node author, const std::vector<Node>& to, engine::Submitted submitted) {
    std::vector<engine::Notice> notices;
    if (!batch(author, {submitted}, &notices)) {
        return std::nullopt;
    }
    for (const auto& notice : notices) {
        if (const auto* accepted = std::get_if<engine::Accepted>(&notice)) {
            promised_[accepted->report] = to;
            hashes_[accepted->report] = accepted->hash;
            texts_[accepted->report] = submitted.draft.report.text;
            return *accepted;
        }
        if (const auto* declined = std::get_if<engine::Declined>(&notice)) {
            return *declined;
        }
    }
    return std::nullopt;
}

std::optional<storage::ReportKey> World::queue_to_group(Node author, OfficeId group) {
    engine::Submitted submitted;
    submitted.request = next_request_++;
    auto& draft = submitted.draft;
    draft.groups = {group};
    draft.report.text = fmt::format("report {} of {}", submitted.request, author);
    draft.report.addressed = {std::string(*engine::name_of_group(group))};
    std::vector<Node> to;
    for (Node node = 0; node < size(); ++node) {
        const auto* office = ledger(author).roster().find(index_of(node));
        if (node != author && office != nullptr && office->is_member() &&
            engine::is_in_group(*office, group)) {
            draft.to.push_back(index_of(node));
            to.push_back(node);
        }
    }
    const auto answer = submit(author, to, std::move(submitted));
    if (const auto* declined = answer ? std::get_if<engine::Declined>(&*answer) : nullptr) {
        UNSCOPED_INFO("declined: " << declined->error.detail);
    }
    const auto* accepted = answer ? std::get_if<engine::Accepted>(&*answer) : nullptr;
    return accepted == nullptr ? std::nullopt : std::optional(accepted->report);
}

ReportRef World::reference_to(const storage::ReportKey& report) const {
    ReportRef ref{report.author, report.origin, {}};
    if (const auto hash = hashes_.find(report); hash != hashes_.end()) {
        std::ranges::copy(hash->second.first(ReportHashPrefix::size), ref.hash.bytes.begin());
    }
    return ref;
}

std::optional<storage::ReportKey> World::acknowledge(Node reader,
                                                     const storage::ReportKey& report) {
    if (!is_up(reader)) {
        return std::nullopt;
    }
    engine::Submitted submitted;
    submitted.request = next_request_++;
    auto& draft = submitted.draft;
    draft.kind = RecordKind::acknowledgement;
    draft.record_class = RecordClass::reply;
    draft.to = {report.author};
    draft.report.text = fmt::format("접수함 {}", submitted.request);
    draft.report.outcome = ReplyOutcome::accepted;
    if (!hashes_.contains(report)) {
        hashes_[report] = view(reader, report).hash;  // it has another number at its author
    }
    draft.report.reply_to = reference_to(report);
    std::vector<engine::Notice> notices;
    if (!batch(reader, {submitted}, &notices)) {
        return std::nullopt;
    }
    for (const auto& notice : notices) {
        if (const auto* accepted = std::get_if<engine::Accepted>(&notice)) {
            promised_[accepted->report] = {};
            hashes_[accepted->report] = accepted->hash;
            texts_[accepted->report] = draft.report.text;
            for (Node node = 0; node < size(); ++node) {
                if (index_of(node) == report.author) {
                    promised_[accepted->report] = {node};
                }
            }
            return accepted->report;
        }
    }
    return std::nullopt;
}

void World::dismiss(Node node, std::uint32_t number) {
    batch(node, {engine::Dismissed{next_request_++, {number}}});
}

bool World::is_connected(Node a, Node b) const {
    return std::ranges::any_of(links_, [&](const auto& entry) {
        const auto& link = entry.second;
        return (link.a == a && link.b == b) || (link.a == b && link.b == a);
    });
}

bool World::is_settled(Node a, Node b) const {
    const auto says_so = [&](Node node, Node peer) {
        return is_up(node) &&
               std::ranges::any_of(offices_[node].engine->links(), [&](const auto& link) {
                   return link.peer == index_of(peer) && link.is_settled;
               });
    };
    return says_so(a, b) && says_so(b, a);
}

// The identity under which the listener's link lets the dialler in. Nothing: it does not.
engine::Input World::as_seen_by(Node listener, Node dialler, engine::LinkId link,
                                const engine::LinkPolicy& policy) const {
    const auto& roster = ledger(listener).roster();
    const auto& office = offices_[dialler];
    const auto& own = office.keys->machine.link.public_key;
    // A dialler that was invited tries both keys in turn.
    const bool is_invitee =
        office.one_time && (roster.office_of_link(*office.one_time) ||
                            !ledger(dialler).roster().find(index_of(dialler))->is_member());
    const auto& key = is_invitee && !roster.office_of_link(own) ? *office.one_time : own;
    if (const auto known = roster.office_of_link(key)) {
        return engine::LinkUp{link, *known, policy, is_cautious(link)};
    }
    return engine::StrangerUp{link, key};
}

void World::connect(Node a, Node b, engine::LinkPolicy of_a, engine::LinkPolicy of_b) {
    const std::map<Node, engine::LinkPolicy> policies{{a, of_a}, {b, of_b}};
    const auto there = std::ranges::find_if(links_, [&](const auto& entry) {
        return std::minmax(entry.second.a, entry.second.b) == std::minmax(a, b);
    });
    if (there != links_.end() && there->second.policies != policies) {
        drop_link(there->first, std::nullopt);
    }
    if (a == b || !is_up(a) || !is_up(b) || is_connected(a, b)) {
        return;
    }
    const auto would_dial = [&](Node one, Node other) {
        const auto* us = ledger(one).roster().find(index_of(one));
        return ledger(one).is_partner(index_of(other)) && us != nullptr && us->is_live();
    };
    if (!would_dial(a, b)) {
        std::swap(a, b);
    }
    const auto known_there =
        ledger(b).roster().office_of_link(offices_[a].keys->machine.link.public_key);
    if (known_there && !ledger(b).is_partner(*known_there)) {
        return;
    }
    const engine::LinkId link{next_link_++};
    const auto seen = as_seen_by(b, a, link, policies.at(b));
    if (!would_dial(a, b)) {
        return;
    }
    links_[link] = {a, b, policies, {}, {}, {}};
    if (batch(a, {engine::LinkUp{link, index_of(b), policies.at(a), is_cautious(link)}}) &&
        is_up(b) && links_.contains(link)) {
        batch(b, {seen});
    }
}

void World::end(Node a, Node b) {
    const auto found = std::ranges::find_if(links_, [&](const auto& entry) {
        return std::minmax(entry.second.a, entry.second.b) == std::minmax(a, b);
    });
    if (found == links_.end()) {
        return;
    }
    const auto link = found->first;
    std::map<Node, std::vector<engine::Input>> last;
    for (auto& flight : flights_) {
        if (flight.link == link) {
            note_told(link, flight.to == a ? b : a, flight.bytes);
            last[flight.to].emplace_back(engine::FrameArrived{link, std::move(flight.bytes)});
        }
    }
    for (const auto node : {a, b}) {
        last[node].emplace_back(engine::LinkDown{link});
        // A crash of the first ends it for both.
        if (is_up(node) && links_.contains(link)) {
            batch(node, last[node]);
        }
    }
    links_.erase(link);
    std::erase_if(flights_, [&](const Flight& flight) { return flight.link == link; });
}

void World::drop_link(engine::LinkId link, std::optional<Node> without) {
    if (const auto by_hand = links_by_hand_.find(link); by_hand != links_by_hand_.end()) {
        hang_up(by_hand->second, link);
        return;
    }
    const auto found = links_.find(link);
    if (found == links_.end()) {
        return;
    }
    const auto ends = found->second;
    links_.erase(found);
    std::erase_if(flights_, [&](const Flight& flight) { return flight.link == link; });
    for (const auto node : {ends.a, ends.b}) {
        if (node != without && is_up(node)) {
            batch(node, {engine::LinkDown{link}});
        }
    }
}

void World::cut(Node a, Node b) {
    for (const auto& [id, link] : std::map(links_)) {
        if ((link.a == a && link.b == b) || (link.a == b && link.b == a)) {
            drop_link(id, std::nullopt);
        }
    }
}

void World::crash(Node node) {
    auto& office = offices_[node];
    if (!office.engine) {
        return;
    }
    office.engine.reset();
    office.wake_at_ms.reset();
    std::erase_if(links_by_hand_, [&](const auto& entry) { return entry.second == node; });
    for (const auto& [id, link] : std::map(links_)) {
        if (link.a == node || link.b == node) {
            drop_link(id, node);
        }
    }
}

void World::stop(Node node) {
    const auto weather = std::exchange(weather_, Weather{});
    batch(node, {engine::Stopping{}});
    weather_ = weather;
    crash(node);
}

void World::put_back(Node node, const storage::MemoryDisk& copy) {
    *offices_[node].disk = copy;
    // A store that was put back may forget its terminal numbers.
    offices_[node].terminal_before.clear();
    offices_[node].shown_before.clear();
    // It forgets what it promised since.
    std::erase_if(promised_, [&](const auto& entry) {
        return entry.first.author == index_of(node) && !progress(node, entry.first);
    });
}

void World::restart(Node node) {
    if (!is_up(node) && !is_taken_over(node)) {
        start(node);
    }
}

void World::take_over(Node node) {
    crash(node);
    offices_[node].is_taken_over = true;
}

void World::pass(std::chrono::milliseconds time) {
    now_ms_ += time.count();
}

void World::lock_mail(Node node, bool is_locked) {
    auto& office = offices_[node];
    office.config->mail = is_locked ? nullptr : &office.keys->mail;
    if (is_up(node) && !is_taken_over(node)) {
        batch(node, {engine::TimerFired{}});
    }
}

void World::set_clock(Node node, std::int64_t wrong_by_seconds) {
    offices_[node].clock_wrong_by = wrong_by_seconds;
}

void World::advertise(Node node, std::vector<std::string> endpoints) {
    offices_[node].config->endpoints = std::move(endpoints);
    if (is_up(node)) {
        batch(node, {engine::TimerFired{}});
    }
}

void World::set_disk_limit(Node node, std::uint64_t bytes) {
    offices_[node].disk->limit_bytes = bytes;
}

void World::set_carry_limit(Node node, std::uint64_t bytes) {
    offices_[node].config->carry_bytes_max = bytes;
}

std::optional<std::int64_t> World::next_at() const {
    std::optional<std::int64_t> next;
    const auto sooner = [&](std::int64_t at) { next = std::min(next.value_or(at), at); };
    for (const auto& office : offices_) {
        if (office.engine && office.wake_at_ms) {
            sooner(*office.wake_at_ms);
        }
    }
    for (const auto& flight : flights_) {
        sooner(flight.at_ms);
    }
    return next;
}

void World::run_for(std::chrono::milliseconds time) {
    const auto end = now_ms_ + time.count();
    while (next_at().value_or(end) < end) {
        step();
    }
    now_ms_ = end;
}

bool World::step() {
    std::optional<std::int64_t> next;
    std::optional<Node> timer;
    for (Node node = 0; node < size(); ++node) {
        const auto& office = offices_[node];
        if (office.engine && office.wake_at_ms && (!next || *office.wake_at_ms < *next)) {
            next = office.wake_at_ms;
            timer = node;
        }
    }
    const auto first = std::ranges::min_element(flights_, {}, &Flight::at_ms);
    if (first != flights_.end() && (!next || first->at_ms <= *next)) {
        auto flight = std::move(*first);
        flights_.erase(first);
        now_ms_ = std::max(now_ms_, flight.at_ms);
        const auto& link = links_.at(flight.link);
        note_told(flight.link, link.a == flight.to ? link.b : link.a, flight.bytes);
        std::vector<engine::Input> arrived;
        arrived.emplace_back(engine::FrameArrived{flight.link, std::move(flight.bytes)});
        for (auto at = flights_.begin(); weather_.arrives_together && at != flights_.end();) {
            if (at->link == flight.link && at->to == flight.to && at->at_ms <= now_ms_) {
                note_told(flight.link, link.a == flight.to ? link.b : link.a, at->bytes);
                arrived.emplace_back(engine::FrameArrived{flight.link, std::move(at->bytes)});
                at = flights_.erase(at);
            } else {
                ++at;
            }
        }
        batch(flight.to, arrived);
        return true;
    }
    if (!timer) {
        return false;
    }
    now_ms_ = std::max(now_ms_, *next);
    offices_[*timer].wake_at_ms.reset();
    batch(*timer, {engine::TimerFired{}});
    return true;
}

void World::run_until_idle(std::chrono::hours at_most) {
    const auto end =
        now_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(at_most).count();
    int quiet = 0;
    // Idle: no frame is under way over a few rounds of timers.
    while (now_ms_ < end && quiet < 12) {
        quiet = flights_.empty() ? quiet + 1 : 0;
        if (!step()) {
            return;
        }
    }
}

}  // namespace fieldpost::tests
